"""From a finished run to the values that a report is built from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from clipgrip.data.reading import open_row
from clipgrip.data.rows import Places, Row
from clipgrip.data.sources import is_gone
from clipgrip.report.accuracy import AuditedFigure
from clipgrip.report.audited import Audited
from clipgrip.report.facts import MeasuredAnswers, RunFacts
from clipgrip.report.group_table import read_groups
from clipgrip.runs.calibrated import read_calibration
from clipgrip.runs.outcome import Outcome
from clipgrip.runs.watch.status import line_of


def facts(
    outcome: Outcome,
    groups: Path | None = None,
    audited: Audited | None = None,
    encoding: str | None = None,
    history: tuple[AuditedFigure, ...] = (),
) -> RunFacts:
    """Everything a report says; pictures are opened only when they are shown.

    ``groups`` is a table with a column of paths and a column for each way to group the images. DataError: the table of
    groups cannot be used.
    """
    embeds = outcome.embeds
    # where no text answers there is nothing that tuning could have moved
    zero_shot = outcome.zero_shot if outcome.start.has_texts else outcome.answers
    judged = MeasuredAnswers(
        paths=embeds.test_rows.shown(),
        labels=embeds.test_labels,
        zero_shot=zero_shot.test,
        probs=outcome.answers.test,
        open_image=_opener(embeds.test_rows),
    )
    return RunFacts(
        metrics=_with_audited_calibration(outcome),
        class_names=outcome.manifest.classes.display,
        paths=embeds.pool_rows.shown(),
        labels=embeds.pool_labels,
        zero_shot=zero_shot.pool,
        probs=outcome.answers.pool,
        open_image=_opener(embeds.pool_rows),
        test=judged if len(embeds.test_rows) else None,
        folder=str(outcome.folder),
        lost=lost(outcome),
        unseen=sum(is_gone(row.source) for row in (*embeds.pool_rows, *embeds.test_rows)),
        audited=audited,
        history=history,
        work=line_of(outcome.folder),
        row_of=Places(embeds.pool_rows.hashes),
        groups={} if groups is None else read_groups(groups, _judged_paths(outcome), encoding),
    )


def _with_audited_calibration(outcome: Outcome) -> dict[str, Any]:
    """metrics.json, with the calibration that the answers are shown with in place of one that is not applied."""
    found = read_calibration(outcome.folder)
    return outcome.metrics if found is None else {**outcome.metrics, "calibration": found.evidence}


def lost(outcome: Outcome) -> int:
    """How many images the run had that can no longer be read."""
    data, embeds = outcome.run.facts["data"], outcome.embeds
    return data["pool"] + data["test"] - len(embeds.pool_rows) - len(embeds.test_rows)


def _judged_paths(outcome: Outcome) -> list[str]:
    test, pool = outcome.embeds.test_rows, outcome.embeds.pool_rows
    return list((test if len(test) else pool).shown())


def _opener(rows: Sequence[Row]) -> Callable[[int], Image.Image]:
    return lambda row: open_row(rows[row])
