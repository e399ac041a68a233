"""The arrays of a file of embeddings, as they stand in it: .npz, .npy, .parquet, .arrow. Nothing is unpickled."""

from __future__ import annotations

import os
import zipfile
import zlib
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipgrip.data import embedlarge
from clipgrip.data.archive import ALWAYS_BYTES, MOST_TIMES
from clipgrip.data.embedlarge import in_place, whole_file
from clipgrip.data.embedtables import UNREADABLE, Arrays, columns_of, reason_of
from clipgrip.data.stores import opened
from clipgrip.errors import DataError
from clipgrip.files import AnyPath
from clipgrip.sentences import Sentence, mark

NUMPY_SUFFIXES = (".npz", ".npy")
UNNAMED = "image_embeds"
"""The name of the only array of a .npy file."""
NUMPY_MAGIC = (b"PK\x03\x04", b"PK\x05\x06", b"\x93NUMPY")
"""How an .npz begins, one without any array, and an .npy."""
BROKEN = (
    *(OSError, ValueError, EOFError, KeyError, OverflowError, SyntaxError, RecursionError),
    *(TokenError, zipfile.BadZipFile, zlib.error),
)
"""What NumPy says of damaged files; a header is read as a line of Python."""
PACKED = mark("it would unpack to {size} GB, which no embeddings do")
OBJECTS = mark(
    '{path}: the array "{name}" holds Python objects, and reading these could run any program, so it is refused. '
    "Write texts as numpy.array(values, dtype=str) and vectors as one array of numbers."
)


def read_arrays(path: AnyPath, among: int = 1) -> Arrays:
    """Every array or column by its name, in the order of the file; a column of vectors is one matrix.

    Large matrices lie in a file; the smaller, the more files there are ``among`` which this is one.

    Raises:
        DataError: the file is damaged, holds Python objects, or vectors of several lengths.
        MissingPackage: a table, and pyarrow is not installed.
    """
    name, least = os.fspath(path).lower(), embedlarge.LARGE // among
    try:
        return _numpy(path, least) if name.endswith(NUMPY_SUFFIXES) else columns_of(path, least)
    except MemoryError:
        reason = "more than the memory of this machine holds"
        raise DataError(UNREADABLE, path=path, kind="arrays", reason=reason) from None


def _numpy(path: AnyPath, least: int) -> Arrays:
    try:
        if (alone := whole_file(path, least)) is not None:
            return {UNNAMED: alone}
        with opened(os.fspath(path)) as file:
            if not file.read(6).startswith(NUMPY_MAGIC):
                raise DataError(UNREADABLE, path=path, kind="NumPy", reason="it is no such file")
            file.seek(0)
            found = np.load(file, allow_pickle=False)
            if isinstance(found, np.ndarray):
                return {UNNAMED: found}
            _check_packed(path, found)
            return {name: _member(path, found, name, least) for name in found.files}
    except DataError:
        raise
    except BROKEN as error:
        if _is_pickled(error):
            raise DataError(OBJECTS, path=path, name=UNNAMED) from None
        raise DataError(UNREADABLE, path=path, kind="NumPy", reason=reason_of(error)) from None


def _check_packed(path: AnyPath, archive: Any) -> None:
    """DataError where a few megabytes would become gigabytes; numbers of a model hardly shrink."""
    size = sum(member.file_size for member in archive.zip.infolist())
    if size > max(ALWAYS_BYTES, MOST_TIMES * sum(m.compress_size for m in archive.zip.infolist())):
        reason = Sentence(PACKED, size=f"{size / 1e9:.1f}")
        raise DataError(UNREADABLE, path=path, kind="NumPy", reason=reason)


def _member(path: AnyPath, archive: Any, name: str, least: int) -> NDArray[Any]:
    try:
        large = in_place(path, archive, name, least)
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
