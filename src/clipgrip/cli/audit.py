"""clipgrip audit draw."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clipgrip.cli.arguments import Encoding, Run
from clipgrip.cli.ui import Result, Ui
from clipgrip.words import Sentence, mark

if TYPE_CHECKING:
    from clipgrip.runs.auditing import Audit

FILL = mark(
    "Fill the column answer with a class name, from the top without a gap, then run clipgrip audit automate."
)
PLANNED = mark(
    "Planned: {planned} answers. It may be read earlier at any time, and gone on with beyond."
)
OTHER_SEED = mark(
    "{answers} was drawn with --seed {seed}: another draw. Leave out --seed or --answers."
)
TOO_FEW = mark(
    "{answers} has {n_given} answers, --count {n} would leave some out. Give a larger one."
)
USUAL = 100
"""Images where no number of them proves anything."""


def draw(
    ui: Ui,
    run: Run,
    count: Annotated[
        int | None,
        typer.Option(
            "-n",
            "--count",
            min=1,
            help="Images to draw.  [default: as many as can promise half of the images at 2 %, 95 % sure]",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Where to write the sheet.")] = Path("audit.csv"),
    answers: Annotated[
        Path | None,
        typer.Option(
            help="A shorter sheet of the same draw, whose answers are taken over.",
            show_default=False,
        ),
    ] = None,
    to_measure: Annotated[
        bool,
        typer.Option(
            "--to-measure",
            help="Draw for the accuracy's interval alone: fewer answers, in two phases; never a promise.",
        ),
    ] = False,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, help="Seed of the draw.  [default: 0, or that of --answers]", show_default=False
        ),
    ] = None,
    daily: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Draw so many of the images at work since the last draw, to watch the promises.",
            show_default=False,
        ),
    ] = None,
    encoding: Encoding = None,
    show_labels: Annotated[
        bool, typer.Option("--show-labels", help="Show the model's answers. They lead people on.")
    ] = False,
) -> Result:
    """Draw images at random for a person to answer, as a CSV sheet.

    --count is the plan: what it proves is read there with nothing kept back. A larger --count begins with the same
    images, so an audit can be continued: give the sheet so far as --answers; its plan stays.
    """
    from clipgrip.cli.audit_measure import draw_to_measure
    from clipgrip.cli.daily import draw_daily
    from clipgrip.cli.reviewed import at_work
    from clipgrip.errors import ConfigError
    from clipgrip.runs.auditing import AUDIT, Audit, Sheet, write_sheet
    from clipgrip.runs.reopen import reopen
    from clipgrip.trust.planning import usual_plan
    from clipgrip.trust.terms import Terms
    from clipgrip.written import check_table

    if out.is_file():
        raise ConfigError(
            mark("{out} exists, perhaps with answers in it. Give another --out."), out=out
        )
    check_table(out, AUDIT)
    if daily is not None:
        return draw_daily(ui, run, daily, out)
    sheet = None if answers is None else Sheet.read(answers, encoding)
    if sheet is not None and seed not in (None, sheet.seed):
        raise ConfigError(OTHER_SEED, answers=answers, seed=sheet.seed)
    if to_measure:
        return draw_to_measure(ui, run, count, out, sheet, seed, show_labels)
    newest = at_work(run, ui.screen)
    with ui.screen.live():
        drawn = Audit.of(reopen(newest, ui.screen), seed or 0 if sheet is None else sheet.seed)
    given = {} if sheet is None else sheet.texts(drawn)
    n = min(count or usual_plan(len(drawn.pool), Terms()) or USUAL, len(drawn.pool))
    if n < len(given):
        raise ConfigError(TOO_FEW, answers=answers, n_given=len(given), n=n)
    planned, remark = _plan_of(newest, drawn, n) if sheet is None else (sheet.planned, "")
    write_sheet(drawn, n, out, show_labels=show_labels, given=given, planned=planned)
    lines = _drawn_lines(drawn, n, out, planned, remark)
    if sheet is not None:
        taken = mark("answers taken over from {answers}: {n}")
        lines.insert(1, Sentence(taken, answers=answers, n=len(given)))
    facts = {"drawn": n, "pool": len(drawn.pool), "sheet": out, "taken_over": len(given)}
    return Result(lines, {**facts, "audit": drawn.id, "planned": planned})


def _drawn_lines(drawn: Audit, n: int, out: Path, planned: int | None, remark: str) -> list[str]:
    pool = len(drawn.pool)
    lines: list[str] = [
        Sentence("{n} of {pool} images drawn at random: {out}", n=n, pool=pool, out=out)
    ]
    lines.append(Sentence("classes: {listing}", listing=drawn.classes.listing()))
    lines.append(FILL)
    if remark:
        lines.append(remark)
    if planned:
        lines.append(Sentence(PLANNED, planned=planned))
    return lines


def _plan_of(run: Path, drawn: Audit, n: int) -> tuple[int | None, str]:
    """The answers planned, and what is to be said of them: a plan is made before the first answer or not at all."""
    from clipgrip.runs.audits import promises, stored_answers
    from clipgrip.runs.store import open_store

    with open_store(run) as store:
        if not stored_answers(store, drawn.run, drawn.id):
            return n, ""
        earlier = [one.facts for one in promises(store, drawn.run) if one.audit == drawn.id]
    first = next((facts["planned"] for facts in earlier if "planned" in facts), None)
    return first, (
        Sentence("Answers of this draw are kept already, so its first plan stays.")
        if first
        else Sentence(
            "Answers of this draw are kept already, so {n} is no plan: every answer is read by bets.",
            n=n,
        )
    )
