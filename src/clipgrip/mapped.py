"""Tensors that are memory-mapped from files, for arrays that are larger than the memory.

An array made from another one lies where that lies (`like`): in a file in the same folder, or in memory. The system
keeps touched pages of a file in memory while there is room; `release_pages` removes those that a pass has done with
from this process.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import shutil
import sys
import tempfile
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clipgrip.errors import DataError
from clipgrip.files import AnyPath, part_name, sweep

Folder = AnyPath
Allocate = Callable[[tuple[int, int]], Tensor]
"""Makes an array of zeros (N, D) in float32, in memory or in a file."""
FileRows = np.memmap[Any, Any]
"""A .npy file as numpy.load(FILE, mmap_mode="r") opens it."""
FLOATS = {"float16": torch.float16, "float32": torch.float32}
"""The types of embeddings in files."""

LARGE = 2**28
"""Bytes of embeddings from which they, and all arrays made from them, lie in files."""
PIECE = 16_384
"""Rows that are copied together."""
DONT_NEED = 4
"""MADV_DONTNEED of madvise: removes pages of a file from this process; their content stays in the file."""
READ_ONLY = "clipgrip_read_only"
"""Attribute that marks storages made by `opened`: torch tells the file name only of writable ones."""
PROBS = torch.bfloat16
"""The type of probabilities in files: three digits, for the smallest as for the largest."""
LOGITS = torch.float16
"""The type of logits in files."""


def mapped(folder: AnyPath, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """A new array in a file in ``folder``, which is removed with the array; on Linux also after a kill.

    OSError: there is no room, or no permission.
    """
    count = 1
    for size in shape:
        count *= size
    if not count:
        return torch.empty(shape, dtype=dtype)
    sweep(folder)  # where a file in use cannot go, a killed process leaves it
    path, size = part_name(folder), count * dtype.itemsize
    with open(path, "xb") as file:
        # reserves the space: writing to a sparse file on a full disk would end the process
        if hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(file.fileno(), 0, size)
            except OSError as error:
                _remove(path)
                raise OSError(error.errno, error.strerror, path) from None
        else:
            file.truncate(size)
    try:
        result = torch.from_file(path, shared=True, size=count, dtype=dtype)
    except RuntimeError as error:  # the limit of mapped files of a process
        _remove(path)
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM), path) from error
    try:
        os.unlink(path)
    except OSError:  # Windows cannot remove a file in use
        weakref.finalize(result.untyped_storage(), _remove, path)
    return result.view(shape)


def zeros(shape: tuple[int, int], needed: int) -> Tensor:
    """(N, D) zeros in float32, from `LARGE` bytes on in a temporary file.

    They are in memory where the folder for temporary files has less than ``needed`` bytes free, or cannot be written.
    """
    folder, size = tempfile.gettempdir(), 4 * shape[0] * shape[1]
    if is_large(size) and shutil.disk_usage(folder).free >= max(size, needed):
        with contextlib.suppress(OSError):
            return mapped(folder, shape, torch.float32)
    return torch.zeros(shape)


def is_large(size: int) -> bool:
    """Whether embeddings of so many bytes belong into a file."""
    return size >= LARGE


def is_mapped(array: Tensor) -> bool:
    """Whether an array lies in a file."""
    storage = array.untyped_storage()
    return storage.filename is not None or getattr(storage, READ_ONLY, False)


def opened(array: FileRows) -> Tensor:
    """A read-only tensor of the rows that a NumPy memmap shows, which `release_pages` can release.

    DataError: the rows are not contiguous in the file, or of another type than `FLOATS`.
    """
    root = array
    while isinstance(root.base, np.memmap):
        root = root.base
    dtype = FLOATS.get(array.dtype.name) if array.dtype.isnative else None
    if dtype is None or not array.flags.c_contiguous or array.filename is None:
        raise DataError(
            f"a memory-mapped array of {array.dtype}, shape {array.shape}, cannot be read as embeddings. Give whole "
            "rows of one .npy file of float16 or float32, as numpy.load(FILE, mmap_mode='r') opens it."
        )
    start = root.offset + array.ctypes.data - root.ctypes.data
    storage: Any = torch.UntypedStorage.from_file(
        os.fspath(array.filename), shared=False, nbytes=start + array.nbytes
    )
    setattr(storage, READ_ONLY, True)
    if start % dtype.itemsize:
        raise DataError("the file's rows begin at an odd byte. Save them with numpy.save.")
    strides = tuple(stride // dtype.itemsize for stride in array.strides)
    return torch.empty(0, dtype=dtype).set_(
        storage, start // dtype.itemsize, tuple(array.shape), strides
    )


def like(
    array: Tensor,
    shape: tuple[int, ...] | None = None,
    *,
    dtype: torch.dtype | None = None,
    stored: torch.dtype | None = None,
) -> Tensor:
    """An uninitialised array where ``array`` lies, of its shape and type; in a file it gets the type ``stored``."""
    name, wanted = array.untyped_storage().filename, tuple(array.shape) if shape is None else shape
    if name is None:
        return array.new_empty(wanted, dtype=dtype)
    return mapped(os.path.dirname(name), wanted, stored or dtype or array.dtype)


def logits_like(probs: Tensor) -> Tensor:
    """An uninitialised array for logits where ``probs`` lie; in half precision if they are."""
    return like(probs, stored=LOGITS if probs.dtype == PROBS else None)


def picked(values: Tensor, rows: Tensor, columns: Tensor | None = None) -> Tensor:
    """Some rows and columns of (N, C), both ascending; ``values`` itself if these are all of them."""
    of_all = columns is None or len(columns) == values.shape[1]
    if len(rows) == len(values) and of_all:
        return values
    return gathered(values, rows, None if of_all else columns)


def gathered(values: Tensor, rows: Tensor, columns: Tensor | None = None) -> Tensor:
    """A copy of rows of (N, C), in any order, and of some columns, where the values lie."""
    result = like(values, (len(rows), values.shape[1] if columns is None else len(columns)))
    for start in range(0, len(rows), PIECE):
        part = slice(start, min(start + PIECE, len(rows)))
        found = values[rows[part]]
        result[part] = found if columns is None else found[:, columns]
        release_pages(result, part)
    release_pages(values, slice(0, len(values)))
    return result


def stacked(first: Tensor, many: Tensor) -> Tensor:
    """(n + m, C) the rows of ``first`` and then of ``many``, where ``many`` lies; ``many`` itself if n is 0."""
    if not len(first):
        return many
    result = like(many, (len(first) + len(many), many.shape[1]))
    result[: len(first)] = first
    for start in range(0, len(many), PIECE):
        part = many[start : start + PIECE]
        rows = slice(len(first) + start, len(first) + start + len(part))
        result[rows] = part
        release_pages(result, rows)
    return result


def side_by_side(arrays: Sequence[Tensor]) -> Tensor:
    """(N, W) the columns of all arrays, in the first one's type and where it lies; it itself if it is alone."""
    if len(arrays) == 1:
        return arrays[0]
    result = like(arrays[0], (len(arrays[0]), sum(one.shape[1] for one in arrays)))
    for start in range(0, len(result), PIECE):
        rows = slice(start, min(start + PIECE, len(result)))
        torch.cat([one[rows].to(result.dtype) for one in arrays], dim=1, out=result[rows])
        for array in (result, *arrays):
            release_pages(array, rows)
    return result


def release_pages(array: Tensor, rows: slice) -> None:
    """Release the memory of these rows of a mapped array; does nothing for others, and on Windows."""
    if sys.platform == "win32" or not is_mapped(array):
        return
    row = array.stride(0) * array.element_size()
    start, stop = (array.data_ptr() + at * row for at in (rows.start, rows.stop))
    _release(start, stop)


def _release(start: int, stop: int) -> None:
    """Release the pages that lie wholly between two addresses."""
    first, last = -(-start // mmap.PAGESIZE), stop // mmap.PAGESIZE
    if last > first:
        size = (last - first) * mmap.PAGESIZE
        ctypes.CDLL(None).madvise(
            ctypes.c_void_p(first * mmap.PAGESIZE), ctypes.c_size_t(size), DONT_NEED
        )


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)
