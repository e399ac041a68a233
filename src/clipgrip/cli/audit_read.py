"""clipgrip audit read."""

from __future__ import annotations

from clipgrip.cli.arguments import By, Encoding, Run, Sheet
from clipgrip.cli.ui import Result, Ui


def read(ui: Ui, run: Run, answers: Sheet, by: By = "", encoding: Encoding = None) -> Result:
    """Say what the answers of a filled sheet show so far: how many of the run's answers are right.

    The answers are kept in the run, so its report shows them too. Nothing is decided: that is clipgrip audit automate.
    """
    from dataclasses import asdict

    from clipgrip.cli.automate import keep_answers
    from clipgrip.cli.calibrated import recalibrated, said_of
    from clipgrip.cli.reviewed import at_work
    from clipgrip.report.audited import compared, line
    from clipgrip.runs import auditing
    from clipgrip.runs.reopen import reopen

    sheet = auditing.Sheet.read(answers, encoding)
    newest = at_work(run, ui.screen)
    with ui.screen.live():
        outcome = reopen(newest, ui.screen)
    audit = auditing.Audit.of(outcome, sheet.seed)
    rows, truth = sheet.answers(audit)
    kept = keep_answers(newest, audit, rows, truth, by)
    calibrated = recalibrated(outcome, ui.screen) if kept else None
    if not kept:
        ui.screen.note(f"{newest} may not be written: the answers stand in {answers} alone.")
    names = audit.classes.display
    said = compared(list(zip(audit.pool.labels[rows].tolist(), truth.tolist(), strict=True)), names)
    lines = [f"{len(rows)} of {len(sheet)} images of the sheet are answered"]
    if said is None:
        lines.append("nothing can be said yet: answer the first images of the sheet")
    else:
        lines += [line(said), *said_of(calibrated)]
    facts = {"audit": audit.id, "sheet": len(sheet), "answered": len(rows), "kept": kept}
    return Result(lines, {**facts, "audited": None if said is None else asdict(said)})
