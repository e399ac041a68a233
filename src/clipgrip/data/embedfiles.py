"""The arrays of a file of embeddings, as they stand in it: .npz, .npy, .parquet, .arrow. Nothing is unpickled."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipgrip.data.embedlarge import in_place, whole_file
from clipgrip.data.entries import PATH_COLUMNS
from clipgrip.data.stores import opened, readable
from clipgrip.data.tables import PARQUET_SUFFIXES
from clipgrip.errors import DataError, MissingPackage
from clipgrip.files import AnyPath
from clipgrip.sentences import mark

NUMPY_SUFFIXES = (".npz", ".npy")
ARROW_SUFFIXES = (".arrow", ".feather")
TABLE_SUFFIXES = (*PARQUET_SUFFIXES, *ARROW_SUFFIXES)
UNNAMED = "image_embeds"
"""The name of the only array of a .npy file."""
NO_EMBEDDING = frozenset(
    {"bbox", "bboxes", "box", "boxes", "bounding_box", "bounding_boxes", "keypoints", "landmarks"}
    | {"points", "polygon", "polygons", "segmentation"}
    | {"logits", "probs", "probabilities", "scores"}
)
"""Columns of numbers that lists of images have, by name: they say where something is on a picture, or what."""
NUMPY_MAGIC = (b"PK\x03\x04", b"PK\x05\x06", b"\x93NUMPY")
"""How an .npz begins, one without any array, and an .npy."""
IDS = ("id", "image_id", "image_name")
"""What a column of ids may be called."""
FEWEST = 9
"""Numbers of an embedding at least in a table that names files of pictures: fewer are a box or its four corners."""
_FILES = frozenset(PATH_COLUMNS) - {*IDS}
UNREADABLE = mark("{path}: cannot be read as {kind} ({reason}). Write the file anew.")
OBJECTS = mark(
    '{path}: the array "{name}" holds Python objects, and reading these could run any program, so it is refused. '
    "Write texts as numpy.array(values, dtype=str) and vectors as one array of numbers."
)
LENGTHS = mark(
    '{path}: the vectors of the column "{name}" are not all of one length: row {row} has {found} numbers, and row 0 '
    "has {wanted}. Embed all images by one model."
)
NULLS = mark(
    '{path}: the column "{name}" has no vector in row {row}. Leave out the images that have no embedding.'
)

Arrays = Mapping[str, NDArray[Any]]


def read_arrays(path: AnyPath) -> Arrays:
    """Every array or column by its name, in the order of the file; a column of vectors is one matrix.

    Raises:
        DataError: the file is damaged, holds Python objects, or vectors of several lengths.
        MissingPackage: a table, and pyarrow is not installed.
    """
    name = os.fspath(path).lower()
    try:
        return _numpy(path) if name.endswith(NUMPY_SUFFIXES) else _columns(path)
    except MemoryError:
        reason = "more than the memory of this machine holds"
        raise DataError(UNREADABLE, path=path, kind="arrays", reason=reason) from None


def _numpy(path: AnyPath) -> Arrays:
    try:
        if (alone := whole_file(path)) is not None:
            return {UNNAMED: alone}
        with opened(os.fspath(path)) as file:
            if not file.read(6).startswith(NUMPY_MAGIC):
                raise DataError(UNREADABLE, path=path, kind="NumPy", reason="it is no such file")
            file.seek(0)
            found = np.load(file, allow_pickle=False)
            if isinstance(found, np.ndarray):
                return {UNNAMED: found}
            return {name: _member(path, found, name) for name in found.files}
    except DataError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        if _is_pickled(error):
            raise DataError(OBJECTS, path=path, name=UNNAMED) from None
        raise DataError(UNREADABLE, path=path, kind="NumPy", reason=_reason(error)) from None


def _member(path: AnyPath, archive: Any, name: str) -> NDArray[Any]:
    try:
        large = in_place(path, archive, name)
        found = archive[name] if large is None else large
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        if _is_pickled(error):
            raise DataError(OBJECTS, path=path, name=name) from None
        raise DataError(UNREADABLE, path=path, kind="NumPy", reason=_reason(error)) from None
    if isinstance(found, bytes):
        raise DataError(UNREADABLE, path=path, kind="NumPy", reason=f'"{name}" is no array')
    array: NDArray[Any] = found
    return array


def _is_pickled(error: Exception) -> bool:
    return "allow_pickle" in str(error) or "pickle" in str(error).casefold()


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


def _columns(path: AnyPath) -> Arrays:
    return table_arrays(_table(path), path)


def _table(path: AnyPath) -> Any:
    try:
        import pyarrow
        from pyarrow import ipc, parquet
    except ImportError as error:
        raise MissingPackage(
            mark('Parquet and Arrow need pyarrow. Install it with: pip install "clipgrip[parquet]"')
        ) from error
    try:
        if not os.fspath(path).lower().endswith(ARROW_SUFFIXES):
            return parquet.read_table(readable(path), partitioning=None)
        with opened(os.fspath(path)) as file:
            try:
                return ipc.open_file(file).read_all()
            except pyarrow.ArrowInvalid:
                file.seek(0)
                return ipc.open_stream(file).read_all()  # as Hugging Face data sets write it
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise DataError(
            UNREADABLE, path=path, kind="Parquet or Arrow", reason=_reason(error)
        ) from None


def table_arrays(table: Any, path: AnyPath) -> Arrays:
    """The columns of a ``pyarrow.Table``: embeddings as one matrix each, all else as values.

    Other lists of numbers, and pictures, are left out.

    Raises:
        DataError: vectors of several lengths, or rows without one.
    """
    from clipgrip.data.parquet import is_image

    def is_picture(column: Any) -> bool:
        may_be_bytes = ("ids", *IDS)
        return is_image(column) and column.name.casefold() not in may_be_bytes

    vectors = {field.name for field in table.schema if is_vector(field.type)}
    wanted = _embeddings(table, [field.name for field in table.schema if is_bank(field)])
    return {
        name: _column(table.column(name), name, path)
        for name in table.column_names
        if name in wanted or not (name in vectors or is_picture(table.schema.field(name)))
    }


def is_bank(field: Any) -> bool:
    """Whether a column may hold embeddings, by its type and its name."""
    return is_vector(field.type) and field.name.casefold() not in NO_EMBEDDING


def _embeddings(some: Any, names: list[str]) -> list[str]:
    """Those of the columns ``names`` that are long enough, by the first row."""
    if not some.num_rows or not _FILES & {name.casefold() for name in some.schema.names}:
        return names
    firsts = {name: some.column(name)[0].as_py() for name in names}
    return [name for name, first in firsts.items() if first is None or len(first) >= FEWEST]


def _column(column: Any, name: str, path: AnyPath) -> NDArray[Any]:
    import pyarrow as pa

    flat = column.combine_chunks()
    if isinstance(flat, pa.ChunkedArray):
        flat = flat.chunk(0) if flat.num_chunks else pa.array([], column.type)
    if not is_vector(flat.type):
        return np.array(flat.to_pylist(), dtype=object)
    flat = getattr(flat, "storage", flat)
    if flat.null_count:
        row = int(np.flatnonzero(flat.is_null().to_numpy(zero_copy_only=False))[0])
        raise DataError(NULLS, path=path, name=name, row=row)
    values = flat.flatten().to_numpy(zero_copy_only=False)
    if not pa.types.is_fixed_size_list(flat.type):
        lengths = flat.value_lengths().to_numpy(zero_copy_only=False)
        if (wrong := np.flatnonzero(lengths != lengths[:1])).size:
            row, wanted = int(wrong[0]), int(lengths[0])
            found = int(lengths[row])
            raise DataError(LENGTHS, path=path, name=name, row=row, found=found, wanted=wanted)
    return np.asarray(values).reshape(len(flat), -1 if len(flat) else 0)


def is_vector(kind: Any) -> bool:
    """Whether an Arrow type is a list of numbers."""
    from pyarrow import types

    kind = getattr(kind, "storage_type", kind)
    lists = types.is_list, types.is_large_list, types.is_fixed_size_list
    return any(is_list(kind) for is_list in lists) and types.is_floating(kind.value_type)


def is_table(path: AnyPath) -> bool:
    """Whether a file has columns, of which those that mean nothing here are left alone."""
    return os.fspath(path).lower().endswith(TABLE_SUFFIXES)


def holds_vectors(path: AnyPath) -> bool:
    """Whether a Parquet file has a column of embeddings and none of images."""
    from clipgrip.data.parquet import image_column, open_parquet

    file = open_parquet(path)
    names = [field.name for field in file.schema_arrow if is_bank(field)]
    if image_column(file) is not None or not names:
        return False
    others = [name for name in file.schema_arrow.names if name.casefold() in _FILES]
    first = next(file.iter_batches(1, columns=[*names, *others]), None)
    return first is None or bool(_embeddings(first, names))
