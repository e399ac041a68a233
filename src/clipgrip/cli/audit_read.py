"""clipgrip audit read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from clipgrip.cli.arguments import By, Encoding, Run, Sheet
from clipgrip.cli.audit_measure import ANSWERED, read_measured
from clipgrip.cli.ui import Result, Ui
from clipgrip.errors import ConfigError
from clipgrip.words import Sentence, mark

ONLY_DAILY = mark(
    "{answers} is no daily sheet, and the answers of an audit that promises are not changed once they are counted. "
    "Begin another audit (clipgrip audit draw --seed)."
)

if TYPE_CHECKING:
    from clipgrip.runs.audit_sheet import Audit


def read(
    ui: Ui,
    run: Run,
    answers: Sheet,
    by: By = "",
    correct: Annotated[
        bool,
        typer.Option(
            "--correct",
            help="Put right answers of a daily sheet that were given wrongly; the first ones stay in the record.",
        ),
    ] = False,
    encoding: Encoding = None,
) -> Result:
    """Say what the answers of a filled sheet show so far: how many of the run's answers are right.

    A sheet that was drawn to measure gives the accuracy with its interval, of all images and of each answered class.

    The answers are kept in the run, so its report shows them too. Nothing is decided: that is clipgrip audit automate.
    """
    from clipgrip.cli.automate import NOT_KEPT, keep_answers
    from clipgrip.cli.calibrated import recalibrated, said_of
    from clipgrip.cli.daily import read_daily
    from clipgrip.cli.reviewed import outcome_at_work
    from clipgrip.runs import audit_sheet

    daily = read_daily(ui, run, answers, by, encoding, correct=correct)
    if daily is not None:
        return daily
    if correct:
        raise ConfigError(ONLY_DAILY, answers=answers)
    sheet = audit_sheet.Sheet.read(answers, encoding)
    if sheet.measures:
        return read_measured(ui, run, sheet, answers, by)
    outcome = outcome_at_work(run, ui.screen)
    audit = audit_sheet.Audit.of(outcome, sheet.seed, sheet.apart)
    rows, truth = sheet.answers(audit)
    stored = keep_answers(outcome.folder, audit, rows, truth, by)
    uniform = stored and not audit.apart
    calibrated = recalibrated(outcome, ui.screen) if uniform else None
    if not stored:
        ui.screen.note(Sentence(NOT_KEPT, newest=outcome.folder, answers=answers))
    if audit.apart:
        return _apart(audit, rows, truth, len(sheet), stored)
    facts = {"audit": audit.id, "sheet": len(sheet), "answered": len(rows), "kept": stored}
    return _uniform(audit, rows, truth, facts, said_of(calibrated))


def _uniform(
    audit: Audit, rows: Any, truth: Any, facts: dict[str, Any], calibrated: list[str]
) -> Result:
    """Right answers of all images, beside the commonest class."""
    from dataclasses import asdict

    from clipgrip.report.audited import compared, line

    pairs = list(zip(audit.pool.labels[rows].tolist(), truth.tolist(), strict=True))
    found = compared(pairs, audit.classes.display)
    lines: list[str] = [Sentence(ANSWERED, n_rows=len(rows), n_sheet=facts["sheet"])]
    if found is None:
        lines.append(Sentence("nothing can be said yet: answer the first images of the sheet"))
    else:
        lines += [line(found), *calibrated]
    return Result(lines, {**facts, "audited": None if found is None else asdict(found)})


def _apart(audit: Audit, rows: Any, truth: Any, drawn: int, stored: bool) -> Result:
    """Right answers of each group; they are no sample of all images, so no share of these is named."""
    from clipgrip.trust.scope import group_name

    labels, groups = audit.pool.labels[rows], {}
    lines: list[str] = [
        Sentence(ANSWERED, n_rows=len(rows), n_sheet=drawn),
        Sentence(
            "groups were drawn apart, so these answers measure each group and not all images together"
        ),
    ]
    for group in audit.groups:
        inside = group.members(labels)
        asked, wrong = int(inside.sum()), int(group.wrong[labels, truth][inside].sum())
        if asked:
            called = [n for n, c in zip(audit.classes.display, group.called, strict=True) if c]
            groups[group.name] = {"answered": asked, "wrong": wrong}
            lines.append(
                Sentence(
                    "  {group}: {wrong} wrong of {n}",
                    group=group_name(group.name, called),
                    wrong=wrong,
                    n=asked,
                )
            )
    facts = {"audit": audit.id, "sheet": drawn, "answered": len(rows), "kept": stored}
    return Result(lines, {**facts, "audited": None, "groups": groups})
