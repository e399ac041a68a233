"""The place of an image as one text for people, such as a path, and the way back from that text to its source."""

from __future__ import annotations

import os
import re
from functools import lru_cache

from clipgrip.data.rows import Row
from clipgrip.data.sources import FileSource, ImageSource, ParquetSource, StoreSource, TarSource
from clipgrip.data.stores import url_of
from clipgrip.data.tars import pictures
from clipgrip.errors import DataError, MissingPackage
from clipgrip.files import openable

_TAR_ENDS = re.compile(r"\.tar(?=/.)", re.DOTALL | re.IGNORECASE)
_CELL = re.compile(r"(.+\.(?:parquet|pq))#([0-9]+)\.([0-9]+)", re.DOTALL | re.IGNORECASE)
"""File, row group, and row in that group, from 0."""


def place_of(row: Row) -> str:
    """``line/a.png``, ``s3://bucket/a.png``, ``line/shard.tar/a.png`` or ``line/shard.parquet#0.17``."""
    source = row.source
    if isinstance(source, FileSource | StoreSource):
        return source.path
    if isinstance(source, TarSource):
        return f"{source.path}/{_name_within(source, row.path)}"
    if isinstance(source, ParquetSource):
        return f"{source.path}#{source.group}.{source.row}"
    return row.path


def source_at(place: str) -> ImageSource:
    """The source at a place from `place_of`. The file may have changed: compare the content hash before using it."""
    if url_of(place) is None and os.path.lexists(openable(place)):
        return FileSource(place)
    if (cell := _CELL.fullmatch(place)) is not None:
        return _cell_source(cell[1], int(cell[2]), int(cell[3]))
    for end in _TAR_ENDS.finditer(place):  # folders may be named like tars, around a tar and in one
        if (member := _member(place[: end.end()], place[end.end() + 1 :])) is not None:
            return member
    return FileSource(place) if url_of(place) is None else StoreSource(place)


def _cell_source(path: str, group: int, row: int) -> ImageSource:
    from clipgrip.data.parquet import image_column, open_parquet

    try:
        column = image_column(open_parquet(path))
    except (DataError, MissingPackage):
        column = None
    return ParquetSource(path, group, row, column or "")


def _name_within(source: TarSource, path: str) -> str:
    """The name of a member in its tar: the part of its path after the tar's own name."""
    parts, tar = path.split("/"), os.path.basename(source.path)
    ends = [number for number, part in enumerate(parts, 1) if part == tar]
    names = ["/".join(parts[end:]) for end in ends] or [path]
    if len(names) == 1:
        return names[0]
    extent = source.offset, source.size
    return next((name for name in names if _extent(source.path, name) == extent), names[-1])


def _member(tar: str, name: str) -> ImageSource | None:
    extent = _extent(tar, name)
    return None if extent is None else TarSource(tar, *extent)


def _extent(tar: str, name: str) -> tuple[int, int] | None:
    """Offset and size of a member; None where the tar does not exist or has no such member."""
    try:
        found = os.stat(openable(tar)) if url_of(tar) is None else None
        state = () if found is None else (found.st_size, found.st_mtime_ns)
        return _members(tar, state).get(name)
    except (OSError, DataError):
        return None


@lru_cache(maxsize=8)
def _members(tar: str, _state: tuple[int, ...]) -> dict[str, tuple[int, int]]:
    """Offset and size by name; the last of equal names counts, as in every tar. ``_state`` is only a cache key."""
    return {one.name: (one.offset, one.size) for one in pictures(tar)}
