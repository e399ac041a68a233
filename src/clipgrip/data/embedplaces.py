"""Which files of embeddings a place stands for: one file, a pattern, or a folder with nothing else in it."""

from __future__ import annotations

import os

from clipgrip.data.embedfiles import NUMPY_SUFFIXES
from clipgrip.data.embedtables import ARROW_SUFFIXES, holds_vectors
from clipgrip.data.packed import expand_range
from clipgrip.data.stores import exists, local_of, objects_in, url_of, version_of
from clipgrip.data.tables import PARQUET_SUFFIXES
from clipgrip.errors import DataError
from clipgrip.files import AnyPath, openable
from clipgrip.sentences import mark

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
