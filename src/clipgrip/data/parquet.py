"""Parquet through the optional pyarrow: tables of text, and images in a column."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Sequence
from datetime import date
from datetime import time as clock
from decimal import Decimal
from typing import Any

from clipgrip.data.arrow import arrow
from clipgrip.data.groups import GroupCache
from clipgrip.data.parquettext import PIECE, pieces, text_of
from clipgrip.data.stores import for_pyarrow, url_of
from clipgrip.data.table import Cells, Table
from clipgrip.data.texts import Texts
from clipgrip.errors import DataError
from clipgrip.files import AnyPath, openable
from clipgrip.sentences import Sentence, mark

MOST_ROWS = 10_000_000
NO_SUCH_ROW = mark("{path}: the file changed and has no such row any more")
_BINARY = ("binary", "large_binary", "binary_view")
_PLAIN = (
    *("string", "large_string", "int", "uint", "float", "halffloat", "double", "bool", "decimal"),
    *("date", "time", "timestamp", "null"),
)
TEXT_COLUMNS = ("path", "file_name", "filename", "filepath", "label", "labels", "class", "name")
"""Columns that hold text even where their type is bytes."""
_IMAGE_COLUMNS = ("image", "img", "bytes", "picture", "photo")
SEVERAL = mark("several columns hold pictures ({names}). Call the one that is meant image.")
_GROUPS = GroupCache()


def read_parquet_table(path: AnyPath) -> Table:
    """All columns of text, numbers, booleans, dates, or lists with one of these, as text.

    Longer lists are left out, as an image has one path and one label. Whole numbers are written without a decimal
    point, booleans as in Python, dates as in ISO 8601. Class numbers become class names where a Hugging Face data set
    holds these in its metadata.

    Raises: as `open_parquet`.
    """
    name = os.path.basename(os.fspath(path))
    file = open_parquet(path)
    fields = [field for field in file.schema_arrow if _is_plain(field)]
    others = [field for field in file.schema_arrow if field not in fields]
    table = text_of(file, [field.name for field in fields], name)
    class_names = _hugging_face_names(file.schema_arrow.metadata or {})
    boxes = [one for one in fields if _holds_several(table, one)]  # such as boxes
    columns = [field.name for field in fields if field not in boxes]
    rows = _rows_in(table.select(columns), class_names, name)
    unread = tuple((one.name, str(one.type)) for one in [*others, *boxes] if not is_image(one))
    return Table(name, tuple(columns), rows, range(1, len(rows) + 1), "row", unread)


def _holds_several(table: Any, field: Any) -> bool:
    """Whether a column has lists of more than one value; columns of paths and labels are not asked."""
    may = field.name.casefold() not in TEXT_COLUMNS and "list" in str(field.type)
    return may and any(cell is not None and len(cell) > 1 for cell in _values(table[field.name]))


def _rows_in(table: Any, class_names: dict[str, list[str]], name: str) -> Cells:
    """The rows of an Arrow table as text."""
    rows, names = Cells(table.num_columns), table.column_names
    for number, cells in enumerate(zip(*map(_values, table.columns), strict=True), 1):
        rows.append(
            _text(value, class_names.get(column), f"{name} row {number} column {column}")
            for column, value in zip(names, cells, strict=True)
        )
    return rows


def _values(column: Any) -> Iterator[Any]:
    """The values of an Arrow column; few of them are Python objects at a time."""
    for start in range(0, len(column), PIECE):
        yield from column[start : start + PIECE].to_pylist()


def open_parquet(path: AnyPath, deduplicated: Collection[str] = ()) -> Any:
    """An open ``pyarrow.parquet.ParquetFile``, whose columns ``deduplicated`` are read as dictionaries.

    Equal values of these take memory once: a small file may hold the same large image a thousand times.

    Raises:
        DataError: not a Parquet file.
        MissingPackage: pyarrow is not installed.
    """
    pyarrow, parquet = arrow()
    try:
        file = parquet.ParquetFile(for_pyarrow(path))
        leaves = [file.schema.column(n).path for n in range(len(file.schema))]
        if repeated := [leaf for leaf in leaves if leaf in deduplicated]:
            file = parquet.ParquetFile(for_pyarrow(path), read_dictionary=repeated)
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(
            "{path}: cannot be read as Parquet ({error}). Write the file again, or give a CSV.",
            path=os.fspath(path),
            error=error,
        ) from error
    if file.metadata.num_rows > MOST_ROWS:
        raise DataError(
            "{path}: {count} rows; at most {most} are read. Split the file.",
            path=os.fspath(path),
            count=f"{file.metadata.num_rows:,}",
            most=f"{MOST_ROWS:,}",
        )
    return file


def image_column(file: Any) -> str | None:
    """The column that holds encoded images; None without one. DataError: several could be it."""
    names = [field.name for field in file.schema_arrow if is_image(field)]
    if len(names) > 1 and not set(names) & set(_IMAGE_COLUMNS):
        raise DataError(SEVERAL, names=", ".join(names))
    return next((name for name in _IMAGE_COLUMNS if name in names), names[0] if names else None)


def inner_paths(file: Any, column: str) -> Texts:
    """The file name that stands beside each image (``{bytes, path}``); empty where there is none."""
    kind = file.schema_arrow.field(column).type
    if not hasattr(kind, "get_field_index") or kind.get_field_index("path") < 0:
        return Texts("" for _ in range(file.metadata.num_rows))
    table = text_of(file, [f"{column}.path"], "the table")
    return Texts(_text((cell or {}).get("path"), None, column) for cell in _values(table[column]))


def lacking_bytes(file: Any, column: str) -> set[int]:
    """Rows of a column ``{bytes, path}`` whose bytes are null: only the path says where the image is."""
    if not hasattr(file.schema_arrow.field(column).type, "get_field_index"):
        return set()
    lacking, start = set(), 0
    for group in range(file.metadata.num_row_groups):
        lacking |= {start + row for row in _empty_rows(file, group, column)}
        start += file.metadata.row_group(group).num_rows
    return lacking


def _empty_rows(file: Any, group: int, column: str | None) -> set[int]:
    """Rows of a row group whose cell ``{bytes, path}`` has no bytes. Not read where the file counts no nulls."""
    if column is None or _null_count(file.metadata.row_group(group), f"{column}.bytes") == 0:
        return set()
    cells = file.read_row_group(group, columns=[f"{column}.bytes"])[column]
    nulls = cells.combine_chunks().field("bytes").is_null().to_pylist()
    return {row for row, null in enumerate(nulls) if null}


def named_rows(
    path: str, column: str | None, paths: Sequence[str]
) -> Iterator[tuple[int, int, str | None, bool]]:
    """For each row in order: its row group, its row in that, its path, and whether its image is missing.

    The path stands beside the image in ``column``; without an image column, in the first of the columns ``paths``.
    Rows are read a few at a time. DataError: there is neither column.
    """
    file = open_parquet(path)
    wanted = _name_column(file, column, paths, os.path.basename(path))
    for group in range(file.metadata.num_row_groups):
        if wanted is None:
            count = file.metadata.row_group(group).num_rows
            yield from ((group, row, None, False) for row in range(count))
            continue
        empty = _empty_rows(file, group, column)
        cells = (
            cell for part in pieces(file, [wanted], [group]) for cell in part.column(0).to_pylist()
        )
        for row, cell in enumerate(cells):
            name = (cell or {}).get("path") if column is not None else _text(cell, None, path)
            yield group, row, name, row in empty


def _name_column(file: Any, column: str | None, paths: Sequence[str], name: str) -> str | None:
    if column is not None:
        kind = file.schema_arrow.field(column).type
        has_path = hasattr(kind, "get_field_index") and kind.get_field_index("path") >= 0
        return f"{column}.path" if has_path else None
    plain = [field.name for field in file.schema_arrow if _is_plain(field)]
    return plain[Table(name, tuple(plain), Cells(0), ()).need(paths)]


def _null_count(group: Any, path: str) -> int | None:
    """How many nulls the file's statistics count in a column; None where they do not."""
    for number in range(group.num_columns):
        column = group.column(number)
        if column.path_in_schema == path:
            facts = column.statistics
            return facts.null_count if facts is not None and facts.has_null_count else None
    return None


