"""clipgrip audit draw --to-measure, and the reading of its sheet."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipgrip.cli.ui import Result, Ui

if TYPE_CHECKING:
    from clipgrip.runs.auditing import Sheet
    from clipgrip.runs.measuring import MeasuringAudit
    from clipgrip.trust.measured import MeasuredAccuracy, MeasuredShare

CLASSES_SHOWN = 12


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

    from clipgrip.cli.reviewed import at_work
    from clipgrip.errors import ConfigError
    from clipgrip.runs.measuring import USUAL, MeasuringAudit, is_measuring
    from clipgrip.runs.reopen import reopen

    if sheet is not None and not is_measuring(sheet):
        raise ConfigError(
            f"{sheet.table.name} was drawn for a promise, from all images alike. Draw a sheet of its own to measure: "
            "leave out --answers."
        )
    newest = at_work(run, ui.screen)
    with ui.screen.live():
        asked = MeasuringAudit.of(
            reopen(newest, ui.screen), seed or 0 if sheet is None else sheet.seed
        )
    none = np.zeros(0, dtype=np.int64)
    rows, truth = (none, none) if sheet is None else asked.answers(sheet)
    pool = len(asked.audit.pool)
    planned = min(count or (sheet.planned if sheet is not None else None) or USUAL, pool)
    if planned < len(rows):
        raise ConfigError(
            f"the sheet has {len(rows)} answers, --count {planned} would leave some out. Give a larger one."
        )
    new = asked.drawn(planned, rows, truth)
    asked.write_sheet(out, planned, rows, truth, new, show_labels)
    lines = [
        f"{len(new)} of {pool} images drawn to measure, more of the doubtful ones: {out}",
        *([f"answers taken over: {len(rows)}"] if len(rows) else []),
        f"classes: {asked.audit.classes.listing()}",
        "Fill the column answer with a class name, from the top without a gap.",
        _what_next(run, out, planned, len(rows) + len(new)),
        "This sheet measures the accuracy; a promise needs a draw from all images alike (without --to-measure).",
    ]
    facts = {"drawn": len(new), "pool": pool, "sheet": out, "taken_over": len(rows)}
    return Result(lines, {**facts, "audit": asked.id, "planned": planned})


def _what_next(run: Path, out: Path, planned: int, drawn: int) -> str:
    if drawn >= planned:
        return f"Then read it: clipgrip audit read {run} --answers {out}"
    return (
        f"Then draw the other {planned - drawn} of the {planned} planned, where these answers say that it pays: "
        f"clipgrip audit draw {run} --to-measure --answers {out} --out NEW.csv"
    )


def read_measured(ui: Ui, run: Path, sheet: Sheet, by: str) -> Result:
    """The accuracy with its interval, kept in the run."""
    from clipgrip.cli.reviewed import at_work
    from clipgrip.runs.measuring import MeasuringAudit
    from clipgrip.runs.reopen import reopen

    newest = at_work(run, ui.screen)
    with ui.screen.live():
        asked = MeasuringAudit.of(reopen(newest, ui.screen), sheet.seed)
    rows, truth = asked.answers(sheet)
    is_stored = _keep(newest, asked, rows.tolist(), truth.tolist(), by)
    if not is_stored:
        ui.screen.note(
            f"{newest} may not be written: the answers stand in {sheet.table.name} alone."
        )
    found = asked.read(rows, truth)
    lines = [f"{len(rows)} of {len(sheet)} images of the sheet are answered"]
    lines += _lines(found, asked) if found else [_too_few()]
    if sheet.planned and len(rows) < sheet.planned and len(rows) == len(sheet):
        lines.append(_what_next(run, Path(sheet.table.name), sheet.planned, len(rows)))
    facts: dict[str, Any] = {"audit": asked.id, "sheet": len(sheet), "answered": len(rows)}
    return Result(lines, {**facts, "kept": is_stored, "measured": _facts(found, asked)})


def _keep(run: Path, asked: MeasuringAudit, rows: list[int], truth: list[int], by: str) -> bool:
    from datetime import UTC, datetime

    from clipgrip.runs import audits
    from clipgrip.runs.database import is_writable
    from clipgrip.runs.store import NAME, open_store

    if not is_writable(run / NAME):
        return False
    given = list(zip((asked.audit.hashes[row] for row in rows), truth, strict=True))
    now = datetime.now(UTC).isoformat(timespec="seconds")
    with open_store(run) as store:
        audits.add_answers(store, asked.audit.run, asked.id, given, by=by, at=now)
    return True


def _too_few() -> str:
    from clipgrip.trust.measured import FEWEST

    return f"nothing can be said yet: that takes {FEWEST} answers"


def _lines(found: MeasuredAccuracy, asked: MeasuringAudit) -> list[str]:
    names, whole = asked.audit.classes.display, found.overall
    lines = [
        f"measured     {_text(whole)} of the {len(asked.audit.pool)} images without a label are right"
    ]
    worst = sorted(found.classes.items(), key=lambda one: (one[1].value, one[0]))
    lines += [f"  {names[c]}: {_text(figure)}" for c, figure in worst[:CLASSES_SHOWN]]
    if len(worst) > CLASSES_SHOWN:
        lines.append(f"  {len(worst) - CLASSES_SHOWN} more classes in the report and with --json")
    return lines


def _text(figure: MeasuredShare) -> str:
    value, low, high = (100 * share for share in (figure.value, figure.low, figure.high))
    answers = "1 answer" if figure.answers == 1 else f"{figure.answers} answers"
    return f"{value:.1f}% (95% interval {low:.1f} to {high:.1f}, by {answers})"


def _facts(found: MeasuredAccuracy | None, asked: MeasuringAudit) -> dict[str, Any] | None:
    if found is None:
        return None
    names = asked.audit.classes.display
    classes = {names[c]: asdict(figure) for c, figure in found.classes.items()}
    return {"overall": asdict(found.overall), "classes": classes}
