"""From places on a disk to a manifest, with every file either used or accounted for."""

from __future__ import annotations

import os
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from clipgrip.data.claims import Label, aligned_claims, read_claims, split_remarks
from clipgrip.data.classes import ClassNames
from clipgrip.data.columns import chained, picked
from clipgrip.data.discover import Images, discover
from clipgrip.data.embeddedrows import numbered_claims
from clipgrip.data.entries import (
    Claim,
    Entry,
    Found,
    each_once,
    file_entries,
    keys_of,
    native,
    place_key,
)
from clipgrip.data.foldernames import folder_labels
from clipgrip.data.hashing import Progress, examine_all
from clipgrip.data.issues import UNUSED, Issue, Issues
from clipgrip.data.manifest import Manifest
from clipgrip.data.match import SHOWN, Matched, PathIndex, match
from clipgrip.data.merge import Merger
from clipgrip.data.nearby import Folders
from clipgrip.data.remarks import tables_among, text_remarks
from clipgrip.data.rows import DIGITS, Hashes, Row, Rows
from clipgrip.data.sources import EmbeddingSource, ImageSource
from clipgrip.data.splitnames import split_folders
from clipgrip.data.tablerows import unread_remarks
from clipgrip.data.tables import TABLE_SUFFIXES
from clipgrip.data.texts import Keyed
from clipgrip.errors import DataError
from clipgrip.files import AnyPath, openable
from clipgrip.sentences import Sentence, mark


