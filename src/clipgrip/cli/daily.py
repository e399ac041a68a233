"""The daily audit of a model at work: drawn, read, and what a withdrawn promise gives back to people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from clipgrip.cli.ui import Result, Ui
from clipgrip.clock import now
from clipgrip.sentences import quoted
from clipgrip.words import Sentence, mark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clipgrip.runs.watch.daily import Drawn
    from clipgrip.runs.watch.standing import Standing
    from clipgrip.runs.watch.store import SeenImage, WatchStore
    from clipgrip.runs.watch.upholding import Upheld
    from clipgrip.serving.batch import FileAnswers
    from clipgrip.words import Words


def draw_daily(ui: Ui, run: Path, count: int, out: Path) -> Result:
    """A sheet of new images at work, drawn at random within the promises that stand."""
    from clipgrip.cli.reviewed import at_work
    from clipgrip.runs.lock import locked
    from clipgrip.runs.watch.daily import draw_images
    from clipgrip.runs.watch.standing import standing
    from clipgrip.runs.watch.store import LOCK, open_watch
    from clipgrip.runs.watch.upholding import note_scopes, run_scopes

    newest = at_work(run, ui.screen)
    scopes, found = run_scopes(newest), standing(newest)
    stand = () if found is None else found.scopes
    with open_watch(newest) as store, locked(newest, LOCK):
        note_scopes(store, scopes)
        drawn = draw_images(store, stand, count, now(), run=run)
        written = _written(ui, run, newest, store, drawn, out)
    if stand:
        return written
    say = ui.say
    none = say("No promise stands, so they are drawn from all new images.")
    return replace(written, lines=[*written.lines, none])


def write_again(ui: Ui, run: Path, number: int, out: Path) -> Result:
    """The sheet of an earlier daily draw, with the answers that were given."""
    from clipgrip.cli.reviewed import at_work
    from clipgrip.runs.watch.daily import drawn_again
    from clipgrip.runs.watch.store import open_watch

    newest = at_work(run, ui.screen)
    with open_watch(newest) as store:
        return _written(ui, run, newest, store, drawn_again(store, number), out)


def _written(ui: Ui, run: Path, newest: Path, store: WatchStore, drawn: Drawn, out: Path) -> Result:
    from clipgrip.runs.watch.daily import write_daily
    from clipgrip.runs.watch.upholding import classes_of

    classes, say = classes_of(newest), ui.say
    given = write_daily(store, drawn, classes, out)
    _name_other(ui, drawn.other)
    lines = [
        say("{n} new images drawn at random: {out}", n=len(drawn.images), out=out),
        *([say("answers given so far: {n}", n=given)] if given else []),
        say("classes: {names}", names=say.names(classes.display, 12)),
        say(
            "Fill the column answer with a class name, from the top without a gap, then: {command}",
            command=f"clipgrip audit read {quoted(run)} --answers {quoted(out)}",
        ),
    ]
    facts = {"draw": drawn.number, "drawn": len(drawn.images), "sheet": out, "answered": given}
    return Result(lines, facts)


def _made_before(newest: Path, fallen: Sequence[Upheld], say: Words) -> list[str]:
    """That decisions written before a promise fell still name the model."""
    from clipgrip.runs.promised import AUTOMATION

    made = newest / AUTOMATION
    if not fallen or not made.exists():
        return []
    text = mark("  {made} was written before and still names the model: take it out of use")
    return [say(text, made=made)]


def _name_other(ui: Ui, other: Sequence[SeenImage]) -> None:
    """Name the images whose file is gone or holds another picture than the model saw."""
    for one in other:
        ui.screen.note(
            Sentence(
                "{path} is gone or holds another picture than the model saw: do not answer by what it shows now",
                path=one.path,
            )
        )


def read_daily(
    ui: Ui, run: Path, answers: Path, by: str, encoding: str | None, *, correct: bool
) -> Result | None:
    """Count the answers of a daily sheet, and withdraw the promises that they refute; None of another sheet."""
    from clipgrip.cli.reviewed import at_work
    from clipgrip.runs.lock import locked
    from clipgrip.runs.watch.daily import DailySheet
    from clipgrip.runs.watch.reading import read_answers
    from clipgrip.runs.watch.status import status_of
    from clipgrip.runs.watch.store import LOCK, open_watch
    from clipgrip.runs.watch.upholding import classes_of, run_scopes, withdraw_broken
    from clipgrip_line.trust.watch_words import audited_words

    sheet = DailySheet.read(answers, encoding)
    if sheet is None:
        return None
    newest = at_work(run, ui.screen)
    scopes = run_scopes(newest)
    with open_watch(newest) as store, locked(newest, LOCK):
        found = read_answers(store, sheet, classes_of(newest), by, now(), correct=correct)
        fallen = withdraw_broken(store, scopes, now())
        status = status_of(store, scopes)
    _name_other(ui, found.other)
    say = ui.say
    lines = [
        f"{status.symbol} {status.words(say)}",
        say("{n} new answers counted", n=say.number(found.new)),
        *([say("{n} answers corrected", n=say.number(found.corrected))] if found.corrected else []),
        audited_words(status.audited, say),
        *(f"  {one.words(say)}" for one in status.promises),
        *_made_before(newest, fallen, say),
    ]
    facts = {
        "answers_new": found.new,
        "answers_corrected": found.corrected,
        "withdrawn_now": [one.scope.name for one in fallen],
    }
    return Result(lines, status.facts() | facts, code=int(bool(fallen)))


def given_back(reviewed: Path, answers: FileAnswers, ui: Ui) -> list[bool]:
    """Which answers people decide because no promise that stands holds them, said on the screen.

    What was promised of an earlier round of the review is not promised of the model of its newest.
    """
    decide = deciding(reviewed)
    if decide is None or not answers.rows:
        return [False] * len(answers.rows)
    confidence, labels = answers.probs.max(1)
    people = list(decide(labels.tolist(), confidence.double().tolist()))
    say_given_back(reviewed, sum(people), ui)
    return people


def deciding(reviewed: Path) -> Callable[[Sequence[int], Sequence[float]], Sequence[bool]] | None:
    """Labels and confidences -> whether a person decides, as `given_back`; None where no audit was ever read.

    What stands is read when the first of them is asked for, once for all.
    """
    from clipgrip.review.store import round_folders
    from clipgrip.runs.audit_store import was_read

    if not any(map(was_read, round_folders(reviewed))):  # before anything heavy is imported
        return None
    from clipgrip.review.deciding import standing_at_work
    from clipgrip.runs.watch.standing import Standing

    stands = cache(lambda: standing_at_work(reviewed) or Standing())
    return lambda labels, confidence: (~stands().holds(labels, confidence)).tolist()


def say_given_back(reviewed: Path, count: int, ui: Ui) -> None:
    """How many are for people, and why."""
    from clipgrip.review.deciding import standing_at_work

    found = standing_at_work(reviewed)
    if count and found is not None:
        ui.screen.note(_why_people(found, count))


def _why_people(found: Standing, count: int) -> Sentence:
    """Why people decide ``count`` of the images: what fell, what was never proven, or where the promise ends."""
    if found.open_fall:
        return Sentence(
            "a promise was withdrawn at work: {n} of these images are for people to decide, until a new audit "
            "promises anew",
            n=count,
        )
    if found.scopes:
        return Sentence(
            "{n} of these images lie within no promise of the audit, so people decide", n=count
        )
    if not found.promises:
        return Sentence(
            "what was promised is of an earlier round, and nothing of the model at work: {n} of these images are for "
            "people to decide, until an audit of it promises anew",
            n=count,
        )
    facts = found.promises[-1].facts
    return Sentence(
        "the audit has not proven yet that at most {error}% are wrong: {n} of these images are for people to decide, "
        "until more answers or another audit prove it (clipgrip audit automate)",
        error=f"{100 * facts['max_error']:g}",
        n=count,
    )
