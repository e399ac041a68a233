"""clipgrip names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from clipgrip.cli.arguments import Run, option
from clipgrip.cli.ui import Result, Ui
from clipgrip.errors import ConfigError
from clipgrip.sentences import Sentence
from clipgrip.words import mark

if TYPE_CHECKING:
    from clipgrip.data.classes import ClassNames
    from clipgrip.report.rewording import Rewording, Tried
    from clipgrip.runs.outcome import Outcome
    from clipgrip.runs.rewording import TextTrial
    from clipgrip.trust.naming import Naming
    from clipgrip.words import Words

MOST = 8
"""Classes for which other words are proposed."""


def names(
    ui: Ui,
    run: Run,
    tries: Annotated[
        list[str] | None,
        option(
            'Your own words for a class, as in "scratch=a long thin scratch on metal"; once for each.',
            "--try",
            metavar="CLASS=TEXT",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        option(
            "Write the list of classes with the words of --try, for the next run: a new CSV file."
        ),
    ] = None,
) -> Result:
    """Say which class names fit their images, and what other words would change.

    For names that are doubted, other words are proposed. Nothing of the run is touched: answers are those of the model
    before it was tuned.
    """
    from clipgrip.cli.reviewed import classes_at_work, outcome_at_work
    from clipgrip.report.rewording import lines, values
    from clipgrip.runs.rewording import TextTrial

    wanted = tries or []
    words = [_wish(one, classes_at_work(run)) for one in wanted]
    _check_out(out, wanted)
    outcome = outcome_at_work(run, ui.screen)
    trial = TextTrial.of(outcome)
    found = _reworded(outcome, trial, words, ui.say)
    text, facts = lines(found, run, ui.say), values(found)
    if out is not None:
        _write(out, trial.worded(dict(words)))
        text, facts = (
            [*text, Sentence("classes      {out}", out=out)],
            {**facts, "classes_file": out},
        )
    return Result(text, facts)


def _reworded(
    outcome: Outcome, trial: TextTrial, words: list[tuple[int, str]], say: Words
) -> Rewording:
    from clipgrip.advice.model import headline, reasons
    from clipgrip.report.rewording import Rewording, Tried
    from clipgrip.runs.knowledge import doubts
    from clipgrip.runs.naming import doubted_names, labels_alone_decide, to_tell
    from clipgrip.trust.knowledge import knows_no_name

    found = doubts(outcome.run.facts)
    lost = knows_no_name(found)
    fits = trial.names()
    asked = range(len(trial.classes)) if lost else [one.position for one in fits.doubted]
    others = () if words else (*_exchanges(trial, fits), *_proposed(trial, list(asked)[:MOST]))
    beside = () if words else trial.templates()
    templates = tuple(Tried({}, one, trial.with_template(one)) for one in beside)
    better, good = (
        tuple(one for one in some if one.is_worth_a_try(fits, judged=not lost))
        for some in (others, templates)
    )
    return Rewording(
        classes=trial.classes,
        names=fits,
        against=(headline(say, found), *reasons(found, say)) if lost else (),
        proposed=better,
        templates=good,
        tried=_tried(trial, words),
        examples={one["name"]: to_tell(one).example for one in doubted_names(outcome.run.facts)},
        labels_decide=labels_alone_decide(outcome.run.facts),
        left_out=len(others) + len(templates) - len(better) - len(good),
    )


def _exchanges(trial: TextTrial, fits: Naming) -> list[Tried]:
    """Pairs of texts that point at each other's images, the other way round."""
    texts, points = trial.classes.prompts, {one.position: one.group for one in fits.doubted}
    pairs = [(a, b) for a, b in points.items() if b is not None and a < b and points.get(b) == a]
    return [_words(trial, {a: texts[b], b: texts[a]}) for a, b in pairs]


def _proposed(trial: TextTrial, positions: list[int]) -> tuple[Tried, ...]:
    """For each class the wordings after which it fits best first."""
    proposed: list[Tried] = []
    for c in positions:
        found = [_words(trial, {c: text}) for text in trial.proposals(c)]
        proposed += sorted(found, key=lambda one: -_fit(one, c))
    return tuple(proposed)


def _fit(one: Tried, c: int) -> float:
    return one.moved.fits.names[c].fit or 0.0


def _tried(trial: TextTrial, words: list[tuple[int, str]]) -> tuple[Tried, ...]:
    """Each alone, then all together where they are of several classes."""
    found = [_words(trial, {c: text}) for c, text in words]
    together = dict(words)
    if len(together) > 1:
        found.append(_words(trial, together))
    return tuple(found)


def _words(trial: TextTrial, texts: dict[int, str]) -> Tried:
    from clipgrip.report.rewording import Tried

    return Tried(texts, None, trial.with_words(texts))


def _wish(given: str, classes: ClassNames) -> tuple[int, str]:
    """Position of the class and its text; a name may hold the sign = too."""
    from clipgrip.data.classes import canonical

    for at in (n for n, char in enumerate(given) if char == "="):
        name, text = given[:at], canonical(given[at + 1 :])
        if name in classes and text:
            return classes.index(name), text
    name, sign, text = given.partition("=")
    if sign and canonical(name) and canonical(text):
        classes.index(name)  # says which classes there are
    raise ConfigError(
        '--try "{given}" is not CLASS=TEXT. Write for example --try "{klass}=a few English words".',
        given=given,
        klass=classes.display[0],
    )


def _check_out(out: Path | None, wanted: list[str]) -> None:
    from clipgrip.written import check_table

    if out is None:
        return
    if not wanted:
        raise ConfigError(mark("--out writes the words of --try. Give --try CLASS=TEXT too."))
    if out.exists():
        raise ConfigError(
            "{out} exists, perhaps with your own words in it. Give another --out.", out=out
        )
    if out.suffix.lower() != ".csv":
        raise ConfigError(
            "{out} has two columns, name and prompt. Give --out a name that ends in .csv.",
            out=out,
        )
    check_table(out, "names")


def _write(out: Path, classes: ClassNames) -> None:
    from clipgrip.data.tables import csv_bytes
    from clipgrip.files import write_bytes_once

    rows = zip(classes.display, classes.prompts, strict=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_bytes_once(out, csv_bytes(("name", "prompt"), rows))
