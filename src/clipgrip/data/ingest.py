"""Builds a manifest from files: every file becomes a part of a row, or an issue says why not."""

from __future__ import annotations

import os
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from clipgrip.data.classes import ClassNames
from clipgrip.data.discover import Images, discover
from clipgrip.data.embeddedrows import with_class_names
from clipgrip.data.entries import (
    Entry,
    Found,
    WrittenLabel,
    each_once,
    file_entries,
    keys_of,
    native_separators,
    place_key,
)
from clipgrip.data.foldernames import folder_labels
from clipgrip.data.hashing import Progress, examine_all
from clipgrip.data.issues import UNUSED, Issue, Issues
from clipgrip.data.labelfiles import Label, aligned_labels, read_labels, split_remarks
from clipgrip.data.lazy import concatenated, selected
from clipgrip.data.manifest import Manifest
from clipgrip.data.match import SHOWN, Matched, PathIndex, match
from clipgrip.data.merge import Merger
from clipgrip.data.nearby import FolderNames
from clipgrip.data.remarks import tables_among, text_remarks
from clipgrip.data.rows import DIGITS, Hashes, Row, Rows
from clipgrip.data.sources import EmbeddingSource, ImageSource
from clipgrip.data.splitnames import split_folders
from clipgrip.data.tablerows import unread_remarks
from clipgrip.data.tables import TABLE_SUFFIXES
from clipgrip.data.texts import TextIndex
from clipgrip.errors import DataError
from clipgrip.files import AnyPath, openable
from clipgrip.sentences import Sentence, mark

NO_FILE = mark(
    "{where}: no usable image, and no file at all. Put images there (JPEG, PNG, BMP, TIFF or WebP), or give another "
    "folder."
)
NO_ROW = mark(
    "{where}: the table names no image: there is nothing below its heading. Give one row for each image."
)


@dataclass(frozen=True)
class Ingested:
    """A manifest, and an issue for everything that was not used as it is.

    ``root`` is the absolute folder that the paths of rows and issues are relative to.
    """

    manifest: Manifest
    issues: Issues
    root: str = field(default="", compare=False)
    by_folder: int = field(default=0, compare=False)
    """How many rows of the pool are labeled only by the name of their folder."""


def ingest(
    images: Images,
    *,
    classes: ClassNames | AnyPath | Sequence[str],
    labels: AnyPath | Sequence[Label] | None = None,
    test: AnyPath | None = None,
    encoding: str | None = None,
    folders: bool = False,
    on_progress: Progress | None = None,
) -> Ingested:
    """Find, hash and check images, and bind labels to them.

    ``images`` is a folder (read to the bottom), one image, a CSV or Parquet file that lists
    images, a Parquet file that holds them, or a sequence of paths, Pillow images or arrays.
    ``labels`` and ``test`` are each a table ``path,label`` or a folder with one folder for each
    class; ``labels`` may also be one name, position, -1 or None for each item of a sequence of
    images. What is in ``test`` never enters the pool, neither by its path nor by its content. ``encoding`` is that of
    the text files; without it they are read as UTF-8, or as cp932 where that gives Japanese, which an issue then says.
    With ``folders`` an image in a folder named like a class is of that class, unless ``labels`` say otherwise.

    Raises:
        DataError: a place does not exist, a label is unknown, no label matches an image, or no
            image can be used.
        MissingPackage: a Parquet file, and pyarrow is not installed.
    """
    names = ClassNames.of(classes, encoding)
    found = with_class_names(discover(images, _table_keys(classes, labels, test), encoding), names)
    tests = _read_labels_at(test, Sentence("test images"), found, encoding)
    labeled = _read_labels(images, labels, found, names, encoding)
    # the test may come from --test, and from a split in the labels or among the images
    test_labels = (tests.test_labels or tests.labels, labeled.test_labels, found.test_labels)
    tests = replace(tests, labels=concatenated(*test_labels))
    labeled = _without_test_images(labeled, tests)
    if outside := _test_images_outside(found, tests):
        tests = replace(tests, entries=outside)
    entries = found.entries  # among these alone nothing is listed twice
    if tests.entries or labeled.entries:
        entries = each_once(concatenated(entries, tests.entries, labeled.entries))
    of_pool, of_test = _match_labels(found, labeled, tests, entries, names)
    of_folders = _labels_of_folders(images, found, names, tests, of_test) if folders else Matched()
    merger = Merger(names, of_pool.labels, of_test.labels, of_folders.labels)
    rows, unused, by_folder = _merge(entries, merger, on_progress)
    issues = Issues(
        unused,
        text_remarks(classes, (images, labels, test), encoding),
        split_remarks(labels),
        *(part.issues for part in (found, tests, labeled, of_folders, of_pool, of_test)),
    )
    if labels is None:  # then people may have forgotten tables or columns of labels
        issues.extend(unread_remarks(found.unread, names))
        issues.extend(tables_among(found.root, unused))
    issues = issues.in_order()
    if not len(rows):
        raise _nothing_usable(images, found, issues.among(UNUSED))
    return Ingested(Manifest(rows, names), issues, found.root, by_folder)