def read_cell(path: str, group: int, row: int, column: str) -> bytes:
    """The bytes of one image, empty for an empty cell. OSError: the file is gone, changed or damaged."""
    stat = os.stat(openable(path)) if url_of(path) is None else None
    state = (stat.st_mtime_ns, stat.st_size) if stat is not None else ()
    key = (path, *state, group, column)
    cells = _GROUPS.get(key, lambda: _group(path, group, column))
    if row >= len(cells):
        raise OSError(Sentence(NO_SUCH_ROW, path=path))
    value = cells[row].as_py()
    return bytes(value) if value is not None else b""


def _group(path: str, group: int, column: str) -> Any:
    """The column ``column`` of one row group, as an Arrow array of bytes."""
    try:
        file = open_parquet(path, (column, f"{column}.bytes"))
        cells = file.read_row_group(group, columns=[column])[column].combine_chunks()
    except (DataError, ValueError, IndexError) as error:
        raise OSError(Sentence("{path}: {detail}", path=path, detail=error)) from error
    return cells.field("bytes") if hasattr(cells.type, "get_field_index") else cells


def is_image(field: Any) -> bool:
    """Whether a column holds encoded images; bytes in a column of labels or paths are text."""
    return field.name.casefold() not in TEXT_COLUMNS and _is_bytes(field.type)


def _is_bytes(kind: Any) -> bool:
    if hasattr(kind, "get_field_index"):
        position, named = kind.get_field_index("bytes"), kind.get_field_index("path") >= 0
        inner = kind.field(position).type if position >= 0 else None
        # where every image is given by its path, the bytes have no type
        return inner is not None and (_is_bytes(inner) or (named and str(inner) == "null"))
    return str(kind) in _BINARY


def _is_plain(field: Any) -> bool:
    kind = getattr(field.type, "value_type", field.type)  # of a list or a dictionary, what is in it
    kind = kind.value_type if str(kind).startswith("dictionary") else kind  # also in a list
    text = str(kind) in _BINARY and field.name.casefold() in TEXT_COLUMNS
    return text or str(kind).startswith(_PLAIN)


def _text(value: object, class_names: list[str] | None, where: str) -> str:
    if isinstance(value, list):
        if len(value) > 1:
            raise DataError(
                "{where}: {n} values in one cell; an image has one. Give each a row of its own.",
                where=where,
                n=len(value),
            )
        value = value[0] if value else None
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float | Decimal) and value == value // 1:
        value = int(value)
    if class_names and type(value) is int and 0 <= value < len(class_names):
        return class_names[value]
    return value.isoformat() if isinstance(value, date | clock) else str(value)


def _hugging_face_names(metadata: dict[bytes, bytes]) -> dict[str, list[str]]:
    """Class names by column from the metadata that Hugging Face data sets write."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        return {
            column: [str(name) for name in feature["names"]]
            for column, feature in features.items()
            if feature.get("_type") == "ClassLabel"
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
