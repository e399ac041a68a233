"""Large arrays of files of embeddings: read where they lie, or put into a file, instead of into memory."""

from __future__ import annotations

import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterable
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from clipgrip.data.stores import url_of
from clipgrip.files import AnyPath, open_file, openable

LARGE = 2**28
"""Bytes from which an array stays in its file."""
PIECE = 2**24
ROWS = 65_536
"""Rows that are read and written together."""
MAGIC = b"\x93NUMPY"
LOCAL_HEADER = 30
"""Bytes of a member's header before its name and what is extra."""


def whole_file(path: AnyPath, least: int) -> NDArray[Any] | None:
    """A .npy of ``least`` bytes or more; None of any other file."""
    if url_of(path) is not None or os.path.getsize(openable(path)) < least:
        return None
    with open_file(path) as file:
        return _mapped(path, file) if file.read(6) == MAGIC else None


def in_place(path: AnyPath, archive: Any, name: str, least: int) -> NDArray[Any] | None:
    """An array of ``least`` bytes or more in an .npz that is not compressed, its check sum compared; None of any other.

    Raises:
        zipfile.BadZipFile: it is damaged.
    """
    known = archive.zip.NameToInfo
    member = known.get(f"{name}.npy") or known.get(name)
    if url_of(path) is not None or member is None:
        return None
    if member.compress_type != zipfile.ZIP_STORED or member.file_size < least:
        return None
    with open_file(path) as file:
        file.seek(member.header_offset)
        head = file.read(LOCAL_HEADER)
        before = int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
        start = member.header_offset + LOCAL_HEADER + before
        _check(file, start, member)
        file.seek(start)
        return _mapped(path, file) if file.read(6) == MAGIC else None


def _check(file: BinaryIO, start: int, member: zipfile.ZipInfo) -> None:
    file.seek(start)
    left, found = member.file_size, 0
    while left and (piece := file.read(min(PIECE, left))):
        found, left = zlib.crc32(piece, found), left - len(piece)
    if left or found != member.CRC:
        raise zipfile.BadZipFile(f"Bad CRC-32 for file {member.filename!r}")


def _mapped(path: AnyPath, file: BinaryIO) -> NDArray[Any] | None:
    """The array whose header's version comes next; None where it lies otherwise than row by row."""
    readers = {b"\x01\x00": np.lib.format.read_array_header_1_0}
    readers[b"\x02\x00"] = np.lib.format.read_array_header_2_0
    read = readers.get(file.read(2))
    if read is None:
        return None
    shape, is_fortran, dtype = read(file)
    if is_fortran or dtype.hasobject or not shape:
        return None
    start = file.tell()
    if os.fstat(file.fileno()).st_size < start + dtype.itemsize * int(np.prod(shape)):
        raise ValueError("the file is shorter than its header says")
    return np.memmap(openable(path), dtype, "r", start, shape)


def closed(array: NDArray[Any]) -> NDArray[Any]:
    """The same rows where they lie, without the open file that a memory map of NumPy keeps."""
    if not isinstance(array, np.memmap) or array.filename is None or not array.size:
        return array
    import torch

    end = array.offset + array.nbytes
    storage: Any = torch.UntypedStorage.from_file(
        openable(array.filename), shared=False, nbytes=end
    )
    whole = torch.empty(0, dtype=torch.uint8).set_(storage).numpy()
    return whole[array.offset : end].view(array.dtype).reshape(array.shape)


def filled(parts: Iterable[NDArray[Any]], shape: tuple[int, int]) -> NDArray[np.float32]:
    """(N, D) parts one behind the other, in a file that goes with the array.

    OSError: there is no room in the folder for what is temporary.
    """
    import torch

    from clipgrip.mapped import let_go, mapped

    made, at = mapped(tempfile.gettempdir(), shape, torch.float32), 0
    values: NDArray[np.float32] = made.numpy()
    for part in parts:
        for start in range(0, len(part), ROWS):
            rows = floats(part[start : start + ROWS])
            values[at : at + len(rows)] = rows
            let_go(made, slice(at, at + len(rows)))
            at += len(rows)
    return values


def floats(bank: NDArray[Any]) -> NDArray[np.float32]:
    """(n, D) as float32; what is too large becomes infinite, and is refused so."""
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(bank, dtype=np.float32)