@dataclass(frozen=True)
class Ingested:
    """The manifest, and an issue for everything that was not used as it stands.

    ``root`` is the absolute folder that the paths of rows and issues are relative to.
    """

    manifest: Manifest
    issues: Issues
    root: str = field(default="", compare=False)
    by_folder: int = field(default=0, compare=False)
    """Rows of the pool whose label is that of a folder named like a class."""


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
    images. What is in ``test`` never enters the pool, by place and by content. ``encoding`` is that of the text files;
    without it they are UTF-8 or, where that is Japanese, cp932, and an issue says so. With ``folders`` an
    image in a folder of ``images`` that is named like a class is of it, unless ``labels`` say otherwise.

    Raises:
        DataError: a place does not exist, a label is unknown, no label matches an image, or no
            image can be used.
        MissingPackage: a Parquet file, and pyarrow is not installed.
    """
    names = ClassNames.of(classes, encoding)
    found = numbered_claims(discover(images, _table_keys(classes, labels, test), encoding), names)
    tests = _brought(test, Sentence("test images"), found, encoding)
    labeled = _labeled(images, labels, found, names, encoding)
    judged = (tests.test_claims or tests.claims, labeled.test_claims, found.test_claims)
    tests = replace(tests, claims=chained(*judged))
    labeled = _without_places(labeled, tests)
    if outside := _listed_outside(found, tests):
        tests = replace(tests, entries=outside)
    entries = _once(found.entries, tests.entries, labeled.entries)
    matched = _matched(found, labeled, tests, entries, names)
    named = _named(images, found, names, tests, matched[1]) if folders else Matched()
    merger = Merger(names, matched[0].statements, matched[1].statements, named.statements)
    rows, issues, by_folder = _rows(entries, merger, on_progress)
    remarks = (part.issues for part in (found, tests, labeled, named, *matched))
    of_texts = text_remarks(classes, (images, labels, test), encoding)
    unread = unread_remarks(found.unread if labels is None else (), names)
    among = tables_among(found.root, issues) if labels is None else ()
    of_split = split_remarks(labels)
    everything = Issues(issues, of_texts, unread, among, of_split, *remarks).in_order()
    if not len(rows):
        raise _nothing_usable(images, found, everything.among(UNUSED))
    return Ingested(Manifest(rows, names), everything, found.root, by_folder)


def _table_keys(*places: object) -> set[str]:
    """Keys of the tables that are read as tables, should they lie among the images."""
    paths = (os.fspath(place) for place in places if isinstance(place, str | os.PathLike))
    return {place_key(path) for path in paths}


def _brought(place: AnyPath | None, kind: str, found: Found, encoding: str | None) -> Found:
    if place is None:
        return Found(found.root, ())
    return read_claims(place, kind, found.root, encoding)


def _labeled(
    images: Images,
    labels: AnyPath | Sequence[Label] | None,
    found: Found,
    names: ClassNames,
    encoding: str | None,
) -> Found:
    if labels is None or isinstance(labels, str | os.PathLike):
        return _brought(labels, Sentence("labels"), found, encoding)
    return Found(found.root, (), claims=aligned_claims(images, labels, names))


def _without_places(labeled: Found, tests: Found) -> Found:
    """Class folders with labels may enclose the test folder; its images are not theirs."""
    if not tests.entries:
        return labeled
    gone = Keyed(keys_of(tests.entries))
    entries = (entry.key not in gone for entry in labeled.entries)
    claims = (claim.path not in gone for claim in labeled.claims)
    return replace(
        labeled,
        entries=picked(labeled.entries, np.flatnonzero(np.fromiter(entries, np.bool_))),
        claims=picked(labeled.claims, np.flatnonzero(np.fromiter(claims, np.bool_))),
    )


def _listed_outside(found: Found, tests: Found) -> Sequence[Entry]:
    """Images that a test table lists and that lie outside the images."""
    if tests.entries:  # a folder brings all its images
        return ()
    index, bases = PathIndex(found.entries), (found.root, tests.root)
    missing = (claim for claim in tests.claims if index.by_place(claim.path, bases) is None)
    folders = Folders()
    files = (_existing(claim, bases, folders) for claim in missing)
    return file_entries((path for path in files if path is not None), found.root)


def _existing(claim: Claim, bases: Sequence[str], folders: Folders) -> str | None:
    for base in bases:
        path = os.path.abspath(os.path.join(base, native(claim.path)))
        found = path if os.path.isfile(openable(path)) else folders.nearby(path)
        if found is not None and os.path.isfile(openable(found)):
            return found
    return None


def _named(
    images: Images, found: Found, names: ClassNames, tests: Found, judged: Matched
) -> Matched:
    """What the folders say; nothing of embeddings, nor of a list in memory, where the order is all that is said."""
    of_embeddings = any(isinstance(one.source, EmbeddingSource) for one in found.entries[:1])
    if of_embeddings or not isinstance(images, str | os.PathLike):
        return Matched()
    splits = tuple(split_folders(Path(images)).values())
    apart: list[Container[str]]
    apart = [judged.statements, Keyed(keys_of(tests.entries))] if len(judged.statements) else []
    return folder_labels(found.entries, names, apart=apart, splits=splits)


def _once(first: Sequence[Entry], *groups: Sequence[Entry]) -> Sequence[Entry]:
    """All entries, of one place the first; those of one group are of places of their own."""
    return each_once(chained(first, *groups)) if any(groups) else first


def _matched(
    found: Found, labeled: Found, tests: Found, entries: Sequence[Entry], names: ClassNames
) -> tuple[Matched, Matched]:
    index = PathIndex(entries)
    shown = [entry.path for entry in entries[:SHOWN]]
    own = match(found, index, (found.root,), names, shown)
    given = match(labeled, index, (found.root, labeled.root), names, shown)
    statements = given.statements.and_(own.statements)
    return (
        Matched(statements, Issues(own.issues, given.issues)),
        match(tests, index, (found.root, tests.root, labeled.root), names, shown),
    )


def _rows(
    entries: Sequence[Entry], merger: Merger, on_progress: Progress | None
) -> tuple[Rows, Issues, int]:
    """The rows, an issue for what is left out, and how many rows a folder alone labels."""
    issues = Issues()
    contents = _contents(entries, issues, on_progress)
    by_folder = 0

    def merged() -> Iterator[Row]:
        nonlocal by_folder
        for sha256, alike in contents.alike():
            row, left = merger.merge(sha256, alike)
            issues.extend(left)
            if row is not None:
                by_folder += merger.labeled_by_folder(row, alike)
                yield row

    rows = Rows.of(merged())
    return rows, issues, by_folder


@dataclass(frozen=True)
class _Contents:
    """What was read: the content of each usable entry, in the order of the entries."""

    entries: Sequence[Entry]
    hashes: Hashes
    """Empty where an entry is not usable."""
    sources: dict[int, ImageSource]
    """Where some are read from now on."""

    def alike(self) -> Iterator[tuple[str, list[Entry]]]:
        """Each content with its entries, by its hash."""
        order = np.argsort(self.hashes, kind="stable")
        order = order[self.hashes[order] != b""]
        ordered = self.hashes[order]
        begins = np.concatenate([[True], ordered[1:] != ordered[:-1], [True]])
        start = 0
        for end in map(int, np.flatnonzero(begins)[1:] if len(ordered) else ()):
            alike = [self._entry(number) for number in order[start:end].tolist()]
            yield ordered[start].decode("ascii"), alike
            start = end

    def _entry(self, number: int) -> Entry:
        entry, source = self.entries[number], self.sources.get(number)
        return entry if source is None else replace(entry, source=source)


def _contents(entries: Sequence[Entry], issues: Issues, on_progress: Progress | None) -> _Contents:
    """Read all; what is wrong is added to ``issues``."""
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


NO_FILE = mark(
    "{where}: no usable image, and no file at all. Put images there (JPEG, PNG, BMP, TIFF or WebP), or give another "
    "folder."
)


NO_ROW = mark(
    "{where}: the table names no image: there is nothing below its heading. Give one row for each image."
)


def _nothing_usable(images: Images, found: Found, issues: Issues) -> DataError:
    example = (
        Sentence(" The first: {path}: {detail}.", path=issues[0].path, detail=issues[0].detail)
        if issues
        else ""
    )
    reasons = f" ({issues.tally()})" if issues else ""
    where = (
        os.fspath(images)
        if isinstance(images, str | os.PathLike)
        else Sentence("the list of images")
    )
    if not found.entries and not isinstance(images, str | os.PathLike):
        return DataError("{where} is empty. Give one image at least.", where=where)
    if not found.entries and not issues:
        is_table = os.fspath(where).casefold().endswith(TABLE_SUFFIXES)
        return DataError(NO_ROW if is_table else NO_FILE, where=where)
    return DataError(
        "{where}: no usable image among {n} files{reasons}.{example} Give a folder with JPEG, PNG, BMP, TIFF or "
        "WebP images.",
        where=where,
        n=len(found.entries),
        reasons=reasons,
        example=example,
    )
