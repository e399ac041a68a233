"""Large arrays of embeddings: mapped from the file they lie in, or written into a temporary one."""

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
"""Bytes from which an array is mapped and not read. As `mapped.LARGE`, whose module would import torch here."""
PIECE = 2**24
ROWS = 65_536
"""Rows that are converted and written together."""
MAGIC = b"\x93NUMPY"
LOCAL_HEADER = 30
"""Bytes of a ZIP member's header before its name and its extra field."""


def map_npy(path: AnyPath, map_from: int) -> NDArray[Any] | None:
    """The array of a local .npy of ``map_from`` bytes or more; None for any other file."""
    if url_of(path) is not None or os.path.getsize(openable(path)) < map_from:
        return None
    with open_file(path) as file:
        return _mapped(path, file) if file.read(6) == MAGIC else None


def map_npz_member(path: AnyPath, archive: Any, name: str, map_from: int) -> NDArray[Any] | None:
    """A stored (not compressed) array of ``map_from`` bytes or more in a local .npz; None for any other.

    Its CRC-32 is compared, as NumPy would do when it unpacks the array.

    Raises:
        zipfile.BadZipFile: it is damaged.
    """
    known = archive.zip.NameToInfo
    member = known.get(f"{name}.npy") or known.get(name)
    if url_of(path) is not None or member is None:
        return None
    if member.compress_type != zipfile.ZIP_STORED or member.file_size < map_from:
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
    """The array whose .npy version is at the file's position; None where its rows are not contiguous."""
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


def without_open_file(array: NDArray[Any]) -> NDArray[Any]:
    """The same mapped rows without the file handle that `numpy.memmap` keeps open."""
    if not isinstance(array, np.memmap) or array.filename is None or not array.size:
        return array
    import torch

    end = array.offset + array.nbytes
    storage: Any = torch.UntypedStorage.from_file(
        openable(array.filename), shared=False, nbytes=end
    )
    whole = torch.empty(0, dtype=torch.uint8).set_(storage).numpy()
    return whole[array.offset : end].view(array.dtype).reshape(array.shape)


def stacked_in_file(parts: Iterable[NDArray[Any]], shape: tuple[int, int]) -> NDArray[np.float32]:
    """(N, D) the parts one after another, in a temporary file that is removed with the array.

    OSError: the folder for temporary files has no room.
    """
    import torch

    from clipgrip.mapped import mapped, release_pages

    made, at = mapped(tempfile.gettempdir(), shape, torch.float32), 0
    values: NDArray[np.float32] = made.numpy()
    for part in parts:
        for start in range(0, len(part), ROWS):
            rows = as_float32(part[start : start + ROWS])
            values[at : at + len(rows)] = rows
            release_pages(made, slice(at, at + len(rows)))
            at += len(rows)
    return values


def as_float32(bank: NDArray[Any]) -> NDArray[np.float32]:
    """(n, D) as float32; larger values become infinite, which `embedlayout.check_rows` refuses."""
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(bank, dtype=np.float32)
