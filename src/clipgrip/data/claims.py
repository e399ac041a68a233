"""Who says which image has which label: tables and class folders, matched to the images."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from clipgrip.data.classes import ClassNames
from clipgrip.data.columns import Listed, picked
from clipgrip.data.discover import Images, discover, from_folder, is_packed_place, item_key
from clipgrip.data.entries import PATH_COLUMNS, Claim, Found
from clipgrip.data.foreign import foreign
from clipgrip.data.images import may_be_image
from clipgrip.data.issues import Issue, Issues
from clipgrip.data.sources import FileSource, StoreSource
from clipgrip.data.splitnames import check_classes, train_beside
from clipgrip.data.stores import local_of, url_of
from clipgrip.data.tablerows import claims_in, paths_of
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
"""A class name, a class position, or nothing."""


def read_claims(place: AnyPath, kind: str, root: str, encoding: str | None = None) -> Found:
    """Claims of a table ``path,label`` or of a folder whose sub-folders are named by class.

    A folder brings its own images with it, shown relative to ``root``.

    Raises:
        DataError: the place is missing, not a table or folder, or lacks a column.
        MissingPackage: a Parquet file, and pyarrow is not installed.
    """
    if is_packed_place(place):
        return _packed_claims(place, kind)
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
    statements = claims_in(table, *paths_of(table, table.need(PATH_COLUMNS)), required=True)
    return replace(statements, root=os.path.dirname(path))


def split_remarks(labels: object) -> Iterator[Issue]:
    """Where labels to learn from are called as what one measures on: test beside train."""
    if not isinstance(labels, str | os.PathLike) or url_of(labels) is not None:
        return
    place = os.path.abspath(local_of(labels))
    if (train := train_beside(Path(place))) is not None:
        detail = Sentence(OF_TEST, train=train, place=quoted(os.fspath(labels)))
        yield Issue(os.path.basename(place), "labels-of-test", detail)


def _packed_claims(place: AnyPath, kind: str) -> Found:
    """Images that bring their labels with them: in tar or Parquet files, or in a store.

    Raises:
        DataError: none has a label.
    """
    found = discover(place)
    claims = found.claims or _by_folder(found)
    if not claims:
        raise DataError(
            "{place}: no image in it has a label. The {kind} need a column label (Parquet), a member .cls or .json "
            "beside each image (tar), or one folder for each class.",
            place=os.fspath(place),
            kind=kind,
        )
    return replace(found, claims=claims)


def _by_folder(found: Found) -> Sequence[Claim]:
    """Of objects in a store: each is of the folder it lies in."""
    inside = ("/" in one.path and isinstance(one.source, StoreSource) for one in found.entries)
    entries = picked(found.entries, np.flatnonzero(np.fromiter(inside, np.bool_)))

    def made(place: int) -> Claim:
        name = entries[place].path.partition("/")[0]
        where = Sentence("folder {place}", place=name)
        return Claim(entries[place].key, name, where, folder=True)

    return Listed(len(entries), made)


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
    left = _loose(found, folder, kind)

    def made(place: int) -> Claim:
        entry = found.entries[place]
        label, inside, _ = relative(os.path.join(root, entry.path), folder).partition("/")
        label = label if inside else ""
        where = Sentence("folder {place}", place=f"{os.path.basename(folder)}/{label}")
        return Claim(entry.key, label, where, folder=True)

    issues = Issues(found.issues, left)
    return Found(folder, found.entries, issues, Listed(len(found.entries), made))


def _loose(found: Found, folder: str, kind: str) -> Iterator[Issue]:
    """A remark on images that lie beside the folders of classes; DataError where there are no others."""
    names = (relative(os.path.join(found.root, one.path), folder) for one in found.entries)
    count, first, is_all = 0, "", True
    for name in names:
        if "/" in name:
            is_all = False
        elif may_be_image(os.path.join(folder, name)):
            count, first = count + 1, first or name
    if count and is_all:
        raise DataError(LOOSE, folder=folder, kind=kind, first=first)
    detail = Sentence("{n} images lie in no folder of a class, so they have no label", n=count)
    return iter([Issue(os.path.basename(folder), "labels-left-out", detail)] if count else [])


def aligned_claims(images: Images, labels: Sequence[Label], classes: ClassNames) -> Listed[Claim]:
    """Claims of labels that stand in the order of a sequence of images.

    Raises:
        DataError: not a sequence of images, another length, or a position out of range.
    """
    if isinstance(images, str | os.PathLike) or len(images) != len(labels):
        raise DataError(
            "{n_labels} labels need a sequence of as many images. For a folder, give the labels as a "
            "CSV with the columns path,label.",
            n_labels=len(labels),
        )
    names = Texts(_name(label, classes) for label in labels)

    def made(number: int) -> Claim:
        where = Sentence("label {number}", number=number)
        return Claim(item_key(number, images[number]), names[number], where)

    return Listed(len(names), made)


def _name(label: Label, classes: ClassNames) -> str:
    if isinstance(label, str):
        return label
    number = -1 if label is None else int(label)
    if not -1 <= number < len(classes):
        raise DataError(
            "label {number} is not between -1 and {len}", number=number, len=len(classes) - 1
        )
    return "" if number < 0 else classes.display[number]
