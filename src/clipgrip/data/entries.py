"""Images that may be usable, and what is said of them, before any is read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from clipgrip.data.columns import Listed, picked
from clipgrip.data.issues import Issue, Issues
from clipgrip.data.sources import FileSource, ImageSource, StoreSource
from clipgrip.data.stores import joined, local_of, url_of
from clipgrip.data.texts import Texts, once
from clipgrip.data.walk import relative
from clipgrip.files import openable
from clipgrip.sentences import Sentence

PATH_COLUMNS = (
    *("path", "file", "image", "filename", "file_name", "filepath", "image_path", "img"),
    *("image_name", "image_id", "id"),
    *("画像", "ファイル名", "ファイル", "パス"),
)
"""As tools and people in a plant call it."""
LABEL_COLUMNS = ("label", "labels", "class", "ラベル", "クラス")


@dataclass(frozen=True, slots=True)
class Entry:
    """One image that may be usable: how it is shown, what identifies its place, and its bytes."""

    path: str
    key: str
    source: ImageSource
    sha256: str = ""
    """Its content hash where that is known already."""


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
    texts = paths if isinstance(paths, Texts) else Texts(paths)
    return Listed(len(texts), lambda place: file_entry(texts[place], root))


def keys_of(entries: Sequence[Entry]) -> Listed[str]:
    """Their keys."""
    return Listed(len(entries), lambda place: entries[place].key)


def each_once(entries: Sequence[Entry]) -> Sequence[Entry]:
    """The entries, of one place the first."""
    return picked(entries, once(keys_of(entries)))


def is_listed(path: str, root: str, issues: Issues, where: str) -> bool:
    """Whether a file is there, else an issue says ``where`` it was named; a store is not asked."""
    if url_of(path) is not None or os.path.lexists(openable(path)):
        return True
    detail = Sentence("{where}, but there is no such file", where=where)
    issues.append(Issue(relative(path, root), "missing-file", detail))
    return False


def placed(path: str, root: str) -> str:
    """The absolute path, or the URL, of what a table in ``root`` names."""
    written = native(local_of(path))
    if url := url_of(written) or (url_of(root) and joined(root, written)):
        return url
    return os.path.abspath(os.path.join(root, written))


def as_written(path: str, root: str) -> str | None:
    """The absolute path of a file whose name really holds ``\\``, as Linux allows; None where there is none."""
    found = os.path.abspath(os.path.join(root, local_of(path).strip()))
    return found if os.sep == "/" and "\\" in path and os.path.isfile(openable(found)) else None


def native(path: str) -> str:
    """A path from a table with this system's separators; ``\\`` is one unless a file is called so (`as_written`)."""
    return path.replace("\\", "/").strip() if os.sep == "/" else path.strip()
