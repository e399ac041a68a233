"""Parquet, when pyarrow is there: tables of text, and images in a column."""

from __future__ import annotations

import json
import os
from typing import Any

from clipgrip.data.groups import GroupCache
from clipgrip.data.tables import Table
from clipgrip.errors import DataError, MissingPackage
from clipgrip.files import AnyPath, openable

_IMAGE_COLUMNS = ("image", "img", "bytes", "picture", "photo")
_GROUPS = GroupCache()


def read_parquet_table(path: AnyPath) -> Table:
    """All columns that hold text or numbers, as text; whole numbers without a point.

    Class numbers that a Hugging Face data set explains become class names.

    Raises:
        DataError: not a Parquet file.
        MissingPackage: pyarrow is not installed.
    """
    name = os.path.basename(os.fspath(path))
    file = open_parquet(path)
    fields = [field for field in file.schema_arrow if _is_plain(field.type)]
    table = file.read(columns=[field.name for field in fields])
    class_names = _hugging_face_names(file.schema_arrow.metadata or {})
    columns = [
        [_text(value, class_names.get(field.name)) for value in table[field.name].to_pylist()]
        for field in fields
    ]
    rows = tuple(zip(*columns, strict=True))
    names = tuple(field.name for field in fields)
    return Table(name, names, rows, tuple(range(1, len(rows) + 1)), unit="row")


def open_parquet(path: AnyPath) -> Any:
    """An open ``pyarrow.parquet.ParquetFile``.

    Raises:
        DataError: not a Parquet file.
        MissingPackage: pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingPackage(
            'Parquet needs pyarrow. Install it with: pip install "clipgrip[parquet]"'
        ) from error
    try:
        return parquet.ParquetFile(openable(path))
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(f"{os.fspath(path)}: cannot be read as Parquet ({error}).") from error


def image_column(file: Any) -> str | None:
    """The column that holds encoded images, or None when there is none."""
    names = [field.name for field in file.schema_arrow if _is_image(field.type)]
    return next((name for name in _IMAGE_COLUMNS if name in names), names[0] if names else None)


def inner_paths(file: Any, column: str) -> list[str | None]:
    """The file name that stands beside each image (``{bytes, path}``); None where there is none."""
    kind = file.schema_arrow.field(column).type
    if not hasattr(kind, "get_field_index") or kind.get_field_index("path") < 0:
        return [None] * file.metadata.num_rows
    table = file.read(columns=[f"{column}.path"])
    return [(cell or {}).get("path") for cell in table[column].to_pylist()]


def read_cell(path: str, group: int, row: int, column: str) -> bytes:
    """The bytes of one image; empty for an empty cell.

    Raises:
        OSError: the file is gone or damaged.
        MissingPackage: pyarrow is not installed.
    """
    stat = os.stat(openable(path))
    key = (path, stat.st_mtime_ns, stat.st_size, group, column)
    cells = _GROUPS.get(key, lambda: _group(path, group, column))
    if row >= len(cells):
        raise OSError(f"{path}: the file changed and has no such row any more")
    value = cells[row].as_py()
    return bytes(value) if value is not None else b""


def _group(path: str, group: int, column: str) -> Any:
    """The images of one row group."""
    try:
        file = open_parquet(path)
        cells = file.read_row_group(group, columns=[column])[column].combine_chunks()
    except (DataError, ValueError, IndexError) as error:
        raise OSError(f"{path}: {error}") from error
    return cells.field("bytes") if hasattr(cells.type, "get_field_index") else cells


def _is_image(kind: Any) -> bool:
    if hasattr(kind, "get_field_index"):
        position = kind.get_field_index("bytes")
        return bool(position >= 0 and _is_image(kind.field(position).type))
    return str(kind) in ("binary", "large_binary", "binary_view")


def _is_plain(kind: Any) -> bool:
    return str(kind).startswith(
        ("string", "large_string", "int", "uint", "float", "double", "dict")
    )


def _text(value: object, class_names: list[str] | None) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        value = int(value) if value.is_integer() else value
    if class_names and isinstance(value, int) and 0 <= value < len(class_names):
        return class_names[value]
    return str(value)


def _hugging_face_names(metadata: dict[bytes, bytes]) -> dict[str, list[str]]:
    """Class names by column from the metadata that Hugging Face data sets write."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        return {
            column: [str(name) for name in feature["names"]]
            for column, feature in features.items()
            if feature.get("_type") == "ClassLabel"
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
