"""Images that are packed into Parquet or tar files, on a disk or in a store."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from clipgrip.data.entries import (
    Claim,
    Entry,
    Found,
    Listed,
    Unread,
    file_entries,
    file_entry,
    place_key,
    placed,
)
from clipgrip.data.issues import Issue, Issues
from clipgrip.data.listed import claims_in, from_table
from clipgrip.data.sources import ParquetSource, TarSource
from clipgrip.data.splitnames import check_one_split
from clipgrip.data.stores import folder_of, objects_below, url_of
from clipgrip.data.tables import PARQUET_SUFFIXES, TABLE_SUFFIXES, read_table
from clipgrip.data.tars import COMPRESSED, IMAGE_ENDINGS, SUFFIXES, contents
from clipgrip.data.texts import Texts
from clipgrip.data.walk import hidden_issue, is_litter, relative
from clipgrip.errors import DataError
from clipgrip.sentences import Sentence

MOST_FILES = 100_000
"""Names that one pattern stands for."""
TARS_AND_TABLES = (*SUFFIXES, *PARQUET_SUFFIXES)
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


def is_packed(path: str) -> bool:
    """Whether a file may hold many images, by its ending."""
    return path.lower().endswith((*TARS_AND_TABLES, *COMPRESSED))


def expanded(place: str) -> list[str]:
    """``train-{000..012}.tar``, as WebDataset writes it, as its thirteen names; any other place as itself."""
    found = _RANGE.search(place)
    if found is None:
        return [place]
    first, last, width = int(found[1]), int(found[2]), len(found[1])
    if not 0 <= last - first < MOST_FILES:
        raise DataError(
            "{place}: {range} names no files, or more than {most}. Write the smaller number first.",
            place=place,
            range=found[0],
            most=MOST_FILES,
        )
    names = (f"{number:0{width}d}" for number in range(first, last + 1))
    made = (f"{place[: found.start()]}{name}{place[found.end() :]}" for name in names)
    return [one for name in made for one in expanded(name)]


def folder_named(path: str) -> str:
    """The folder of a file on a disk or in a store."""
    return folder_of(path) if url_of(path) else os.path.dirname(path)


def from_packed(paths: Sequence[str], root: str) -> Found:
    """The images of tar or Parquet files that are one data set together."""
    tars = [path for path in paths if not path.lower().endswith(PARQUET_SUFFIXES)]
    if tars and len(tars) < len(paths):
        raise DataError(
            "{root}: tar files and Parquet files lie together ({tar}, for example). Give one kind at a time.",
            root=root,
            tar=tars[0],
        )
    return from_tars(paths, root) if tars else from_shards(paths, root)


def from_tars(paths: Sequence[str], root: str) -> Found:
    """The images of tar files, each called by the tar and its own name within."""
    check_one_split(paths)
    lies: dict[str, tuple[str, int, int, int]] = {}
    claims: dict[str, Claim] = {}
    issues, unread = Issues(), list[Unread]()
    for number, path in enumerate(paths):
        found = contents(path)
        unread += [Unread(relative(path, root), *texts) for texts in found.unread.items()]
        for one in found.images:
            name = f"{path}/{one.name}"
            key = place_key(name)
            if key in lies:  # the later is in force, as in every tar
                detail = Sentence("the last one is used")
                issues.append(Issue(relative(name, root), "repeated-member", detail))
                claims.pop(key, None)
            lies[key] = name, number, one.offset, one.size
            if one.label is not None:
                where = Sentence("{tar} member {name}", tar=os.path.basename(path), name=one.name)
                claims[key] = Claim(key, one.label, where, numbered=True)
    entries = _in_tars(paths, root, lies.values())
    return Found(root, entries, issues, tuple(claims.values()), unread=tuple(unread))


def _in_tars(
    paths: Sequence[str], root: str, lies: Collection[tuple[str, int, int, int]]
) -> Listed[Entry]:
    """Entries of members, by their name, the number of their tar, and where they lie in it."""
    names = Texts(name for name, *_ in lies)
    places = np.array([numbers for _, *numbers in lies], dtype=np.int64)

    def made(place: int) -> Entry:
        number, offset, size = places[place].tolist()
        name, source = names[place], TarSource(paths[number], offset, size)
        return Entry(relative(name, root), place_key(name), source)

    return Listed(len(names), made)


def from_store(place: str) -> Found:
    """The images at or below a URL: objects with a picture's ending, or tar or Parquet files where there are none.

    Raises:
        DataError: the store cannot be reached, or nothing is there.
        MissingPackage: what it needs is not installed.
    """
    url = place.rstrip("/")
    names = expanded(url)
    if len(names) > 1 or url.lower().endswith((*TABLE_SUFFIXES, *SUFFIXES, *COMPRESSED)):
        return _listed_in_store(names)
    names = [name for name, _ in objects_below(url)]
    root = folder_of(url) if names == [url] else url
    pictures = [name for name in names if is_named_like_image(name)]
    packed = [name for name in names if is_packed(name)]
    if packed and not pictures:
        return from_packed(packed, root)
    hidden = {name for name in names if is_litter(name, root)}
    entries = file_entries((name for name in pictures if name not in hidden), root)
    others = (name for name in names if name not in hidden and not is_named_like_image(name))
    detail = Sentence("by its ending, which tells images in a store")
    issues = Issues(
        (Issue(relative(name, root), "not-an-image", detail) for name in others),
        (hidden_issue(name, root) for name in hidden),
    )
    return Found(root, entries, issues.in_order())


def packed_below(url: str) -> list[str]:
    """The tar or Parquet files below a URL where no picture lies; DataError where nothing is there."""
    if url.lower().endswith(TABLE_SUFFIXES):
        return []
    names = [name for name, _ in objects_below(url)]
    return [] if any(map(is_named_like_image, names)) else [n for n in names if is_packed(n)]


def _listed_in_store(names: Sequence[str]) -> Found:
    root = folder_of(names[0])
    if len(names) == 1 and not is_packed(names[0]):
        return from_table(read_table(names[0]), root)
    return from_packed(names, root)


def is_named_like_image(name: str) -> bool:
    """Whether a picture's ending stands at the end of a name."""
    return name.rpartition(".")[2].lower() in IMAGE_ENDINGS


