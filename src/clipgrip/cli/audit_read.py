"""clipgrip audit read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clipgrip.cli.arguments import By, Encoding, Run, Sheet
from clipgrip.cli.ui import Result, Ui

if TYPE_CHECKING:
    from clipgrip.runs.auditing import Audit


def read(ui: Ui, run: Run, answers: Sheet, by: By = "", encoding: Encoding = None) -> Result:
    """Say what the answers of a filled sheet show so far: how many of the run's answers are right.

    The answers are kept in the run, so its report shows them too. Nothing is decided: that is clipgrip audit automate.
    """
    from dataclasses import asdict

    from clipgrip.cli.automate import keep_answers
    from clipgrip.cli.reviewed import at_work
    from clipgrip.report.audited import compared, line
    from clipgrip.runs import auditing
    from clipgrip.runs.reopen import reopen

    sheet = auditing.Sheet.read(answers, encoding)
    newest = at_work(run, ui.screen)
    with ui.screen.live():
        audit = auditing.Audit.of(reopen(newest, ui.screen), sheet.seed, sheet.apart)
    rows, truth = sheet.answers(audit)
    kept = keep_answers(newest, audit, rows, truth, by)
    if not kept:
        ui.screen.note(f"{newest} may not be written: the answers stand in {answers} alone.")
    names = audit.classes.display
    if audit.apart:
        return _apart(audit, rows, truth, len(sheet), kept)
    said = compared(list(zip(audit.pool.labels[rows].tolist(), truth.tolist(), strict=True)), names)
    lines = [f"{len(rows)} of {len(sheet)} images of the sheet are answered"]
    if said is None:
        lines.append("nothing can be said yet: answer the first images of the sheet")
    else:
        lines.append(line(said))
    facts = {"audit": audit.id, "sheet": len(sheet), "answered": len(rows), "kept": kept}
    return Result(lines, {**facts, "audited": None if said is None else asdict(said)})


def _apart(audit: Audit, rows: Any, truth: Any, drawn: int, kept: bool) -> Result:
    """Right answers of each group; they are no sample of all images, so no share of these is named."""
    labels, groups = audit.pool.labels[rows], {}
    lines = [
        f"{len(rows)} of {drawn} images of the sheet are answered",
        "groups were drawn apart, so these answers measure each group and not all images together",
    ]
    for group in audit.groups:
        inside = group.members(labels)
        asked, wrong = int(inside.sum()), int(group.wrong[labels, truth][inside].sum())
        if asked:
            groups[group.name] = {"answered": asked, "wrong": wrong}
            lines.append(f"  {group.name}: {wrong} wrong of {asked}")
    facts = {"audit": audit.id, "sheet": drawn, "answered": len(rows), "kept": kept}
    return Result(lines, {**facts, "audited": None, "groups": groups})
