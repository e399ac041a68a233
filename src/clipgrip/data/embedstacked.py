"""Several files of embeddings as one, the rows of each behind those of the file before."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipgrip.data import embedlarge
from clipgrip.data.embedfiles import read_arrays
from clipgrip.data.embedlarge import closed, filled
from clipgrip.data.embedlayout import OF_CLASSES
from clipgrip.data.embedtables import Arrays
from clipgrip.errors import DataError
from clipgrip.sentences import mark

OTHERS = mark(
    "{path} holds {found}, and {first} holds {wanted}. Files of one set of embeddings need the same banks and columns, "
    "of the same width."
)
TWO_CLASSES = mark(
    "{path} and {first} have different {name}. Write it into one of the files, or the same into all."
)


def read_several(files: Sequence[str]) -> Arrays:
    """The arrays of all of them; what is said of the classes may stand in any.

    DataError: they differ in their banks or columns, or in what they say of the classes.
    """
    if len(files) == 1:
        return read_arrays(files[0], 1)
    every = [_read(path, len(files)) for path in files]
    of_classes: dict[str, tuple[str, NDArray[Any]]] = {}
    wanted = _shapes(every[0])
    for path, arrays in zip(files, every, strict=True):
        if (found := _shapes(arrays)) != wanted:
            raise _other(OTHERS, path, files[0], found=_listed(found), wanted=_listed(wanted))
        for name in OF_CLASSES:
            first, value = (
                of_classes.setdefault(name, (path, arrays[name]))
                if name in arrays
                else (path, None)
            )
            if value is not None and not np.array_equal(value, arrays[name]):
                raise _other(TWO_CLASSES, path, first, name=name)
    stacked = {name: _stacked([arrays[name] for arrays in every]) for name in wanted}
    return {**stacked, **{name: value for name, (_, value) in of_classes.items()}}


def _read(path: str, among: int) -> Arrays:
    """With no file left open, of which a process may have a thousand or so."""
    return {name: closed(array) for name, array in read_arrays(path, among).items()}


def _other(text: str, path: str, first: str, **more: str) -> DataError:
    return DataError(text, path=os.path.basename(path), first=os.path.basename(first), **more)


def _shapes(arrays: Arrays) -> dict[str, tuple[int, ...]]:
    return {name: array.shape[1:] for name, array in arrays.items() if name not in OF_CLASSES}


def _listed(shapes: dict[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {shape}" if shape else name for name, shape in shapes.items())


def _stacked(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """One behind the other; large banks in a file that goes with them."""
    is_bank = parts[0].ndim == 2 and parts[0].dtype.kind == "f"
    if not is_bank or sum(part.nbytes for part in parts) < embedlarge.LARGE:
        return np.concatenate(parts)
    return filled(parts, (sum(map(len, parts)), parts[0].shape[1]))