def from_parquet(path: str, root: str) -> Found:
    """Images in the cells of a file, or beside it where a cell holds a path alone; keys are below ``root``."""
    from clipgrip.data.parquet import image_column, inner_paths, lacking_bytes, open_parquet

    table, folder = read_table(path), folder_named(path)
    file = open_parquet(path)
    column = image_column(file)
    if column is None:
        return from_table(table, folder)
    inner, lacking = inner_paths(file, column), lacking_bytes(file, column)
    names = _cell_names(inner, os.path.basename(path))
    entries = []
    for number, (name, (group, row)) in enumerate(zip(names, _cells(file), strict=True)):
        beside = inner[number] if number in lacking else None
        if beside:
            entries.append(file_entry(placed(beside, folder), root))
            continue
        shown = relative(os.path.join(folder, name), root)
        source = ParquetSource(path, group, row, column)
        entries.append(Entry(shown, place_key(os.path.join(folder, name)), source))
    statements = claims_in(table, lambda number: entries[number].key, range(len(entries)))
    return replace(statements, root=root, entries=tuple(entries))


def from_shards(paths: Sequence[str], root: str) -> Found:
    """The images of several Parquet files, as one data set is often cut."""
    check_one_split(paths)
    parts = [from_parquet(path, root) for path in paths]
    entries: dict[str, Entry] = {}
    for path, part in zip(paths, parts, strict=True):
        for entry in part.entries:
            if entry.key in entries:
                raise DataError(
                    "{path}: the image {path_2} stands in an earlier file of {root} too. Give one of the "
                    "files, or rename the images within.",
                    path=path,
                    path_2=entry.path,
                    root=root,
                )
            entries[entry.key] = entry
    return Found(
        root,
        tuple(entries.values()),
        Issues(*(part.issues for part in parts)),
        tuple(claim for part in parts for claim in part.claims),
        tuple(claim for part in parts for claim in part.test_claims),
        tuple(one for part in parts for one in part.unread),
    )


def _cells(file: Any) -> list[tuple[int, int]]:
    sizes = [file.metadata.row_group(g).num_rows for g in range(file.metadata.num_row_groups)]
    return [(group, row) for group, size in enumerate(sizes) for row in range(size)]


def _cell_names(inner: list[str | None], file_name: str) -> list[str]:
    if all(inner) and len(set(inner)) == len(inner):
        return [str(name).replace("\\", "/").lstrip("/") for name in inner]
    return [f"{file_name}#{number:06d}" for number in range(len(inner))]
