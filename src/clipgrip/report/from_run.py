"""From a finished run to the values that a report is built from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from clipgrip.data.reading import open_row
from clipgrip.data.rows import HashIndex, Row
from clipgrip.data.sources import is_gone
from clipgrip.data.table import TWICE, Table
from clipgrip.data.tables import read_table
from clipgrip.errors import DataError
from clipgrip.files import AnyPath
from clipgrip.report.accuracy import AuditedFigure
from clipgrip.report.audited import Audited
from clipgrip.report.facts import MeasuredAnswers, RunFacts
from clipgrip.runs.calibrated import read_calibration
from clipgrip.runs.outcome import Outcome
from clipgrip.runs.watch.status import line_of
from clipgrip.sentences import mark

MAX_GROUPS = 50
"""Values of one column, at most: beyond it the column is no grouping."""
ONE_COLUMN = mark(
    '{name}: only the column "{column}". Add a column for each grouping, such as line, '
    "camera or shift."
)
NO_IMAGE = mark(
    '{name}: none of its paths is an image of this run (it starts with "{shown}", the '
    'run with "{first}"). Write the paths as predictions.csv has them.'
)
TOO_MANY = mark(
    '{name}: column "{column}" holds {kinds} different values; up to {max_groups} can be '
    "compared. Leave the column out, or put its values into fewer groups."
)


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
        row_of=HashIndex(embeds.pool_rows.hashes),
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


def group_table(file: AnyPath, encoding: str | None = None) -> tuple[Table, int, list[int]]:
    """A table of groups, its column of paths, and its others. DataError: it lacks one of the two."""
    table = read_table(file, encoding)
    place = table.need(("path", "file", "image", "filename"))
    columns = [i for i in range(len(table.columns)) if i != place]
    if not columns:
        raise DataError(ONE_COLUMN, name=table.name, column=table.columns[place])
    return table, place, columns


def read_groups(
    file: AnyPath, paths: Sequence[str], encoding: str | None = None
) -> dict[str, list[str]]:
    """Column name -> the group of each image of ``paths``, "" where the file does not name it.

    DataError: no column "path", no other column, no path known, or a column with over 50 values.
    """
    table, place, columns = group_table(file, encoding)
    rows = {row[place].strip().replace("\\", "/"): row for row in table.rows}
    if not any(path in rows for path in paths):
        shown = next(iter(rows), "nothing")
        raise DataError(NO_IMAGE, name=table.name, shown=shown, first=next(iter(paths), "nothing"))
    found: dict[str, list[str]] = {}
    for column in columns:
        name = table.columns[column].strip() or f"column {column + 1}"
        cells = [rows[path][column].strip() if path in rows else "" for path in paths]
        if found.setdefault(name, cells) != cells:
            raise DataError(TWICE, name=table.name, column=name)
        kinds = len(set(found[name]) - {""})
        if kinds > MAX_GROUPS:
            raise DataError(
                TOO_MANY, name=table.name, column=name, kinds=kinds, max_groups=MAX_GROUPS
            )
    return found
