"""Where a person finds an image, in words that lead back to it: a path, a URL, a member of a tar, a row of Parquet."""

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
"""Row group and row in it, from 0."""


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
    """What `place_of` speaks of; nobody may believe it before the content is compared."""
    if url_of(place) is None and os.path.lexists(openable(place)):
        return FileSource(place)
    if (cell := _CELL.fullmatch(place)) is not None:
        return _cell(cell[1], int(cell[2]), int(cell[3]))
    for end in _TAR_ENDS.finditer(
        place
    ):  # a folder may be called like a tar, on the way to one and in one
        if (member := _member(place[: end.end()], place[end.end() + 1 :])) is not None:
            return member
    return FileSource(place) if url_of(place) is None else StoreSource(place)


def _cell(path: str, group: int, row: int) -> ImageSource:
    from clipgrip.data.parquet import image_column, open_parquet

    try:
        column = image_column(open_parquet(path))
    except (DataError, MissingPackage):
        column = None
    return ParquetSource(path, group, row, column or "")


def _name_within(source: TarSource, path: str) -> str:
    """The name of a member in its tar, of the path that shows it: what follows the tar's own name."""
    parts, tar = path.split("/"), os.path.basename(source.path)
    ends = [number for number, part in enumerate(parts, 1) if part == tar]
    names = ["/".join(parts[end:]) for end in ends] or [path]
    if len(names) == 1:
        return names[0]
    lies = source.offset, source.size
    return next((name for name in names if _lies(source.path, name) == lies), names[-1])


def _member(tar: str, name: str) -> ImageSource | None:
    lies = _lies(tar, name)
    return None if lies is None else TarSource(tar, *lies)


def _lies(tar: str, name: str) -> tuple[int, int] | None:
    """Offset and size of a member; None where there is no such tar, or no such name in it."""
    try:
        found = os.stat(openable(tar)) if url_of(tar) is None else None
        state = () if found is None else (found.st_size, found.st_mtime_ns)
        return _members(tar, state).get(name)
    except (OSError, DataError):
        return None


@lru_cache(maxsize=8)
def _members(tar: str, _state: tuple[int, ...]) -> dict[str, tuple[int, int]]:
    """Offset and size by name; of one name the last, as in every tar."""
    return {one.name: (one.offset, one.size) for one in pictures(tar)}
