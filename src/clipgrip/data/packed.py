"""Lists the images in Parquet and tar files, on a disk or in an object store."""

from __future__ import annotations

import os
import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate

import numpy as np

from clipgrip.data.entries import (
    Entry,
    Found,
    Unread,
    WrittenLabel,
    file_entries,
    file_entry,
    keys_of,
    place_key,
    resolved,
)
from clipgrip.data.issues import Issue, Issues
from clipgrip.data.lazy import LazyItems, concatenated, selected
from clipgrip.data.sources import ParquetSource, TarSource
from clipgrip.data.splitnames import check_one_split
from clipgrip.data.stores import folder_of, objects_below, url_of
from clipgrip.data.tablerows import from_table, labels_in
from clipgrip.data.tables import PARQUET_SUFFIXES, TABLE_SUFFIXES, read_table
from clipgrip.data.tars import COMPRESSED, IMAGE_ENDINGS, SUFFIXES, contents
from clipgrip.data.texts import Texts, first_positions, unique_positions
from clipgrip.data.walk import hidden_issue, is_litter, relative
from clipgrip.errors import DataError
from clipgrip.sentences import Sentence

MOST_FILES = 100_000
"""The most names that one pattern may stand for."""
TARS_AND_TABLES = (*SUFFIXES, *PARQUET_SUFFIXES)
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


def is_packed(path: str) -> bool:
    """Whether a file may hold many images, by its ending; compressed tars count, to be refused later."""
    return path.lower().endswith((*TARS_AND_TABLES, *COMPRESSED))


def expand_range(place: str) -> list[str]:
    """The names of a WebDataset pattern (``train-{000..012}.tar`` is 13 of them); any other place as it is."""
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
    return [one for name in made for one in expand_range(name)]


def parent_folder(path: str) -> str:
    """The folder of a file, by path or URL."""
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
    """The images of tar files; their paths are the tar's path and their name in it."""
    check_one_split(paths)
    names, labels = Texts(), Texts()  # a label follows "=", as it may be empty; "" is none
    unread = list[Unread]()
    extents = array("q")  # of each member: index of its tar, offset, size
    for number, path in enumerate(paths):
        found = contents(path)
        unread += [Unread(relative(path, root), *texts) for texts in found.unread.items()]
        for one in found.images:
            names.append(f"{path}/{one.name}")
            labels.append("" if one.label is None else f"={one.label}")
            extents.extend((number, one.offset, one.size))
    first = first_positions(LazyItems(len(names), lambda position: place_key(names[position])))
    last = first.copy()
    last[first] = np.arange(
        len(first)
    )  # the last assignment stays: of equal names a tar's last one counts
    issues = Issues(
        Issue(relative(names[position], root), "repeated-member", Sentence("the last one is used"))
        for position in np.flatnonzero(first != np.arange(len(first))).tolist()
    )
    taken = last[np.flatnonzero(first == np.arange(len(first)))]
    extent_of = np.array(extents, np.int64).reshape(-1, 3)

    def entry(position: int) -> Entry:
        name, (number, offset, size) = names[position], extent_of[position].tolist()
        return Entry(relative(name, root), place_key(name), TarSource(paths[number], offset, size))

    def label(position: int) -> WrittenLabel:
        tar, name = paths[int(extent_of[position, 0])], names[position]
        inner = name.removeprefix(f"{tar}/")
        where = Sentence("{tar} member {name}", tar=os.path.basename(tar), name=inner)
        return WrittenLabel(place_key(name), labels[position][1:], where, numbered=True)

    return Found(
        root,
        selected(LazyItems(len(names), entry), taken),
        issues,
        selected(
            LazyItems(len(names), label),
            taken[[bool(labels[position]) for position in taken.tolist()]],
        ),
        unread=tuple(unread),
    )


def from_store(place: str) -> Found:
    """The images at or below a URL: objects with an image's ending, else those in tar or Parquet files.

    Raises:
        DataError: the store cannot be reached, or nothing is there.
        MissingPackage: the store's packages are not installed.
    """
    url = place.rstrip("/")
    names = expand_range(url)
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
    """The tar or Parquet files below a URL, empty where images lie beside them. DataError: nothing is there."""
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
    """Whether a name has an image's ending."""
    return name.rpartition(".")[2].lower() in IMAGE_ENDINGS


def from_parquet(path: str, root: str) -> Found:
    """Images in the cells of a Parquet file, or in files beside it where a cell holds only a path."""
    from clipgrip.data.parquet import image_column, inner_paths, lacking_bytes, open_parquet

    table, folder = read_table(path), parent_folder(path)
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
            return file_entry(resolved(beside, folder), root)
        name, group = os.path.join(folder, name_of(number)), bisect_right(begins, number) - 1
        source = ParquetSource(path, group, number - begins[group], column)
        return Entry(relative(name, root), place_key(name), source)

    entries = LazyItems(len(inner), entry)
    found = labels_in(table, lambda number: entries[number].key, range(len(inner)))
    return replace(found, root=root, entries=entries)


def from_shards(paths: Sequence[str], root: str) -> Found:
    """The images of the Parquet files that one data set is split into."""
    check_one_split(paths)
    parts = [from_parquet(path, root) for path in paths]
    entries = concatenated(*(part.entries for part in parts))
    first = first_positions(keys_of(entries))
    for position in np.flatnonzero(first != np.arange(len(first))).tolist()[:1]:
        ends = accumulate(len(part.entries) for part in parts)
        raise DataError(
            "{path}: the image {path_2} stands in an earlier file of {root} too. Give one of the "
            "files, or rename the images within.",
            path=next(path for path, end in zip(paths, ends, strict=True) if position < end),
            path_2=entries[position].path,
            root=root,
        )
    issues = Issues(*(part.issues for part in parts))
    return Found(
        root,
        entries,
        issues,
        concatenated(*(part.labels for part in parts)),
        concatenated(*(part.test_labels for part in parts)),
        tuple(one for part in parts for one in part.unread),
    )


def _cell_names(inner: Texts, file_name: str) -> Callable[[int], str]:
    """Gives the name of a row's image: the path in its cell if all cells have one and all differ, else its number."""
    if all(inner) and len(unique_positions(inner)) == len(inner):
        return lambda number: inner[number].replace("\\", "/").lstrip("/")
    return lambda number: f"{file_name}#{number:06d}"
