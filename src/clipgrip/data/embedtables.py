"""Embeddings in columns of Parquet and Arrow files; large files are read a piece at a time."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipgrip.data.arrow import arrow
from clipgrip.data.embedlarge import PIECE, ROWS, stacked_in_file
from clipgrip.data.entries import PATH_COLUMNS
from clipgrip.data.stores import for_pyarrow, opened, url_of
from clipgrip.data.tables import PARQUET_SUFFIXES
from clipgrip.errors import DataError
from clipgrip.files import AnyPath, openable
from clipgrip.sentences import mark

ARROW_SUFFIXES = (".arrow", ".feather")
NO_EMBEDDING = frozenset(
    (
        "bbox",
        "bboxes",
        "box",
        "boxes",
        "bounding_box",
        "bounding_boxes",
        "keypoints",
        "landmarks",
        "points",
        "polygon",
    )
) | {"polygons", "segmentation", "logits", "probs", "probabilities", "scores"}
"""Names of columns of numbers that are no embeddings: boxes, points, and the outputs of models."""
IDS = ("id", "image_id", "image_name")
"""Names of a column of ids."""
FEWEST = 9
"""The least length of an embedding in a table that also lists files: shorter ones may be boxes or four corners."""
_FILES = frozenset(PATH_COLUMNS) - {*IDS}
UNREADABLE = mark("{path}: cannot be read as {kind} ({reason}). Write the file anew.")
LENGTHS = mark(
    '{path}: the vectors of the column "{name}" are not all of one length: row {row} has {found} numbers, and row 0 '
    "has {wanted}. Embed all images by one model."
)
NULLS = mark(
    '{path}: the column "{name}" has no vector in row {row}. Leave out the images that have no embedding.'
)
TOO_LONG = mark(
    '{path}: the texts of the column "{name}" are longer than {n} characters on average, so they name no images. Leave '
    "the column out."
)
LONG = 4096
"""The most characters of an image's name, on average."""
ALWAYS = 64 << 20
"""Bytes of text that a column may hold whatever their average."""
Arrays = Mapping[str, NDArray[Any]]


def columns_of(path: AnyPath, map_from: int) -> Arrays:
    """The columns of a file, as `table_arrays`; matrices of ``map_from`` bytes or more are put into a file.

    Raises:
        DataError: it is damaged, or as `table_arrays`.
        MissingPackage: pyarrow is not installed.
    """
    if os.fspath(path).lower().endswith(ARROW_SUFFIXES):
        return table_arrays(_arrow(path, map_from), path, map_from)
    with _as_data_error(path):
        from pyarrow import parquet

        file = parquet.ParquetFile(for_pyarrow(path), buffer_size=PIECE)
        first = next(file.iter_batches(1), None)
    banks, others = _kinds(file.schema_arrow, first)
    rows = file.metadata.num_rows
    return {
        name: _matrix(_chunks(file, name, path), rows, name, path, map_from)
        if name in banks
        else _text(file, name, path)
        for name in file.schema_arrow.names
        if name in banks or name in others
    }


def table_arrays(table: Any, path: AnyPath, map_from: int) -> Arrays:
    """The columns of a ``pyarrow.Table``: each column of embeddings as a matrix, other values as objects.

    Lists of numbers that are no embeddings, and encoded images, are left out. DataError: vectors of several lengths, or
    rows without one.
    """
    banks, others = _kinds(table.schema, table)
    return {
        name: _matrix(table.column(name).chunks, len(table), name, path, map_from)
        if name in banks
        else np.array(table.column(name).to_pylist(), dtype=object)
        for name in table.column_names
        if name in banks or name in others
    }


@contextlib.contextmanager
def _as_data_error(path: AnyPath) -> Iterator[None]:
    pyarrow, _ = arrow()
    try:
        yield
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        kind, reason = "Parquet or Arrow", reason_of(error)
        raise DataError(UNREADABLE, path=path, kind=kind, reason=reason) from None


def reason_of(error: Exception) -> str:
    """What a system or library says about a file that cannot be read."""
    words = error.args[0] if isinstance(error, TokenError) else getattr(error, "strerror", None)
    return str(words or error)


def _arrow(path: AnyPath, map_from: int) -> Any:
    """The table of an Arrow file; a large local one is mapped, so that uncompressed columns are not copied."""
    with _as_data_error(path):
        import pyarrow
        from pyarrow import ipc

        is_large = url_of(path) is None and os.path.getsize(openable(path)) >= map_from
        with pyarrow.memory_map(openable(path)) if is_large else opened(os.fspath(path)) as file:
            try:
                return ipc.open_file(file).read_all()
            except pyarrow.ArrowInvalid:
                file.seek(0)
                return ipc.open_stream(file).read_all()  # as Hugging Face data sets write it


