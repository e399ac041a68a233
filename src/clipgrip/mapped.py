"""Large arrays that lie in a file and are read and written like any tensor, so that the disk holds what memory cannot.

What is made from an array lies where that lies (`like`): beside a file in a file, else in memory. The system keeps
pages of a file that were touched as long as memory is free; `let_go` takes those behind a pass off this process.
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
Space = Callable[[tuple[int, int]], Tensor]
"""Makes zeros (N, D) in float32, wherever these may lie."""
FileRows = np.memmap[Any, Any]
"""A .npy file as numpy.load(FILE, mmap_mode="r") opens it."""
FLOATS = {"float16": torch.float16, "float32": torch.float32}
"""What embeddings in files are of."""

LARGE = 2**28
"""Bytes of embeddings from which they, and all that is made from them, lie in files."""
PIECE = 16_384
"""Rows that are gathered together."""
DONT_NEED = 4
"""MADV_DONTNEED: of pages of a file only this process's view goes, never their content."""
READ_ONLY = "clipgrip_read_only"
"""Marks a storage that `opened` made: torch names the file of those alone that are written too."""
PROBS = torch.bfloat16
"""How answers lie in a file: three digits, but of the smallest as of the largest."""
LOGITS = torch.float16
"""How logits and what comes of them lie there."""


def mapped(folder: AnyPath, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """A new array in a file of ``folder``, which goes with the array, and on Linux with the process however it ends.

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
        if hasattr(
            os, "posix_fallocate"
        ):  # a file with holes would end the process where the disk is full
            try:
                os.posix_fallocate(file.fileno(), 0, size)
            except OSError as error:
                _remove(path)
                raise OSError(error.errno, error.strerror, path) from None
        else:
            file.truncate(size)
    try:
        made = torch.from_file(path, shared=True, size=count, dtype=dtype)
    except RuntimeError as error:  # a process may map so many files and no more
        _remove(path)
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM), path) from error
    try:
        os.unlink(path)
    except OSError:  # Windows removes no file in use
        weakref.finalize(made.untyped_storage(), _remove, path)
    return made.view(shape)


def zeros(shape: tuple[int, int], needed: int) -> Tensor:
    """(N, D) zeros in float32, from `LARGE` bytes on in a file of the folder for what is temporary.

    In memory where that folder has less room than the ``needed`` bytes, or may not be written.
    """
    folder, size = tempfile.gettempdir(), 4 * shape[0] * shape[1]
    if is_large(size) and shutil.disk_usage(folder).free >= max(size, needed):
        with contextlib.suppress(OSError):
            return mapped(folder, shape, torch.float32)
    return torch.zeros(shape)


def is_large(size: int) -> bool:
    """Whether so many bytes of embeddings belong into a file."""
    return size >= LARGE


def is_mapped(array: Tensor) -> bool:
    """Whether it lies in a file."""
    storage = array.untyped_storage()
    return storage.filename is not None or getattr(storage, READ_ONLY, False)


def opened(array: FileRows) -> Tensor:
    """The same rows of the same file, which is only read, as an array that `let_go` knows.

    DataError: they do not lie in a row in one file, or are of no floating type.
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
    """An empty array that lies where this one lies, of its shape and type; in a file of the type ``stored``."""
    name, wanted = array.untyped_storage().filename, tuple(array.shape) if shape is None else shape
    if name is None:
        return array.new_empty(wanted, dtype=dtype)
    return mapped(os.path.dirname(name), wanted, stored or dtype or array.dtype)


def logits_like(probs: Tensor) -> Tensor:
    """An empty array for logits, where these answers lie; in half precision where they are."""
    return like(probs, stored=LOGITS if probs.dtype == PROBS else None)


def picked(values: Tensor, rows: Tensor, columns: Tensor | None = None) -> Tensor:
    """Some rows of (N, C), ascending, and some columns, ascending: those very values where that is all of them."""
    of_all = columns is None or len(columns) == values.shape[1]
    if len(rows) == len(values) and of_all:
        return values
    return gathered(values, rows, None if of_all else columns)


def gathered(values: Tensor, rows: Tensor, columns: Tensor | None = None) -> Tensor:
    """Rows of (N, C) in any order, and some columns, as an array of their own that lies where the values lie."""
    made = like(values, (len(rows), values.shape[1] if columns is None else len(columns)))
    for start in range(0, len(rows), PIECE):
        part = slice(start, min(start + PIECE, len(rows)))
        found = values[rows[part]]
        made[part] = found if columns is None else found[:, columns]
        let_go(made, part)
    let_go(values, slice(0, len(values)))
    return made


def stacked(first: Tensor, many: Tensor) -> Tensor:
    """(n + m, C) the rows of one, then those of the other, which says where they lie; that one itself where n is 0."""
    if not len(first):
        return many
    made = like(many, (len(first) + len(many), many.shape[1]))
    made[: len(first)] = first
    for start in range(0, len(many), PIECE):
        part = many[start : start + PIECE]
        rows = slice(len(first) + start, len(first) + start + len(part))
        made[rows] = part
        let_go(made, rows)
    return made


def side_by_side(arrays: Sequence[Tensor]) -> Tensor:
    """(N, W) the columns of all of them, of the first one's type, where that lies."""
    if len(arrays) == 1:
        return arrays[0]
    made = like(arrays[0], (len(arrays[0]), sum(one.shape[1] for one in arrays)))
    for start in range(0, len(made), PIECE):
        rows = slice(start, min(start + PIECE, len(made)))
        torch.cat([one[rows].to(made.dtype) for one in arrays], dim=1, out=made[rows])
        for array in (made, *arrays):
            let_go(array, rows)
    return made


def let_go(array: Tensor, rows: slice) -> None:
    """Take the pages of these rows off this process; nothing for an array in memory, nor where systems know no such."""
    if sys.platform == "win32" or not is_mapped(array):
        return
    row = array.stride(0) * array.element_size()
    start, stop = (array.data_ptr() + at * row for at in (rows.start, rows.stop))
    _release(start, stop)


def _release(start: int, stop: int) -> None:
    """Only pages that lie wholly between the addresses."""
    first, last = -(-start // mmap.PAGESIZE), stop // mmap.PAGESIZE
    if last > first:
        size = (last - first) * mmap.PAGESIZE
        ctypes.CDLL(None).madvise(
            ctypes.c_void_p(first * mmap.PAGESIZE), ctypes.c_size_t(size), DONT_NEED
        )


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)
