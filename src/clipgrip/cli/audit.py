"""clipgrip audit draw."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clipgrip.cli.arguments import About, Confidence, Encoding, MaxError, Run, ok_option, option
from clipgrip.cli.sheets import gone_lines
from clipgrip.cli.ui import Result, Ui
from clipgrip.errors import ConfigError
from clipgrip.sentences import quoted
from clipgrip.words import Sentence, mark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clipgrip.runs.audit_sheet import Audit, Sheet
    from clipgrip.trust.terms import Terms

FILL = mark("Fill the column answer with a class name, from the top without a gap, then: {command}")
PLANNED = mark(
    "Planned: {planned} answers. It may be read earlier at any time, and gone on with beyond."
)
OTHER_SEED = mark(
    "{answers} was drawn with --seed {seed}: another draw. Leave out --seed or --answers."
)
TOO_FEW = mark(
    "{answers} has {n_given} answers, --count {n} would leave some out. Give a larger one."
)
KINDS = mark(
    "--by-class or --ok-class, --to-measure and --daily are three kinds of draw. Give one of them."
)
USUAL = 100
"""Images where no number of them proves anything."""


def draw(
    ui: Ui,
    run: Run,
    count: Annotated[
        int | None,
        option(
            "Images to draw; where groups are drawn apart, at most so many new ones.  [default: as many as can "
            "promise half of the images; apart, as many as pay]",
            "-n",
            "--count",
            min=1,
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Where to write the sheet.")] = Path("audit.csv"),
    answers: Annotated[
        Path | None, option("A shorter sheet of the same draw, whose answers are taken over.")
    ] = None,
    by_class: Annotated[
        bool,
        typer.Option("--by-class", help="Draw each predicted class apart, for a promise for each."),
    ] = False,
    ok_class: Annotated[
        list[str] | None,
        ok_option(
            "A class that means OK: draw OK answers and the others apart, for misses and overkill."
        ),
    ] = None,
    max_error: MaxError = 0.02,
    confidence: Confidence = 0.95,
    about: About = "delivered",
    to_measure: Annotated[
        bool,
        typer.Option(
            "--to-measure",
            help="Draw for the accuracy's interval alone: fewer answers, in two phases; never a promise.",
        ),
    ] = False,
    seed: Annotated[
        int | None, option("Seed of the draw.  [default: 0, or that of --answers]", min=0)
    ] = None,
    daily: Annotated[
        int | None,
        option(
            "Draw so many of the images at work since the last draw, to watch the promises.", min=1
        ),
    ] = None,
    again: Annotated[
        int | None,
        option(
            "Write the sheet of that daily draw again, with its answers so far, where it was lost.",
            min=1,
        ),
    ] = None,
    encoding: Encoding = None,
    show_labels: Annotated[
        bool, typer.Option("--show-labels", help="Show the model's answers. They lead people on.")
    ] = False,
) -> Result:
    """Draw images at random for a person to answer, as a CSV sheet.

    --count is the plan: what it proves is read there with nothing kept back. A larger --count begins with the same
    images, so an audit can be continued: give the sheet so far as --answers; its plan stays. With --by-class each class
    gets as many images as would prove it if all are right; going on draws only where that pays.
    """
    from clipgrip.cli.audit_measure import draw_to_measure
    from clipgrip.cli.automate import terms_of
    from clipgrip.cli.daily import draw_daily, write_again
    from clipgrip.cli.promise_lines import options_of
    from clipgrip.cli.reviewed import classes_at_work, outcome_at_work
    from clipgrip.runs.audit_sheet import AUDIT, Audit, Sheet, apart_of, check_apart
    from clipgrip.written import check_table

    if (by_class or bool(ok_class)) + to_measure + (daily is not None or again is not None) > 1:
        raise ConfigError(KINDS)
    terms = terms_of(max_error, confidence, about)
    apart = apart_of(classes_at_work(run), by_class, ok_class or [])
    if out.is_file():
        raise ConfigError("{out} exists, perhaps with answers in it. Give another --out.", out=out)
    check_table(out, AUDIT)
    if again is not None:
        return write_again(ui, run, again, out)
    if daily is not None:
        return draw_daily(ui, run, daily, out)
    sheet = None if answers is None else Sheet.read(answers, encoding)
    if sheet is not None and seed not in (None, sheet.seed):
        raise ConfigError(OTHER_SEED, answers=answers, seed=sheet.seed)
    if to_measure:
        return draw_to_measure(ui, run, count, out, sheet, seed, show_labels)
    outcome = outcome_at_work(run, ui.screen)
    if sheet is not None:
        check_apart(sheet, apart)
        apart = sheet.apart
    drawn = Audit.of(outcome, seed or 0 if sheet is None else sheet.seed, apart)
    then = f"clipgrip audit automate {quoted(run)} --answers {quoted(out)}"
    then += options_of(max_error, confidence, about)
    asked = WantedSheet(outcome.folder, drawn, sheet, answers, count, out, show_labels, then)
    return _apart(asked, terms) if apart else _uniform(asked, terms)


@dataclass(frozen=True)
class WantedSheet:
    """A sheet that is asked for: of which draw, going on from which sheet, how large, where."""

    run: Path
    drawn: Audit
    sheet: Sheet | None
    answers: Path | None
    count: int | None
    out: Path
    show_labels: bool
    then: str
    """The command that reads it."""

    def result(self, rows: Sequence[int], planned: int | None, lines: list[str]) -> Result:
        """Write the sheet with the answers so far, and say what is in it."""
        from clipgrip.runs.audit_sheet import write_sheet

        drawn, sheet = self.drawn, self.sheet
        given = {} if sheet is None else sheet.texts(drawn)
        write_sheet(
            drawn, rows, self.out, show_labels=self.show_labels, answered=given, planned=planned
        )
        if sheet is not None:
            taken = mark("answers taken over from {answers}: {n}")
            lines.insert(1, Sentence(taken, answers=self.answers, n=len(given)))
        lines += gone_lines(drawn.images[n] for n in rows)
        facts = {
            "drawn": len(rows),
            "pool": len(drawn.pool),
            "sheet": self.out,
            "taken_over": len(given),
            "audit": drawn.id,
            "planned": planned,
        }
        return Result(lines, facts)


def _uniform(asked: WantedSheet, terms: Terms) -> Result:
    from clipgrip.trust.planning import usual_plan

    drawn, sheet, pool = asked.drawn, asked.sheet, len(asked.drawn.pool)
    given = {} if sheet is None else sheet.texts(drawn)
    usual = usual_plan(pool, terms)
    n = min(asked.count or usual or USUAL, pool)
    if sheet is not None and n < len(given):
        raise ConfigError(TOO_FEW, answers=asked.answers, n_given=len(given), n=n)
    planned, remark = _plan_of(asked.run, drawn, n) if sheet is None else (sheet.planned, "")
    lines = _drawn_lines(asked, n, planned, remark)
    if asked.count is not None and asked.count > pool:
        lines.append(_beyond(asked.count, pool, usual))
    return asked.result(drawn.order[:n], planned, lines)


def _beyond(count: int, pool: int, usual: int | None) -> Sentence:
    """That a plan asks for more images than there are, and which one would do."""
    from clipgrip.trust.planning import HALF, NONE_PROVES

    return Sentence(
        "--count {count} is more than there are: all {pool} images without a label are on the sheet, and once they are "
        "answered none is left for the model.{usual}",
        count=count,
        pool=pool,
        usual=Sentence(HALF, n=usual) if usual else Sentence(NONE_PROVES),
    )


def _apart(asked: WantedSheet, terms: Terms) -> Result:
    """A sheet that draws each group apart: the answers so far, then the images that pay."""
    import numpy as np

    from clipgrip.trust.further import further
    from clipgrip.trust.promise import promise

    drawn, sheet = asked.drawn, asked.sheet
    none = np.zeros(0, dtype=np.int64)
    rows, truth = (none, none) if sheet is None else sheet.answers(drawn)
    draw, groups = drawn.draw(), drawn.groups
    proven = promise(drawn.pool, rows, truth, groups, terms, draw=draw)
    more = further(proven, drawn.pool, rows, groups, draw.order, most=asked.count)
    if not len(more.rows):
        raise ConfigError(_nothing_pays(asked, terms, answered=len(rows)))
    lines: list[str] = [
        Sentence(
            "{n} new images drawn at random within {paying} of {groups} groups: {out}",
            n=len(more.rows),
            paying=len(more.by_group),
            groups=len(groups),
            out=asked.out,
        ),
        Sentence("classes: {listing}", listing=drawn.classes.listing()),
        Sentence(FILL, command=asked.then),
    ]
    result = asked.result([*rows.tolist(), *more.rows.tolist()], None, lines)
    return Result(result.lines, {**result.facts, "by_group": more.by_group})


def _nothing_pays(asked: WantedSheet, terms: Terms, answered: int) -> str:
    if answered:
        return Sentence(
            "nothing to draw: after {answered} answers no group pays at {error}% of errors (--max-error), since "
            "more answers take more images from the model than they add. clipgrip audit automate says what is proven; "
            "{out} was not written.",
            answered=answered,
            error=f"{100 * terms.max_error:g}",
            out=asked.out,
        )
    limit = "" if asked.count is None else Sentence(" with --count {n}", n=asked.count)
    return Sentence(
        "no group has enough images to prove at most {error}% of errors{limit}: half of it would "
        "have to be answered, and more. Allow more errors (--max-error), promise all classes together (without "
        "--by-class), or collect more images.",
        error=f"{100 * terms.max_error:g}",
        limit=limit,
    )


def _drawn_lines(asked: WantedSheet, n: int, planned: int | None, remark: str) -> list[str]:
    drawn, pool = asked.drawn, len(asked.drawn.pool)
    return [
        Sentence("{n} of {pool} images drawn at random: {out}", n=n, pool=pool, out=asked.out),
        Sentence("classes: {listing}", listing=drawn.classes.listing()),
        Sentence(FILL, command=asked.then),
        *([remark] if remark else []),
        *([Sentence(PLANNED, planned=planned)] if planned else []),
    ]


def _plan_of(run: Path, drawn: Audit, n: int) -> tuple[int | None, str]:
    """The answers planned, and what is to be said of them: a plan is made before the first answer or not at all."""
    from clipgrip.runs.audit_store import earlier_facts, first_plan, stored_answers
    from clipgrip.runs.store import open_store

    with open_store(run) as store:
        if not stored_answers(store, drawn.run, drawn.id):
            return n, ""
        first = first_plan(earlier_facts(store, drawn.run, drawn.id))
    return first, (
        Sentence("Answers of this draw are kept already, so its first plan stays.")
        if first
        else Sentence(
            "Answers of this draw are kept already, so {n} is no plan: every answer is read by bets.",
            n=n,
        )
    )
