"""Images that may be usable, and what is said of them, before any is read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar, overload

from clipgrip.data.issues import Issue, Issues
from clipgrip.data.sources import FileSource, ImageSource, StoreSource
from clipgrip.data.stores import joined, local_of, url_of
from clipgrip.data.texts import Texts
from clipgrip.data.walk import relative
from clipgrip.files import openable
from clipgrip.sentences import Sentence

PATH_COLUMNS = (
    *("path", "file", "image", "filename", "file_name", "filepath", "image_path", "img"),
    *("image_name", "image_id", "id"),
)
LABEL_COLUMNS = ("label", "labels", "class")


@dataclass(frozen=True, slots=True)
class Entry:
    """One image that may be usable: how it is shown, what identifies its place, and its bytes."""

    path: str
    key: str
    source: ImageSource
    sha256: str = ""
    """Its content hash where that is known already."""


Thing = TypeVar("Thing")


class Listed(Sequence[Thing]):
    """Things that are made when they are asked for, so that many millions are no objects before they are read."""

    def __init__(self, count: int, make: Callable[[int], Thing]) -> None:
        self._places, self._make = range(count), make

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, place: int) -> Thing: ...
    @overload
    def __getitem__(self, place: slice) -> list[Thing]: ...
    def __getitem__(self, place: int | slice) -> Thing | list[Thing]:
        found = self._places[place]
        return self._make(found) if isinstance(found, int) else [self._make(n) for n in found]


@dataclass(frozen=True, slots=True)
class Claim:
    """Somebody's statement that the image at ``path`` has ``label`` (as text)."""

    path: str
    label: str
    where: str
    numbered: bool = False
    """Whether a whole number is the position of a class, where none has that name."""
    folder: bool = False
    """Whether the label is the name of a folder, which may be written almost like the class."""


@dataclass(frozen=True, slots=True)
class Unread:
    """What nobody reads as labels although it may hold some: the first texts of a column, or of members of a tar."""

    place: str
    column: str
    values: frozenset[str]


@dataclass(frozen=True)
class Found:
    """What lies under one place, in the order of the paths (or of the table, or the sequence)."""

    root: str
    entries: Sequence[Entry]
    issues: Issues = field(default_factory=Issues)
    claims: Sequence[Claim] = ()
    test_claims: Sequence[Claim] = ()
    """Of images to measure on."""
    unread: tuple[Unread, ...] = ()


def place_key(path: str) -> str:
    """The absolute path as files are told apart on this system; the URL of an object in a store."""
    return url_of(path) or os.path.normcase(os.path.abspath(path))


def file_entry(path: str, root: str) -> Entry:
    """An entry for the file at an absolute path, or the object at a URL."""
    if (url := url_of(path)) is not None:
        return Entry(relative(url, root), url, StoreSource(url))
    return Entry(relative(path, root), place_key(path), FileSource(path))


def file_entries(paths: Iterable[str], root: str) -> Listed[Entry]:
    """The same of many, each of a place of its own."""
    texts = Texts(paths)
    return Listed(len(texts), lambda place: file_entry(texts[place], root))


def add_file(path: str, root: str, entries: dict[str, Entry], issues: Issues, where: str) -> None:
    """An entry for a file that is there, else an issue that says ``where`` it was named; a store is not asked."""
    entry = file_entry(path, root)
    if isinstance(entry.source, StoreSource) or os.path.lexists(openable(path)):
        entries.setdefault(entry.key, entry)
    else:
        issues.append(
            Issue(
                entry.path,
                "missing-file",
                Sentence("{where}, but there is no such file", where=where),
            )
        )


def placed(path: str, root: str) -> str:
    """The absolute path, or the URL, of what a table in ``root`` names."""
    written = native(local_of(path))
    if url := url_of(written) or (url_of(root) and joined(root, written)):
        return url
    return os.path.abspath(os.path.join(root, written))


def native(path: str) -> str:
    """A path from a table with this system's separators; ``\\`` is never a name in one."""
    return path.replace("\\", "/").strip() if os.sep == "/" else path.strip()
