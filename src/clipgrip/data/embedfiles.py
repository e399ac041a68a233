"""Finds .npz, .npy, .parquet and .arrow files of embeddings, and reads their arrays. Nothing is unpickled.

A place stands for one file, a pattern, or a folder with nothing else in it.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Sequence
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipgrip.data import embedlarge
from clipgrip.data.archive import ALWAYS_BYTES, MOST_TIMES
from clipgrip.data.embedlarge import map_npy, map_npz_member, stacked_in_file, without_open_file
from clipgrip.data.embedlayout import OF_CLASSES
from clipgrip.data.embedtables import (
    ARROW_SUFFIXES,
    UNREADABLE,
    Arrays,
    columns_of,
    holds_vectors,
    reason_of,
)
from clipgrip.data.packed import expand_range
from clipgrip.data.stores import exists, local_of, objects_in, opened, url_of, version_of
from clipgrip.data.tables import PARQUET_SUFFIXES
from clipgrip.errors import DataError
from clipgrip.files import AnyPath, openable
from clipgrip.sentences import Sentence, mark

NUMPY_SUFFIXES = (".npz", ".npy")
UNNAMED = "image_embeds"
"""What the only array of a .npy file is called."""
NUMPY_MAGIC = (b"PK\x03\x04", b"PK\x05\x06", b"\x93NUMPY")
"""First bytes of an .npz, of an .npz without arrays, and of an .npy."""
BROKEN = (
    *(OSError, ValueError, EOFError, KeyError, OverflowError, SyntaxError, RecursionError),
    *(TokenError, zipfile.BadZipFile, zlib.error),
)
"""What NumPy raises for damaged files. It parses the header as a Python literal, hence SyntaxError and TokenError."""
PACKED = mark("it would unpack to {size} GB, which no embeddings do")
OBJECTS = mark(
    '{path}: the array "{name}" holds Python objects, and reading these could run any program, so it is refused. '
    "Write texts as numpy.array(values, dtype=str) and vectors as one array of numbers."
)

OTHERS = mark(
    "{path} holds {found}, and {first} holds {wanted}. Files of one set of embeddings need the same banks and columns, "
    "of the same width."
)
TWO_CLASSES = mark(
    "{path} and {first} have different {name}. Write it into one of the files, or the same into all."
)
SUFFIXES = (*NUMPY_SUFFIXES, *ARROW_SUFFIXES)
"""Endings of files that are embeddings for certain; a Parquet file may also hold images, or a list of them."""
GONE = mark(
    "{path}: no such file. It holds the embeddings; bring it back to where it was, or give another one."
)
State = tuple[object, ...]
"""Changes when the files change: path, time and size of each, or the version that a store tells."""


def embedding_files(place: AnyPath) -> list[str]:
    """The files in their order; empty where the place holds anything else than embeddings."""
    where = url_of(place) or os.path.abspath(local_of(place))
    names = expand_range(where) if not os.path.exists(openable(where)) else [where]
    if url_of(place) is None and os.path.isdir(openable(where)):
        names = _in_folder(where)
    elif is_store_folder(where):
        names = _in_store(where.rstrip("/"))
    return names if names and _holds_embeddings(names) else []


def is_store_folder(place: str) -> bool:
    """Whether a URL is taken for a folder: its name has no ending. The store is not asked."""
    return url_of(place) is not None and "." not in os.path.basename(place.rstrip("/"))


def _in_folder(folder: str) -> list[str]:
    """The files of a folder that holds files of embeddings and nothing else."""
    names = sorted(name for name in os.listdir(openable(folder)) if not name.startswith("."))
    return [os.path.join(folder, name) for name in names] if _are_alike(names) else []


def _in_store(url: str) -> list[str]:
    names = objects_in(url)
    return names if _are_alike(names) else []


def _are_alike(names: list[str]) -> bool:
    return all(name.lower().endswith((*SUFFIXES, *PARQUET_SUFFIXES)) for name in names)


def _holds_embeddings(names: list[str]) -> bool:
    first = names[0].lower()
    if first.endswith(SUFFIXES):
        return True
    if not first.endswith(PARQUET_SUFFIXES):
        return False
    there = exists(names[0]) if url_of(names[0]) else os.path.isfile(openable(names[0]))
    return there and holds_vectors(names[0])


def state_of(files: list[str]) -> State:
    """The `State` of each file. DataError: one does not exist."""
    return tuple(_state(path) for path in files)


def _state(path: str) -> State:
    if url_of(path) is not None:
        if (version := version_of(path)) is None:
            raise DataError(GONE, path=path)
        return path, *version
    try:
        found = os.stat(openable(path))
    except OSError:
        raise DataError(GONE, path=path) from None
    return path, found.st_mtime_ns, found.st_size


def read_arrays(path: AnyPath, among: int = 1) -> Arrays:
    """Every array or column by its name, in the order of the file; a column of vectors becomes one matrix.

    Large matrices are memory-mapped; with ``among`` files to read, the limit for each is lower by that factor.

    Raises:
        DataError: the file is damaged, holds Python objects, or vectors of several lengths.
        MissingPackage: a table, and pyarrow is not installed.
    """
    name, map_from = os.fspath(path).lower(), embedlarge.LARGE // among
    try:
        return (
            _numpy(path, map_from) if name.endswith(NUMPY_SUFFIXES) else columns_of(path, map_from)
        )
    except MemoryError:
        reason = "more than the memory of this machine holds"
        raise DataError(UNREADABLE, path=path, kind="arrays", reason=reason) from None


def _numpy(path: AnyPath, map_from: int) -> Arrays:
    try:
        if (alone := map_npy(path, map_from)) is not None:
            return {UNNAMED: alone}
        with opened(os.fspath(path)) as file:
            if not file.read(6).startswith(NUMPY_MAGIC):
                raise DataError(UNREADABLE, path=path, kind="NumPy", reason="it is no such file")
            file.seek(0)
            found = np.load(file, allow_pickle=False)
            if isinstance(found, np.ndarray):
                return {UNNAMED: found}
            _check_packed(path, found)
            return {name: _member(path, found, name, map_from) for name in found.files}
    except DataError:
        raise
    except BROKEN as error:
        if _is_pickled(error):
            raise DataError(OBJECTS, path=path, name=UNNAMED) from None
        raise DataError(UNREADABLE, path=path, kind="NumPy", reason=reason_of(error)) from None


def _check_packed(path: AnyPath, archive: Any) -> None:
    """DataError for a ZIP bomb; embeddings hardly shrink when they are packed."""
    size = sum(member.file_size for member in archive.zip.infolist())
    if size > max(ALWAYS_BYTES, MOST_TIMES * sum(m.compress_size for m in archive.zip.infolist())):
        reason = Sentence(PACKED, size=f"{size / 1e9:.1f}")
        raise DataError(UNREADABLE, path=path, kind="NumPy", reason=reason)


def _member(path: AnyPath, archive: Any, name: str, map_from: int) -> NDArray[Any]:
    try:
        large = map_npz_member(path, archive, name, map_from)
        found = archive[name] if large is None else large
    except BROKEN as error:
        if _is_pickled(error):
            raise DataError(OBJECTS, path=path, name=name) from None
        raise DataError(UNREADABLE, path=path, kind="NumPy", reason=reason_of(error)) from None
    if isinstance(found, bytes):
        raise DataError(UNREADABLE, path=path, kind="NumPy", reason=f'"{name}" is no array')
    array: NDArray[Any] = found
    return array


def _is_pickled(error: Exception) -> bool:
    return "allow_pickle" in str(error) or "pickle" in str(error).casefold()


def read_several(files: Sequence[str]) -> Arrays:
    """The arrays of all files, row by row one after another; the arrays about classes may stand in any of them.

    DataError: the files have different banks or columns, or contradict each other about the classes.
    """
    if len(files) == 1:
        return read_arrays(files[0], 1)
    every = [_read(path, len(files)) for path in files]
    of_classes: dict[str, tuple[str, NDArray[Any]]] = {}
    wanted = _shapes(every[0])
    for path, arrays in zip(files, every, strict=True):
        if (found := _shapes(arrays)) != wanted:
            raise _differs(
                OTHERS, path, files[0], found=_shapes_text(found), wanted=_shapes_text(wanted)
            )
        for name in OF_CLASSES:
            first, value = (
                of_classes.setdefault(name, (path, arrays[name]))
                if name in arrays
                else (path, None)
            )
            if value is not None and not np.array_equal(value, arrays[name]):
                raise _differs(TWO_CLASSES, path, first, name=name)
    stacked = {name: _concatenate([arrays[name] for arrays in every]) for name in wanted}
    return {**stacked, **{name: value for name, (_, value) in of_classes.items()}}


def _read(path: str, among: int) -> Arrays:
    """The arrays of one of many files. None stays open: a process may have about a thousand open files."""
    return {name: without_open_file(array) for name, array in read_arrays(path, among).items()}


def _differs(text: str, path: str, first: str, **more: str) -> DataError:
    return DataError(text, path=os.path.basename(path), first=os.path.basename(first), **more)


def _shapes(arrays: Arrays) -> dict[str, tuple[int, ...]]:
    return {name: array.shape[1:] for name, array in arrays.items() if name not in OF_CLASSES}


def _shapes_text(shapes: dict[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {shape}" if shape else name for name, shape in shapes.items())


def _concatenate(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """The parts one after another; large banks in a temporary file that is removed with the array."""
    is_bank = parts[0].ndim == 2 and parts[0].dtype.kind == "f"
    if not is_bank or sum(part.nbytes for part in parts) < embedlarge.LARGE:
        return np.concatenate(parts)
    return stacked_in_file(parts, (sum(map(len, parts)), parts[0].shape[1]))
