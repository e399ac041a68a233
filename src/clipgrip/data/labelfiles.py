"""Labels as people give them: tables, folders named by class, packed files, or a sequence beside the images."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from clipgrip.data.classes import ClassNames
from clipgrip.data.discover import Images, discover, from_folder, is_packed_place, item_key
from clipgrip.data.entries import PATH_COLUMNS, Found, WrittenLabel
from clipgrip.data.foreign import foreign
from clipgrip.data.images import may_be_image
from clipgrip.data.issues import Issue, Issues
from clipgrip.data.lazy import LazyItems, selected
from clipgrip.data.sources import FileSource, StoreSource
from clipgrip.data.splitnames import check_classes, train_beside
from clipgrip.data.stores import local_of, url_of
from clipgrip.data.tablerows import labels_in, paths_of
from clipgrip.data.tables import TABLE_SUFFIXES, read_table
from clipgrip.data.texts import Texts
from clipgrip.data.walk import relative
from clipgrip.errors import DataError
from clipgrip.files import AnyPath, openable
from clipgrip.sentences import Sentence, mark, quoted

LOOSE = mark(
    '{folder}: its images ("{first}") lie in the folder itself, and nothing says of which class they are. Put them '
    "into one folder for each class, or give the {kind} as a CSV or Parquet file with the columns path,label."
)
OF_TEST = mark(
    "it lies beside {train}, and is given to learn from, so it cannot measure. To measure on it give --test {place}"
)
Label = str | int | None
"""A class name or a class position; None, -1 or an empty name: unlabeled."""


def read_labels(place: AnyPath, kind: str, root: str, encoding: str | None = None) -> Found:
    """The labels in a table ``path,label``, or in a folder with one sub-folder for each class.

    A folder also adds its images, shown relative to ``root``. ``kind`` is what errors call the labels.

    Raises:
        DataError: the place is missing, not a table or folder, or lacks a column.
        MissingPackage: a Parquet file, and pyarrow is not installed.
    """
    if is_packed_place(place):
        return _packed_labels(place, kind)
    path = os.path.abspath(local_of(place))
    if os.path.isdir(path):
        check_classes(Path(path), kind)
        return _class_folders(path, root, kind)
    if not os.path.exists(openable(path)):
        raise DataError(
            "{place}: no such file or folder. Give the {kind} as a CSV with the columns path,label "
            "or as a folder with one folder of images for each class.",
            place=os.fspath(place),
            kind=kind,
        )
    if not path.lower().endswith(TABLE_SUFFIXES):
        if (sentence := foreign(place, kind)) is not None:
            raise DataError(sentence)
        raise DataError(
            "{place}: the {kind} must be a CSV or Parquet file with the columns path,label, or a folder with one "
            "folder of images for each class.",
            place=os.fspath(place),
            kind=kind,
        )
    table = read_table(path, encoding)
    if not table.columns:
        raise DataError(
            "{place}: the file is empty. Give the {kind} with the columns path,label, or leave it out.",
            place=os.fspath(place),
            kind=kind,
        )
    found = labels_in(table, *paths_of(table, table.need(PATH_COLUMNS)), required=True)
    return replace(found, root=os.path.dirname(path))


def split_remarks(labels: object) -> Iterator[Issue]:
    """A remark where the labels to learn from are named test or val, and a train set lies beside them."""
    if not isinstance(labels, str | os.PathLike) or url_of(labels) is not None:
        return
    place = os.path.abspath(local_of(labels))
    if (train := train_beside(Path(place))) is not None:
        detail = Sentence(OF_TEST, train=train, place=quoted(os.fspath(labels)))
        yield Issue(os.path.basename(place), "labels-of-test", detail)


def _packed_labels(place: AnyPath, kind: str) -> Found:
    """Images that come with their labels: in tar or Parquet files, or in an object store.

    Raises:
        DataError: none has a label.
    """
    found = discover(place)
    labels = found.labels or _by_folder(found)
    if not labels:
        raise DataError(
            "{place}: no image in it has a label. The {kind} need a column label (Parquet), a member .cls or .json "
            "beside each image (tar), or one folder for each class.",
            place=os.fspath(place),
            kind=kind,
        )
    return replace(found, labels=labels)


def _by_folder(found: Found) -> Sequence[WrittenLabel]:
    """The labels of objects in a store that has no others: the name of the top folder of each."""
    inside = ("/" in one.path and isinstance(one.source, StoreSource) for one in found.entries)
    entries = selected(found.entries, np.flatnonzero(np.fromiter(inside, np.bool_)))

    def label(position: int) -> WrittenLabel:
        name = entries[position].path.partition("/")[0]
        where = Sentence("folder {place}", place=name)
        return WrittenLabel(entries[position].key, name, where, folder=True)

    return LazyItems(len(entries), label)


def _class_folders(folder: str, root: str, kind: str) -> Found:
    found = from_folder(folder, root)
    sources = (one.source for one in found.entries)
    if not any(isinstance(one, FileSource) and may_be_image(one.path) for one in sources):
        if (sentence := foreign(folder, kind)) is not None:
            raise DataError(sentence)
        raise DataError(
            "{folder}: no image in it. Put the images into one folder for each class.",
            folder=folder,
        )
    loose = _remark_on_loose(found, folder, kind)

    def label(position: int) -> WrittenLabel:
        entry = found.entries[position]
        name, inside, _ = relative(os.path.join(root, entry.path), folder).partition("/")
        name = name if inside else ""
        where = Sentence("folder {place}", place=f"{os.path.basename(folder)}/{name}")
        return WrittenLabel(entry.key, name, where, folder=True)

    issues = Issues(found.issues, loose)
    return Found(folder, found.entries, issues, LazyItems(len(found.entries), label))


def _remark_on_loose(found: Found, folder: str, kind: str) -> Iterator[Issue]:
    """A remark on images that lie beside the class folders, not in one; DataError where all of them do."""
    names = (relative(os.path.join(found.root, one.path), folder) for one in found.entries)
    count, first, is_all = 0, "", True
    for name in names:
        if "/" in name:
            is_all = False
        elif may_be_image(os.path.join(folder, name)):
            count, first = count + 1, first or name
    if count and is_all:
        raise DataError(LOOSE, folder=folder, kind=kind, first=first)
    detail = Sentence("{n} images lie in no folder of a class: without a label", n=count)
    return iter([Issue(os.path.basename(folder), "labels-left-out", detail)] if count else [])


def aligned_labels(
    images: Images, labels: Sequence[Label], classes: ClassNames
) -> LazyItems[WrittenLabel]:
    """The labels of a sequence of images, given in the same order.

    Raises:
        DataError: the images are no sequence of this length, or a position is out of range.
    """
    if isinstance(images, str | os.PathLike) or len(images) != len(labels):
        raise DataError(
            "{n_labels} labels need a sequence of as many images. For a folder, give the labels as a "
            "CSV with the columns path,label.",
            n_labels=len(labels),
        )
    names = Texts(_name(label, classes) for label in labels)

    def label(number: int) -> WrittenLabel:
        where = Sentence("label {number}", number=number)
        return WrittenLabel(item_key(number, images[number]), names[number], where)

    return LazyItems(len(names), label)


def _name(label: Label, classes: ClassNames) -> str:
    if isinstance(label, str):
        return label
    number = -1 if label is None else int(label)
    if not -1 <= number < len(classes):
        raise DataError(
            "label {number} is not between -1 and {len}", number=number, len=len(classes) - 1
        )
    return "" if number < 0 else classes.display[number]