def _table_keys(*places: object) -> set[str]:
    """Keys of the tables that were given: where they lie among the images they are no images."""
    paths = (os.fspath(place) for place in places if isinstance(place, str | os.PathLike))
    return {place_key(path) for path in paths}


def _read_labels_at(place: AnyPath | None, kind: str, found: Found, encoding: str | None) -> Found:
    if place is None:
        return Found(found.root, ())
    return read_labels(place, kind, found.root, encoding)


def _read_labels(
    images: Images,
    labels: AnyPath | Sequence[Label] | None,
    found: Found,
    names: ClassNames,
    encoding: str | None,
) -> Found:
    if labels is None or isinstance(labels, str | os.PathLike):
        return _read_labels_at(labels, Sentence("labels"), found, encoding)
    return Found(found.root, (), labels=aligned_labels(images, labels, names))


def _without_test_images(labeled: Found, tests: Found) -> Found:
    """The labels without those of test images: the folder of labels may contain the test folder."""
    if not tests.entries:
        return labeled
    gone = TextIndex(keys_of(tests.entries))
    entries = (entry.key not in gone for entry in labeled.entries)
    labels = (written.path not in gone for written in labeled.labels)
    return replace(
        labeled,
        entries=selected(labeled.entries, np.flatnonzero(np.fromiter(entries, np.bool_))),
        labels=selected(labeled.labels, np.flatnonzero(np.fromiter(labels, np.bool_))),
    )


def _test_images_outside(found: Found, tests: Found) -> Sequence[Entry]:
    """Entries for the files that a test table lists and that are not among the images."""
    if tests.entries:  # a folder brings all its images
        return ()
    index, bases = PathIndex(found.entries), (found.root, tests.root)
    missing = (written for written in tests.labels if index.by_place(written.path, bases) is None)
    folders = FolderNames()
    files = (_existing_file(written, bases, folders) for written in missing)
    return file_entries((path for path in files if path is not None), found.root)


def _existing_file(written: WrittenLabel, bases: Sequence[str], folders: FolderNames) -> str | None:
    for base in bases:
        path = os.path.abspath(os.path.join(base, native_separators(written.path)))
        found = path if os.path.isfile(openable(path)) else folders.similar(path)
        if found is not None and os.path.isfile(openable(found)):
            return found
    return None


def _labels_of_folders(
    images: Images, found: Found, names: ClassNames, tests: Found, of_test: Matched
) -> Matched:
    """Labels by folder names; none for embeddings and for a sequence, whose labels come in its own order."""
    of_embeddings = any(isinstance(one.source, EmbeddingSource) for one in found.entries[:1])
    if of_embeddings or not isinstance(images, str | os.PathLike):
        return Matched()
    splits = tuple(split_folders(Path(images)).values())
    test_keys: list[Container[str]]
    test_keys = [of_test.labels, TextIndex(keys_of(tests.entries))] if len(of_test.labels) else []
    return folder_labels(found.entries, names, test_keys=test_keys, splits=splits)


