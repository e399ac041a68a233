"""Images that are packed into Parquet or tar files, on a disk or in a store."""

from __future__ import annotations

import os
import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate

import numpy as np

from clipgrip.data.columns import Listed, chained, picked
from clipgrip.data.entries import (
    Claim,
    Entry,
    Found,
    Unread,
    file_entries,
    file_entry,
    keys_of,
    place_key,
    placed,
)
from clipgrip.data.issues import Issue, Issues
from clipgrip.data.sources import ParquetSource, TarSource
from clipgrip.data.splitnames import check_one_split
from clipgrip.data.stores import folder_of, objects_below, url_of
from clipgrip.data.tablerows import claims_in, from_table
from clipgrip.data.tables import PARQUET_SUFFIXES, TABLE_SUFFIXES, read_table
from clipgrip.data.tars import COMPRESSED, IMAGE_ENDINGS, SUFFIXES, contents
from clipgrip.data.texts import Texts, first_places, once
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
    names, labels = Texts(), Texts()  # a label behind a sign, as one may be empty
    unread = list[Unread]()
    places = array("q")  # three for each member: its tar, where it begins, how long it is
    for number, path in enumerate(paths):
        found = contents(path)
        unread += [Unread(relative(path, root), *texts) for texts in found.unread.items()]
        for one in found.images:
            names.append(f"{path}/{one.name}")
            labels.append("" if one.label is None else f"={one.label}")
            places.extend((number, one.offset, one.size))
    first = first_places(Listed(len(names), lambda place: place_key(names[place])))
    last = first.copy()
    last[first] = np.arange(len(first))  # of one name the later is in force, as in every tar
    issues = Issues(
        Issue(relative(names[place], root), "repeated-member", Sentence("the last one is used"))
        for place in np.flatnonzero(first != np.arange(len(first))).tolist()
    )
    taken = last[np.flatnonzero(first == np.arange(len(first)))]
    lies = np.array(places, np.int64).reshape(-1, 3)

    def entry(place: int) -> Entry:
        name, (number, offset, size) = names[place], lies[place].tolist()
        return Entry(relative(name, root), place_key(name), TarSource(paths[number], offset, size))

    def claim(place: int) -> Claim:
        tar, name = paths[int(lies[place, 0])], names[place]
        inner = name.removeprefix(f"{tar}/")
        where = Sentence("{tar} member {name}", tar=os.path.basename(tar), name=inner)
        return Claim(place_key(name), labels[place][1:], where, numbered=True)

    return Found(
        root,
        picked(Listed(len(names), entry), taken),
        issues,
        picked(Listed(len(names), claim), taken[[bool(labels[place]) for place in taken.tolist()]]),
        unread=tuple(unread),
    )


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
    name_of = _cell_names(inner, os.path.basename(path))
    groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
    begins = [0, *accumulate(group.num_rows for group in groups)]

    def entry(number: int) -> Entry:
        if number in lacking and (beside := inner[number]):
            return file_entry(placed(beside, folder), root)
        name, group = os.path.join(folder, name_of(number)), bisect_right(begins, number) - 1
        source = ParquetSource(path, group, number - begins[group], column)
        return Entry(relative(name, root), place_key(name), source)

    entries = Listed(len(inner), entry)
    statements = claims_in(table, lambda number: entries[number].key, range(len(inner)))
    return replace(statements, root=root, entries=entries)


def from_shards(paths: Sequence[str], root: str) -> Found:
    """The images of several Parquet files, as one data set is often cut."""
    check_one_split(paths)
    parts = [from_parquet(path, root) for path in paths]
    entries = chained(*(part.entries for part in parts))
    first = first_places(keys_of(entries))
    for place in np.flatnonzero(first != np.arange(len(first))).tolist()[:1]:
        ends = accumulate(len(part.entries) for part in parts)
        raise DataError(
            "{path}: the image {path_2} stands in an earlier file of {root} too. Give one of the "
            "files, or rename the images within.",
            path=next(path for path, end in zip(paths, ends, strict=True) if place < end),
            path_2=entries[place].path,
            root=root,
        )
    issues = Issues(*(part.issues for part in parts))
    return Found(
        root,
        entries,
        issues,
        chained(*(part.claims for part in parts)),
        chained(*(part.test_claims for part in parts)),
        tuple(one for part in parts for one in part.unread),
    )


def _cell_names(inner: Texts, file_name: str) -> Callable[[int], str]:
    """How the image of a row is called: as its cell says, where all cells do and each says something else."""
    if all(inner) and len(once(inner)) == len(inner):
        return lambda number: inner[number].replace("\\", "/").lstrip("/")
    return lambda number: f"{file_name}#{number:06d}"
