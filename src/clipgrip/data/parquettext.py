"""The texts of a Parquet file, a few rows at a time: a few kilobytes may stand for gigabytes of the same value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clipgrip.data.table import MAX_COLUMNS
from clipgrip.data.text import MAX_BYTES
from clipgrip.errors import DataError
from clipgrip.sentences import mark

MOST_CELLS = 40_000_000
PIECE = 8192
"""Rows that are objects at a time."""
LONGEST = 4096
"""Bytes of a path or label, on average."""
MOST_SHORT = 1 << 20
"""Bytes of text that are asked nothing."""
MOST_LONG = 64 << 20
"""Bytes of text that are read first, to find out how long they are."""
TOO_LONG = mark(
    "{name}: its texts are longer than {n} characters on average, so they are no paths or labels. Leave such columns "
    "out."
)


def text_of(file: Any, columns: list[str], name: str) -> Any:
    """The columns as a table, read in pieces: a few kilobytes may stand for gigabytes of the same value.

    DataError: more columns or cells than any table of images has, or more text.
    """
    import pyarrow as pa

    count = file.metadata.num_rows
    if len(columns) > MAX_COLUMNS or count * len(columns) > MOST_CELLS:
        raise DataError(
            "{name}: {count} rows of {n_columns} columns. At most {max_columns} columns and {most_cells} cells are "
            "read. Keep the columns that are needed, such as path and label, or split the file.",
            name=name,
            count=f"{count:,}",
            n_columns=f"{len(columns):,}",
            max_columns=MAX_COLUMNS,
            most_cells=f"{MOST_CELLS:,}",
        )
    some = next(pieces(file, columns, most_bytes=MOST_LONG), None)  # before more of such are read
    if some is not None:
        _check_long(_bytes_of(some), some.num_rows, columns, name)
    read, texts, rows, parts = 0, 0, 0, []
    for part in pieces(file, columns):
        read, texts, rows = read + part.nbytes, texts + _bytes_of(part), rows + part.num_rows
        _check_long(texts, rows, columns, name)
        if read > 4 * MAX_BYTES:
            much = mark("{name}: more than {size} MiB of text. Split the file.")
            raise DataError(much, name=name, size=4 * MAX_BYTES >> 20)
        parts.append(part)
    return pa.Table.from_batches(parts) if parts else file.read(columns=columns)


def _bytes_of(part: Any) -> int:
    """Of its texts; of a dictionary, which each part has whole, as much as so many rows need on average."""
    total = 0
    for column in part.columns:
        if (texts := getattr(column, "dictionary", None)) is None:
            total += column.nbytes
        else:
            share = min(1.0, len(column) / max(1, len(texts)))
            total += column.indices.nbytes + int(share * texts.nbytes)
    return total


def _check_long(read: int, rows: int, columns: list[str], name: str) -> None:
    """DataError where so many bytes were read in these rows that no cell of them is a path or a label."""
    if read > MOST_SHORT and read > LONGEST * rows * len(columns):
        raise DataError(TOO_LONG, name=name, n=LONGEST)


def pieces(
    file: Any,
    columns: list[str],
    groups: Sequence[int] = (),
    most: int = PIECE,
    most_bytes: int | None = None,
) -> Any:
    """The columns a few rows at a time: no more than what a value that stands once in the file may make large."""
    some, begins = groups or range(file.num_row_groups), tuple(columns)
    parts = [file.metadata.row_group(number) for number in some]
    leaves = [part.column(n) for part in parts for n in range(part.num_columns)]
    sizes = [one.total_uncompressed_size for one in leaves if one.path_in_schema.startswith(begins)]
    # no value is longer than all the values of its part of a column
    rows = max(1, min(most, (most_bytes or MAX_BYTES) // max([1, *sizes])))
    return file.iter_batches(rows, row_groups=list(some), columns=columns)
