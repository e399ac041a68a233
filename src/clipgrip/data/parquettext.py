"""Reads the text of Parquet files with bounded memory: a small file can unpack to gigabytes of one repeated value."""

from __future__ import annotations

from collections.abc import Sequence
from operator import mul
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
    parts, read = list[Any](), 0
    once = _dictionaries(file, columns)
    for some in ([one for one in columns if one in once], [o for o in columns if o not in once]):
        if some:  # apart: few rows at a time of texts in full would repeat whole dictionaries
            parts.append(_text_of(file, some, name, len(columns), read))
            read += parts[-1].nbytes
    if len(parts) == 1:
        return parts[0]
    found = {one: part.column(one) for part in parts for one in part.column_names}
    return pa.table({one: found[one] for one in columns})


def _text_of(file: Any, columns: list[str], name: str, of_all: int, before: int) -> Any:
    """Some of ``of_all`` columns, after ``before`` bytes of others; DataError as `text_of`."""
    import pyarrow as pa

    known = sum(_sizes(file, columns, range(file.num_row_groups))[0])
    _check_long(known, file.metadata.num_rows, of_all, name)
    _check_much(before + known, name)
    some = next(pieces(file, columns, most_bytes=MOST_LONG), None)  # a sample, before much is read
    if some is not None:
        _check_long(some.nbytes, some.num_rows, of_all, name)
    read, rows, parts = 0, 0, []
    for part in pieces(file, columns):
        read, rows = read + part.nbytes, rows + part.num_rows
        _check_long(read, rows, of_all, name)
        _check_much(before + read, name)
        parts.append(part)
    return pa.Table.from_batches(parts) if parts else file.read(columns=columns)


def _check_long(read: int, rows: int, columns: int, name: str) -> None:
    """DataError where the texts are too long on average to be paths or labels."""
    if read > MOST_SHORT and read > LONGEST * rows * columns:
        raise DataError(TOO_LONG, name=name, n=LONGEST)


def _check_much(read: int, name: str) -> None:
    """DataError where it is more text than any list of images has."""
    if read > 4 * MAX_BYTES:
        much = mark("{name}: more than {size} MiB of text. Split the file.")
        raise DataError(much, name=name, size=4 * MAX_BYTES >> 20)


def pieces(
    file: Any,
    columns: list[str],
    groups: Sequence[int] = (),
    most: int = PIECE,
    most_bytes: int | None = None,
) -> Any:
    """Batches of the columns, so small that even the longest possible value in every row fits into the memory.

    Dictionary columns are decoded. Each batch that Arrow reads holds the whole dictionary, so such columns are read in
    large batches and decoded in small ones, unless all their values together are too large for one batch.
    """
    some, limit = groups or range(file.num_row_groups), most_bytes or MAX_BYTES
    once, sizes = _sizes(file, columns, some)
    at_once = bool(once) and sum(once) <= 4 * limit
    # no value is longer than all the values of its part of a column
    largest = max([1, *sizes] if at_once else [1, *sizes, *once])
    rows = max(1, min(MOST_READ if at_once else most, limit // largest))
    for batch in file.iter_batches(rows, row_groups=list(some), columns=columns):
        longest = [_longest(one) for one in batch.columns]
        if max(map(mul, longest, map(_listed, batch.columns)), default=0) > 4 * MAX_BYTES:
            raise DataError(TOO_LONG, name="the table", n=LONGEST)
        step = max(1, min(most, limit // max([1, *longest])))
        for start in range(0, len(batch), step):
            yield _decode(batch.slice(start, step))


def _sizes(file: Any, columns: list[str], groups: Sequence[int]) -> tuple[list[int], list[int]]:
    """Bytes of each part of a column, not compressed: of the dictionary columns, and of all others.

    A writer may have put the texts of a dictionary column in full.
    """
    once = _dictionaries(file, columns)
    begins, dictionaries, others = tuple(columns), list[int](), list[int]()
    for part in map(file.metadata.row_group, groups):
        for leaf in map(part.column, range(part.num_columns)):
            path = leaf.path_in_schema
            if path.startswith(begins):
                is_once = any(path == one or path.startswith(f"{one}.") for one in once)
                sizes = dictionaries if is_once else others
                sizes.append(leaf.total_uncompressed_size)
    return dictionaries, others


def _dictionaries(file: Any, columns: list[str]) -> set[str]:
    """Which of the columns are dictionaries, or have such in lists or structs; a column of a struct is ``a.b``."""
    kinds = {field.name: field.type for field in file.schema_arrow}
    found = {one: kinds.get(one) or kinds[one.partition(".")[0]] for one in columns}
    return {one for one, kind in found.items() if _plain_type(kind) != kind}


def _longest(column: Any) -> int:
    """Bytes of the longest text of a dictionary, also of one in lists or structs; 0 of what has none."""
    from pyarrow import compute, types

    if types.is_struct(column.type):
        return max([0, *map(_longest, column.flatten())])
    if types.is_nested(column.type) and hasattr(column, "values"):
        return _longest(column.values)
    texts = getattr(column, "dictionary", None)
    if texts is None or types.is_primitive(texts.type):
        return 0
    return compute.max(compute.binary_length(texts)).as_py() or 0


def _listed(column: Any) -> int:
    """Values in all lists of a column, which are decoded at once; 0 of what has no lists."""
    from pyarrow import types

    kind = column.type
    is_list = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return len(column.values) if is_list else 0


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
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        item = kind.value_field.with_type(_plain_type(kind.value_type))
        if types.is_fixed_size_list(kind):
            return pa.list_(item, kind.list_size)
        return pa.large_list(item) if types.is_large_list(kind) else pa.list_(item)
    return kind