def _chunks(file: Any, name: str, path: AnyPath) -> Iterator[Any]:
    """The column ``name`` a piece at a time."""
    from clipgrip.data.parquettext import pieces

    batches = pieces(file, [name], most=ROWS)
    while True:
        with _as_data_error(path):
            batch = next(batches, None)
        if batch is None:
            return
        yield batch.column(0)


def _kinds(schema: Any, some: Any) -> tuple[list[str], list[str]]:
    """Names of the columns of embeddings (by type, name and first row), and of the columns of values."""
    from clipgrip.data.parquet import is_image

    banks = _embeddings(some, [field.name for field in schema if is_bank(field)])
    others = [
        field.name
        for field in schema
        if not is_vector(field.type)
        and (not is_image(field) or field.name.casefold() in ("ids", *IDS))  # which may be bytes
    ]
    return banks, others


def is_bank(field: Any) -> bool:
    """Whether a column may hold embeddings, by its type and its name."""
    return is_vector(field.type) and field.name.casefold() not in NO_EMBEDDING


def _embeddings(some: Any, names: list[str]) -> list[str]:
    """Which of the columns ``names`` are embeddings: beside a column of files, those of `FEWEST` numbers or more."""
    if (
        some is None
        or not some.num_rows
        or not _FILES & {one.casefold() for one in some.schema.names}
    ):
        return names
    firsts = {name: some.column(name)[0].as_py() for name in names}
    return [name for name, first in firsts.items() if first is None or len(first) >= FEWEST]


def _text(file: Any, name: str, path: AnyPath) -> NDArray[Any]:
    """A column of values. DataError: it holds too much text, as repeated texts that a small file unpacks to."""
    most, read, values = max(ALWAYS, LONG * file.metadata.num_rows), 0, list[Any]()
    for column in _chunks(file, name, path):
        read += column.nbytes
        if read > most:
            raise DataError(TOO_LONG, path=path, name=name, n=LONG)
        values += column.to_pylist()
    return np.array(values, dtype=object)


def _matrix(
    chunks: Iterable[Any], rows: int, name: str, path: AnyPath, map_from: int
) -> NDArray[Any]:
    """(rows, D) the vectors of all chunks; in a temporary file where they take ``map_from`` bytes or more."""
    parts = _vectors(chunks, name, path)
    first = next(parts, np.zeros((0, 0), np.float32))
    if rows * first.shape[1] * 4 >= map_from:
        return stacked_in_file(chain([first], parts), (rows, first.shape[1]))
    every = [first, *parts]
    return every[0] if len(every) == 1 else np.concatenate(every)


def _vectors(chunks: Iterable[Any], name: str, path: AnyPath) -> Iterator[NDArray[Any]]:
    """Each chunk as a matrix. DataError: a row has no vector, or one of another length than row 0."""
    at, wanted = 0, None
    for chunk in chunks:
        flat = getattr(chunk, "storage", chunk)
        if not len(flat):
            continue
        if flat.null_count:
            row = at + int(np.flatnonzero(flat.is_null().to_numpy(zero_copy_only=False))[0])
            raise DataError(NULLS, path=path, name=name, row=row)
        values = np.asarray(flat.flatten().to_numpy(zero_copy_only=False))
        lengths = np.array([len(values) // len(flat)])
        if hasattr(flat, "value_lengths"):
            lengths = flat.value_lengths().to_numpy(zero_copy_only=False)
        wanted = int(lengths[0]) if wanted is None else wanted
        if (wrong := np.flatnonzero(lengths != wanted)).size:
            row, found = at + int(wrong[0]), int(lengths[wrong[0]])
            raise DataError(LENGTHS, path=path, name=name, row=row, found=found, wanted=wanted)
        yield values.reshape(len(flat), wanted)
        at += len(flat)


def is_vector(kind: Any) -> bool:
    """Whether an Arrow type is a list of floating-point numbers."""
    from pyarrow import types

    kind = getattr(kind, "storage_type", kind)
    lists = types.is_list, types.is_large_list, types.is_fixed_size_list
    return any(is_list(kind) for is_list in lists) and types.is_floating(kind.value_type)


def is_table(path: AnyPath) -> bool:
    """Whether a file is a table, whose unknown columns are ignored."""
    return os.fspath(path).lower().endswith((*PARQUET_SUFFIXES, *ARROW_SUFFIXES))


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