def _match_labels(
    found: Found, labeled: Found, tests: Found, entries: Sequence[Entry], names: ClassNames
) -> tuple[Matched, Matched]:
    """The labels of the pool, first those given as labels and then those found with the images; and of the test."""
    index = PathIndex(entries)
    shown = [entry.path for entry in entries[:SHOWN]]
    own = match(found, index, (found.root,), names, shown)
    given = match(labeled, index, (found.root, labeled.root), names, shown)
    return (
        Matched(given.labels.and_(own.labels), Issues(own.issues, given.issues)),
        match(tests, index, (found.root, tests.root, labeled.root), names, shown),
    )


def _merge(
    entries: Sequence[Entry], merger: Merger, on_progress: Progress | None
) -> tuple[Rows, Issues, int]:
    """One row for each content, the issues, and how many rows are labeled only by their folder."""
    issues = Issues()
    contents = _read_contents(entries, issues, on_progress)
    by_folder = 0

    def merged() -> Iterator[Row]:
        nonlocal by_folder
        for sha256, copies in contents.by_hash():
            row, left = merger.merge(sha256, copies)
            issues.extend(left)
            if row is not None:
                by_folder += merger.labeled_by_folder(row, copies)
                yield row

    rows = Rows.of(merged())
    return rows, issues, by_folder


@dataclass(frozen=True)
class _Contents:
    """The content hash of each entry, in the order of the entries."""

    entries: Sequence[Entry]
    hashes: Hashes
    """(N,) empty for an entry that cannot be used."""
    sources: dict[int, ImageSource]
    """Sources that replace those of the entries, by position."""

    def by_hash(self) -> Iterator[tuple[str, list[Entry]]]:
        """Each content hash, ascending, with the entries that have it."""
        order = np.argsort(self.hashes, kind="stable")
        order = order[self.hashes[order] != b""]
        ordered = self.hashes[order]
        begins = np.concatenate([[True], ordered[1:] != ordered[:-1], [True]])
        start = 0
        for end in map(int, np.flatnonzero(begins)[1:] if len(ordered) else ()):
            copies = [self._entry(number) for number in order[start:end].tolist()]
            yield ordered[start].decode("ascii"), copies
            start = end

    def _entry(self, number: int) -> Entry:
        entry, source = self.entries[number], self.sources.get(number)
        return entry if source is None else replace(entry, source=source)


def _read_contents(
    entries: Sequence[Entry], issues: Issues, on_progress: Progress | None
) -> _Contents:
    """Read and hash all entries; what cannot be used is added to ``issues``."""
    hashes, sources = np.zeros(len(entries), f"S{DIGITS}"), dict[int, ImageSource]()
    for number, answer in enumerate(examine_all(entries, on_progress)):
        if isinstance(answer, Issue):
            issues.append(answer)
            continue
        hashes[number] = answer.sha256.encode("ascii")
        if answer.source is not None:
            sources[number] = answer.source
        if answer.remark is not None:
            issues.append(answer.remark)
    return _Contents(entries, hashes, sources)


def _nothing_usable(images: Images, found: Found, issues: Issues) -> DataError:
    example = reasons = ""
    if issues:
        first, reasons = issues[0], Sentence(" ({tally})", tally=issues.tally())
        example = Sentence(" The first: {path}: {detail}.", path=first.path, detail=first.detail)
    if isinstance(images, str | os.PathLike):
        where = os.fspath(images)
        if not found.entries and not issues:
            is_table = where.casefold().endswith(TABLE_SUFFIXES)
            return DataError(NO_ROW if is_table else NO_FILE, where=where)
    else:
        where = Sentence("the list of images")
        if not found.entries:
            return DataError("{where} is empty. Give one image at least.", where=where)
    return DataError(
        "{where}: no usable image among {files} files{reasons}.{example} Give a folder with JPEG, PNG, BMP, TIFF or "
        "WebP images.",
        where=where,
        files=len(found.entries),
        reasons=reasons,
        example=example,
    )
