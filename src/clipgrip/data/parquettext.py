"""Reads the text of Parquet files with bounded memory: a small file can unpack to gigabytes of one repeated value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clipgrip.data.table import MAX_COLUMNS
from clipgrip.data.text import MAX_BYTES
from clipgrip.errors import DataError
from clipgrip.sentences import mark

MOST_CELLS = 40_000_000
PIECE = 8192
"""The most rows that are Python objects at a time."""
MOST_READ = 1 << 20
"""The most rows of a dictionary column that are read at a time."""
LONGEST = 4096
"""The most bytes of a path or label, on average."""
MOST_SHORT = 1 << 20
"""Bytes of text up to which the average is not checked."""
MOST_LONG = 64 << 20
"""The most bytes of the sample that is read first, to learn how long the texts are."""
TOO_LONG = mark(
    "{name}: its texts are longer than {n} characters on average, so they are no paths or labels. Leave such columns "
    "out."
)


def text_of(file: Any, columns: list[str], name: str) -> Any:
    """The columns as an Arrow table, read in pieces.

    DataError: more columns, cells or text than any list of images has.
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
    some = next(pieces(file, columns, most_bytes=MOST_LONG), None)  # a sample, before much is read
    if some is not None:
        _check_long(some.nbytes, some.num_rows, columns, name)
    read, rows, parts = 0, 0, []
    for part in pieces(file, columns):
        read, rows = read + part.nbytes, rows + part.num_rows
        _check_long(read, rows, columns, name)
        if read > 4 * MAX_BYTES:
            much = mark("{name}: more than {size} MiB of text. Split the file.")
            raise DataError(much, name=name, size=4 * MAX_BYTES >> 20)
        parts.append(part)
    return pa.Table.from_batches(parts) if parts else file.read(columns=columns)


def _check_long(read: int, rows: int, columns: list[str], name: str) -> None:
    """DataError where the texts are too long on average to be paths or labels."""
    if read > MOST_SHORT and read > LONGEST * rows * len(columns):
        raise DataError(TOO_LONG, name=name, n=LONGEST)


def pieces(
    file: Any,
    columns: list[str],
    groups: Sequence[int] = (),
    most: int = PIECE,
    most_bytes: int | None = None,
) -> Any:
    """Batches of the columns, so small that even the longest possible value in every row fits into the memory.

    Dictionary columns are decoded. Each batch that Arrow reads holds the whole dictionary, so such columns are read in
    large batches (no larger than the file) and decoded in small ones.
    """
    from pyarrow import types

    some, begins, limit = (
        groups or range(file.num_row_groups),
        tuple(columns),
        most_bytes or MAX_BYTES,
    )
    fields = [field for field in file.schema_arrow if field.name in columns]
    once = {field.name for field in fields if types.is_dictionary(field.type)}
    parts = [file.metadata.row_group(number) for number in some]
    leaves = [part.column(n) for part in parts for n in range(part.num_columns)]
    sizes = [
        one.total_uncompressed_size
        for one in leaves
        if one.path_in_schema.startswith(begins) and one.path_in_schema not in once
    ]
    # no value is longer than all the values of its part of a column
    rows = max(1, min(MOST_READ if once else most, limit // max([1, *sizes])))
    for batch in file.iter_batches(rows, row_groups=list(some), columns=columns):
        step = max(1, min(most, limit // max([1, *map(_longest, batch.columns)])))
        for start in range(0, len(batch), step):
            yield _decode(batch.slice(start, step))


def _longest(column: Any) -> int:
    """Bytes of the longest text of a dictionary; 0 of what is none."""
    from pyarrow import compute, types

    texts = getattr(column, "dictionary", None)
    if texts is None or types.is_primitive(texts.type):
        return 0
    return compute.max(compute.binary_length(texts)).as_py() or 0


def _decode(part: Any) -> Any:
    """A piece whose dictionaries, also those in lists and structs, are the texts that they stand for."""
    import pyarrow as pa

    schema = pa.schema([field.with_type(_plain_type(field.type)) for field in part.schema])
    return part if schema.equals(part.schema) else part.cast(schema)


def _plain_type(kind: Any) -> Any:
    """A type of Arrow without dictionaries."""
    import pyarrow as pa
    from pyarrow import types

    if types.is_dictionary(kind):
        return kind.value_type
    if types.is_struct(kind):
        return pa.struct([one.with_type(_plain_type(one.type)) for one in kind])
    if types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_plain_type(kind.value_type)))
    return kind
