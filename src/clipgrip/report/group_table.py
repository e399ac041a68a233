"""A table that says of which line, camera or shift an image is."""

from __future__ import annotations

from collections.abc import Sequence

from clipgrip.data.table import TWICE
from clipgrip.data.tables import read_table
from clipgrip.errors import DataError
from clipgrip.files import AnyPath
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


def read_groups(
    file: AnyPath, paths: Sequence[str], encoding: str | None = None
) -> dict[str, list[str]]:
    """Column name -> the group of each image of ``paths``, "" where the file does not name it.

    DataError: no column "path", no other column, no path known, or a column with over 50 values.
    """
    table = read_table(file, encoding)
    place = table.need(("path", "file", "image", "filename"))
    columns = [i for i in range(len(table.columns)) if i != place]
    if not columns:
        raise DataError(ONE_COLUMN, name=table.name, column=table.columns[place])
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
