"""The images of a place in shards of 8,192, each with a key by which its finished work is found again.

Tar and Parquet files are read as a stream, so that no more than one shard is in memory; loose files are listed first.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from clipgrip.data.discover import discover, packed_files
from clipgrip.data.embeddings import Embeddings, embeddings_at
from clipgrip.data.entries import PATH_COLUMNS, Entry, file_entry, place_key, resolved
from clipgrip.data.issues import Issues
from clipgrip.data.packed import parent_folder
from clipgrip.data.sources import (
    FileSource,
    ImageSource,
    ParquetSource,
    StoredSource,
    TarSource,
    source_fields,
)
from clipgrip.data.stores import forget_listing, local_of, url_of, version_of
from clipgrip.data.tables import PARQUET_SUFFIXES
from clipgrip.data.tars import pictures
from clipgrip.data.walk import relative
from clipgrip.errors import DataError
from clipgrip.files import AnyPath, openable
from clipgrip.sentences import mark

SHARD_ROWS = 8192
"""The unit of work that a stop may cost: hours of one core at most, and 16 MB of embeddings."""
LONGEST = 32_767
"""The longest path of any system, in characters."""
NO_PATH = mark(
    "{file} row {row}: a path of {n} characters, which no file has. Give the paths of the images in this column."
)


@dataclass(frozen=True)
class Shard:
    """Up to `SHARD_ROWS` consecutive images."""

    entries: tuple[Entry, ...]

    @property
    def key(self) -> str:
        """SHA-256 over the paths and sources of the images, and the size and time of the files they lie in."""
        stamps: dict[str, Any] = {}
        rows = [[entry.path, *_source_and_stamp(entry.source, stamps)] for entry in self.entries]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


@dataclass(frozen=True)
class ImageListing:
    """The images under a place as a stream, and issues for the files that are none by their names."""

    entries: Iterable[Entry]
    issues: Issues
    count: int | None
    """How many images there are, where that is known without reading them."""
    embeddings: Embeddings | None = field(default=None, repr=False)
    """The content of a file of embeddings; while it is referenced here, no shard reads the file again."""

    def shards(self) -> Iterator[Shard]:
        """The entries in shards; an unchanged place gives equal ones."""
        rest = iter(self.entries)
        while entries := tuple(islice(rest, SHARD_ROWS)):
            yield Shard(entries)


def listing(images: AnyPath, encoding: str | None = None) -> ImageListing:
    """As `discover`, but packed files are read only while the entries are.

    Raises:
        DataError: the place does not exist, or holds nothing that can be an image.
    """
    if (url := url_of(images)) is not None:
        forget_listing(url)
    packed = packed_files(images)
    if not packed:
        embeddings = embeddings_at(images)
        found = discover(images, encoding=encoding)
        return ImageListing(found.entries, found.issues, len(found.entries), embeddings)
    root = _root(images, packed)
    return ImageListing(_packed_entries(packed, root), Issues(), _count_rows(packed))


def _packed_entries(files: list[str], root: str) -> Iterator[Entry]:
    """The images of packed files in order. The files' own names keep images with equal names apart."""
    for file in files:
        if file.lower().endswith(PARQUET_SUFFIXES):
            yield from _parquet_entries(file, root, is_one=len(files) == 1)
        else:
            for one in pictures(file):
                name = f"{file}/{one.name}"
                source = TarSource(file, one.offset, one.size)
                yield Entry(relative(name, root), place_key(name), source)


def _parquet_entries(file: str, root: str, *, is_one: bool) -> Iterator[Entry]:
    """An entry for each row: its cell, or the file that the cell or a column of paths names."""
    from clipgrip.data.parquet import image_column, named_rows, open_parquet

    column = image_column(open_parquet(file))
    folder = parent_folder(file)
    for number, (group, row, inner, is_empty) in enumerate(named_rows(file, column, PATH_COLUMNS)):
        if inner and len(inner) > LONGEST:
            raise DataError(NO_PATH, file=file, row=number + 1, n=len(inner))
        if inner and (column is None or is_empty):
            yield file_entry(resolved(inner, folder), root)
            continue
        name = f"{file}#{number:06d}" if not inner else f"{folder if is_one else file}/{inner}"
        # a row without a path becomes an entry that cannot be read, and so an issue
        source = FileSource("") if column is None else ParquetSource(file, group, row, column)
        yield Entry(relative(name, root), place_key(name), source)


def _root(images: AnyPath, files: list[str]) -> str:
    place = url_of(images) or os.path.abspath(local_of(images))
    return parent_folder(files[0]) if len(files) == 1 or "{" in place else place.rstrip("/")


def _count_rows(files: list[str]) -> int | None:
    """How many rows Parquet files have together; None where one is a tar, which does not say it."""
    if not all(file.lower().endswith(PARQUET_SUFFIXES) for file in files):
        return None
    from clipgrip.data.parquet import open_parquet

    return sum(open_parquet(file).metadata.num_rows for file in files)


def _source_and_stamp(source: ImageSource, stamps: dict[str, Any]) -> list[object]:
    values = source_fields(source) if isinstance(source, StoredSource) else []
    path = str(values[0]) if values else ""
    if path not in stamps:
        stamps[path] = _stamp(path)
    return [type(source).__name__, *values, stamps[path]]


def _stamp(path: str) -> object:
    if not path:
        return None
    if (url := url_of(path)) is not None:
        return version_of(url)
    try:
        found = os.stat(openable(path))
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns]
