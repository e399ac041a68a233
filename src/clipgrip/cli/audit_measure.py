"""clipgrip audit draw --to-measure, and the reading of its sheet."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipgrip.cli.promise_lines import next_sheet
from clipgrip.cli.ui import Result, Ui
from clipgrip.errors import ConfigError
from clipgrip.sentences import quoted
from clipgrip.words import Sentence, mark

if TYPE_CHECKING:
    from clipgrip.runs.audit_sheet import Sheet
    from clipgrip.runs.measuring import MeasuringAudit
    from clipgrip.trust.measured import MeasuredAccuracy, MeasuredShare

CLASSES_SHOWN = 12

ANSWERED = mark("{n_rows} of {n_sheet} images of the sheet are answered")
TOO_FEW = mark(
    "the sheet has {n} answers, --count {planned} would leave some out. Give a larger one."
)
TOO_FEW_YET = mark("nothing can be said yet: that takes {fewest} answers")
FOR_A_PROMISE = mark(
    "{name} was drawn for a promise, from all images alike. Draw a sheet of its own to measure: leave out --answers."
)


def draw_to_measure(
    ui: Ui,
    run: Path,
    count: int | None,
    out: Path,
    sheet: Sheet | None,
    seed: int | None,
    show_labels: bool,
) -> Result:
    """The first images of a plan, or the rest of it, which the first answers decide."""
    import numpy as np

    from clipgrip.cli.reviewed import outcome_at_work
    from clipgrip.runs.measuring import USUAL, MeasuringAudit

    if sheet is not None and not sheet.measures:
        raise ConfigError(FOR_A_PROMISE, name=sheet.table.name)
    outcome = outcome_at_work(run, ui.screen)
    asked = (
        MeasuringAudit.of_sheet(outcome, sheet)
        if sheet is not None
        else MeasuringAudit.of(outcome, seed or 0)
    )
    none = np.zeros(0, dtype=np.int64)
    rows, truth = (none, none) if sheet is None else asked.answers(sheet)
    pool = len(asked.audit.pool)
    planned = min(count or (sheet.planned if sheet is not None else None) or USUAL, pool)
    if planned < len(rows):
        raise ConfigError(TOO_FEW, n=len(rows), planned=planned)
    new = asked.next_rows(planned, rows, truth)
    asked.write_sheet(out, planned, rows, truth, new, show_labels)
    lines: list[str] = [
        Sentence(
            "{n} of {pool} images drawn to measure, more of the doubtful ones: {out}",
            n=len(new),
            pool=pool,
            out=out,
        ),
        *([Sentence("answers taken over: {n}", n=len(rows))] if len(rows) else []),
        Sentence("classes: {listing}", listing=asked.audit.classes.listing()),
        Sentence("Fill the column answer with a class name, from the top without a gap."),
        _what_next(run, out, planned, len(rows) + len(new)),
        Sentence(
            "This sheet measures the accuracy; a promise needs a draw from all images alike (without --to-measure)."
        ),
    ]
    facts = {"drawn": len(new), "pool": pool, "sheet": out, "taken_over": len(rows)}
    return Result(lines, {**facts, "audit": asked.id, "planned": planned})


def _what_next(run: Path, out: Path, planned: int, drawn: int) -> str:
    if drawn >= planned:
        return Sentence(
            "Then read it: clipgrip audit read {run} --answers {out}",
            run=quoted(run),
            out=quoted(out),
        )
    command = f"clipgrip audit draw {quoted(run)} --to-measure --answers {quoted(out)}"
    command += f" --out {quoted(next_sheet(out))}"
    return Sentence(
        "Then draw the other {rest} of the {planned} planned, where these answers say that "
        "it pays: {command}",
        rest=planned - drawn,
        planned=planned,
        command=command,
    )


def read_measured(ui: Ui, run: Path, sheet: Sheet, answers: Path, by: str) -> Result:
    """The accuracy with its interval, kept in the run."""
    from clipgrip.cli.automate import NOT_KEPT, keep_answers
    from clipgrip.cli.reviewed import outcome_at_work
    from clipgrip.runs.measuring import MeasuringAudit
    from clipgrip.trust.measured import FEWEST

    outcome = outcome_at_work(run, ui.screen)
    asked = MeasuringAudit.of_sheet(outcome, sheet)
    rows, truth = asked.answers(sheet)
    is_stored = keep_answers(outcome.folder, asked.audit, rows, truth, by, called=asked.id)
    if not is_stored:
        ui.screen.note(Sentence(NOT_KEPT, newest=outcome.folder, answers=sheet.table.name))
    found = asked.read(rows, truth)
    lines: list[str] = [Sentence(ANSWERED, n_rows=len(rows), n_sheet=len(sheet))]
    lines += _lines(found, asked) if found else [Sentence(TOO_FEW_YET, fewest=FEWEST)]
    if sheet.planned and len(rows) < sheet.planned and len(rows) == len(sheet):
        lines.append(_what_next(run, answers, sheet.planned, len(rows)))
    facts: dict[str, Any] = {"audit": asked.id, "sheet": len(sheet), "answered": len(rows)}
    return Result(lines, {**facts, "kept": is_stored, "measured": _facts(found, asked)})


def _lines(found: MeasuredAccuracy, asked: MeasuringAudit) -> list[str]:
    names, whole = asked.audit.classes.display, found.overall
    lines: list[str] = [
        Sentence(
            "measured     {figure} of the {n} images without a label are right",
            figure=_text(whole),
            n=len(asked.audit.pool),
        )
    ]
    worst = sorted(found.classes.items(), key=lambda one: (one[1].value, one[0]))
    lines += [
        Sentence("  {name}: {figure}", name=names[c], figure=_text(figure))
        for c, figure in worst[:CLASSES_SHOWN]
    ]
    if len(worst) > CLASSES_SHOWN:
        lines.append(
            Sentence(
                "  {n} more classes in the report and with --json", n=len(worst) - CLASSES_SHOWN
            )
        )
    return lines


def _text(figure: MeasuredShare) -> str:
    value, low, high = (100 * share for share in (figure.value, figure.low, figure.high))
    answers = Sentence("{n} answers", n=figure.answers)
    return Sentence(
        "{value}% (95% interval {low} to {high}, by {answers})",
        value=f"{value:.1f}",
        low=f"{low:.1f}",
        high=f"{high:.1f}",
        answers=answers,
    )


def _facts(found: MeasuredAccuracy | None, asked: MeasuringAudit) -> dict[str, Any] | None:
    if found is None:
        return None
    names = asked.audit.classes.display
    classes = {names[c]: asdict(figure) for c, figure in found.classes.items()}
    return {"overall": asdict(found.overall), "classes": classes}
