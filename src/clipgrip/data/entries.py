"""Images that were found but not read yet, the labels beside them, and the paths by which tables name them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from clipgrip.data.issues import Issue, Issues
from clipgrip.data.lazy import LazyItems, selected
from clipgrip.data.sources import FileSource, ImageSource, StoreSource
from clipgrip.data.stores import join_url, local_of, url_of
from clipgrip.data.texts import Texts, unique_positions
from clipgrip.data.walk import relative
from clipgrip.files import openable
from clipgrip.sentences import Sentence

PATH_COLUMNS = (
    *("path", "file", "image", "filename", "file_name", "filepath", "image_path", "img"),
    *("image_name", "image_id", "id"),
    *("画像", "ファイル名", "ファイル", "パス"),
)
"""Names of the column of paths, as tools and people in a plant call it."""
LABEL_COLUMNS = ("label", "labels", "class", "ラベル", "クラス")


@dataclass(frozen=True, slots=True)
class Entry:
    """One image that may be usable.

    ``path`` is how people see it, ``key`` identifies where it lies (`place_key`), ``source`` gives its bytes.
    """

    path: str
    key: str
    source: ImageSource
    sha256: str = ""
    """Its content hash, where that is known without reading it."""


@dataclass(frozen=True, slots=True)
class WrittenLabel:
    """A label as a table, folder or file gives it: the text ``label`` for the image at ``path``.

    ``where`` says in errors where it stands. `match.ResolvedLabel` is what becomes of it.
    """

    path: str
    label: str
    where: str
    numbered: bool = False
    """Whether a whole number that names no class is a class position."""
    folder: bool = False
    """Whether the label is the name of a folder, which may differ a little from the class name."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A column, or the members of a tar, that is not read but may hold labels: its first texts."""

    place: str
    column: str
    values: frozenset[str]


@dataclass(frozen=True)
class Found:
    """The images under one place, in the order of the paths, the table or the sequence, with the labels found there."""

    root: str
    entries: Sequence[Entry]
    issues: Issues = field(default_factory=Issues)
    labels: Sequence[WrittenLabel] = ()
    test_labels: Sequence[WrittenLabel] = ()
    """Labels of images to measure on."""
    unread: tuple[Unread, ...] = ()


def place_key(path: str) -> str:
    """What identifies a file here: its absolute path in the system's case, or the URL of an object."""
    return url_of(path) or os.path.normcase(os.path.abspath(path))


def file_entry(path: str, root: str) -> Entry:
    """An entry for the file at an absolute path, or the object at a URL."""
    if (url := url_of(path)) is not None:
        return Entry(relative(url, root), url, StoreSource(url))
    return Entry(relative(path, root), place_key(path), FileSource(path))


def file_entries(paths: Iterable[str], root: str) -> LazyItems[Entry]:
    """Entries for files or objects, none of which may stand twice."""
    texts = paths if isinstance(paths, Texts) else Texts(paths)
    return LazyItems(len(texts), lambda place: file_entry(texts[place], root))


def keys_of(entries: Sequence[Entry]) -> LazyItems[str]:
    """The key of each entry."""
    return LazyItems(len(entries), lambda place: entries[place].key)


def each_once(entries: Sequence[Entry]) -> Sequence[Entry]:
    """The entries without repetitions: of those with one key, the first."""
    return selected(entries, unique_positions(keys_of(entries)))


def exists_or_issue(path: str, root: str, issues: Issues, where: str) -> bool:
    """Whether a file exists; else an issue is added that says ``where`` it was listed. A store is not asked."""
    if url_of(path) is not None or os.path.lexists(openable(path)):
        return True
    detail = Sentence("{where}, but there is no such file", where=where)
    issues.append(Issue(relative(path, root), "missing-file", detail))
    return False


def resolved(path: str, root: str) -> str:
    """The absolute path or URL for a path that a table in ``root`` names."""
    written = native_separators(local_of(path))
    if url := url_of(written) or (url_of(root) and join_url(root, written)):
        return url
    return os.path.abspath(os.path.join(root, written))


def backslash_file(path: str, root: str) -> str | None:
    """The absolute path of a file whose name contains ``\\``, as Linux allows; None where no such file exists."""
    found = os.path.abspath(os.path.join(root, local_of(path).strip()))
    return found if os.sep == "/" and "\\" in path and os.path.isfile(openable(found)) else None


def native_separators(path: str) -> str:
    """A path as a table writes it, with this system's separators. See `backslash_file` for names that hold ``\\``."""
    return path.replace("\\", "/").strip() if os.sep == "/" else path.strip()
