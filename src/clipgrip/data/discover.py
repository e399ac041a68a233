"""Where the images are: a folder, a file, a table, or a sequence; each becomes entries."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray
from PIL import Image

from clipgrip.data.embeddings import is_embeddings
from clipgrip.data.images import may_be_image
from clipgrip.data.issues import Issue
from clipgrip.data.nearby import Folders, difference
from clipgrip.data.sources import BytesSource, FileSource, ImageSource, ParquetSource
from clipgrip.data.splitnames import check_one_split
from clipgrip.data.tables import PARQUET_SUFFIXES, TABLE_SUFFIXES, Table, read_table
from clipgrip.data.walk import relative, walk
from clipgrip.errors import DataError
from clipgrip.files import AnyPath, openable
from clipgrip.sentences import mark

PATH_COLUMNS = (
    *("path", "file", "image", "filename", "file_name", "filepath", "image_path", "img"),
    *("image_name", "image_id", "id"),
)
LABEL_COLUMNS = ("label", "labels", "class")

Item = AnyPath | Image.Image | NDArray[Any] | ImageSource
Images = AnyPath | Sequence[Item]


@dataclass(frozen=True)
class Entry:
    """One image that may be usable: how it is shown, what identifies its place, and its bytes."""

    path: str
    key: str
    source: ImageSource
    sha256: str = ""
    """Its content hash where that is known already."""


@dataclass(frozen=True)
class Claim:
    """Somebody's statement that the image at ``path`` has ``label`` (as text)."""

    path: str
    label: str
    where: str
    folder: bool = False
    """Whether the label is the name of a folder, which may be written almost like the class."""


@dataclass(frozen=True)
class Found:
    """What lies under one place, in the order of the paths (or of the table, or the sequence)."""

    root: str
    entries: tuple[Entry, ...]
    issues: tuple[Issue, ...] = ()
    claims: tuple[Claim, ...] = field(default=())
    test_claims: tuple[Claim, ...] = field(default=())
    """Of images to measure on."""


def place_key(path: str) -> str:
    """The absolute path as files are told apart on this system."""
    return os.path.normcase(os.path.abspath(path))


def discover(images: Images, skip: Iterable[str] = (), encoding: str | None = None) -> Found:
    """List the images under a place without reading them; ``skip`` holds keys of table files.

    Raises:
        DataError: the place does not exist, or a table has no column with paths or images.
        MissingPackage: a Parquet file, and pyarrow is not installed.
    """
    if not isinstance(images, str | os.PathLike):
        return _from_sequence(images, frozenset(skip))
    path = os.path.abspath(os.fspath(images))
    if not os.path.exists(openable(path)):
        raise DataError(
            mark(
                "{images}: no such file or folder. Give a folder of images, one image, or a CSV or "
                "Parquet file that lists images."
            ),
            images=os.fspath(images),
        )
    if os.path.isdir(path):
        found = from_folder(path, path, frozenset(skip))
        shards = _shards(found)
        return _from_shards(shards, path) if shards else found
    if is_embeddings(path):
        from clipgrip.data.embeddedrows import from_embeddings

        return from_embeddings(path)
    if path.lower().endswith(PARQUET_SUFFIXES):
        return _from_parquet(path, os.path.dirname(path))
    if path.lower().endswith(TABLE_SUFFIXES):
        return _from_table(read_table(path, encoding), os.path.dirname(path))
    return Found(os.path.dirname(path), (file_entry(path, os.path.dirname(path)),))


def from_folder(folder: str, root: str, skip: frozenset[str] = frozenset()) -> Found:
    """All files below ``folder``, shown relative to ``root``; both are absolute."""
    files, issues = walk(folder, root)
    entries = (file_entry(path, root) for path in files)
    return Found(root, tuple(entry for entry in entries if entry.key not in skip), tuple(issues))


def _shards(found: Found) -> list[str]:
    """The Parquet files of a folder that holds no image besides; none where it does."""
    paths = [e.source.path for e in found.entries if isinstance(e.source, FileSource)]
    shards = [path for path in paths if path.lower().endswith(PARQUET_SUFFIXES)]
    others = (path for path in paths if not path.lower().endswith(PARQUET_SUFFIXES))
    return [] if not shards or any(map(may_be_image, others)) else shards


def file_entry(path: str, root: str) -> Entry:
    """An entry for the file at an absolute path."""
    return Entry(relative(path, root), place_key(path), FileSource(path))


def _from_sequence(items: Sequence[Item], skip: frozenset[str]) -> Found:
    paths = [os.path.abspath(os.fspath(i)) for i in items if isinstance(i, str | os.PathLike)]
    root = _common_folder(paths)
    entries: dict[str, Entry] = {}
    issues: list[Issue] = []
    for number, item in enumerate(items):
        if not isinstance(item, str | os.PathLike):
            entry = memory_entry(number, item)
            entries[entry.key] = entry
            continue
        path = os.path.abspath(os.fspath(item))
        if os.path.isdir(path):
            found = from_folder(path, root, skip)
            issues += found.issues
            entries.update((entry.key, entry) for entry in found.entries)
        else:
            _add_file(path, root, entries, issues, "given")
    return Found(root, tuple(entries.values()), tuple(issues))


def item_key(number: int, item: Item) -> str:
    """The key of an item of a sequence: its place, or its position when it is in memory."""
    if isinstance(item, str | os.PathLike):
        return place_key(os.fspath(item))
    return f"image-{number:06d}"


def memory_entry(number: int, item: Image.Image | NDArray[Any] | ImageSource) -> Entry:
    """An entry for an image without a path; it is shown by its position.

    Raises:
        DataError: an array that is no image.
    """
    name = item_key(number, item)
    source = item if isinstance(item, ImageSource) else BytesSource.of(item)
    return Entry(name, name, source)


def _add_file(
    path: str, root: str, entries: dict[str, Entry], issues: list[Issue], where: str
) -> None:
    entry = file_entry(path, root)
    if os.path.lexists(openable(path)):
        entries.setdefault(entry.key, entry)
    else:
        issues.append(Issue(entry.path, "missing-file", f"{where}, but there is no such file"))


def _common_folder(paths: list[str]) -> str:
    folders = [path if os.path.isdir(path) else os.path.dirname(path) for path in paths]
    try:
        return os.path.commonpath(folders) if folders else os.getcwd()
    except ValueError:  # several drives
        return os.getcwd()


def _from_table(table: Table, root: str) -> Found:
    column = table.need(PATH_COLUMNS)
    entries: dict[str, Entry] = {}
    issues: list[Issue] = []
    folders = Folders()
    for number, row in enumerate(table.rows):
        path, where = os.path.abspath(os.path.join(root, native(row[column]))), table.where(number)
        found = path if os.path.lexists(openable(path)) else folders.nearby(path)
        if found and found != path:
            shown, how = relative(found, root), difference(path, found)
            detail = f"{where}: taken for {shown}, which differs in {how}"
            issues.append(Issue(relative(path, root), "matched-by-name", detail))
        _add_file(found or path, root, entries, issues, where)
    return Found(root, tuple(entries.values()), tuple(issues), table_claims(table, column))


def table_claims(table: Table, column: int, required: bool = False) -> tuple[Claim, ...]:
    """One claim for each row that has a path.

    Raises:
        DataError: there is no label column although it is ``required``.
    """
    label = table.need(LABEL_COLUMNS) if required else table.find(LABEL_COLUMNS)
    if label is None:
        return ()
    return tuple(
        Claim(row[column], row[label], table.where(number))
        for number, row in enumerate(table.rows)
        if row[column].strip()
    )


def native(path: str) -> str:
    """A path from a table with this system's separators; ``\\`` is never a name in one."""
    return path.replace("\\", "/").strip() if os.sep == "/" else path.strip()


def _from_parquet(path: str, root: str) -> Found:
    """Images in the cells of a file, or beside it where a cell holds a path alone; keys are below ``root``."""
    from clipgrip.data.parquet import image_column, inner_paths, lacking_bytes, open_parquet

    table, folder = read_table(path), os.path.dirname(path)
    file = open_parquet(path)
    column = image_column(file)
    if column is None:
        return _from_table(table, folder)
    inner, lacking = inner_paths(file, column), lacking_bytes(file, column)
    names = _cell_names(inner, os.path.basename(path))
    entries = []
    for number, (name, (group, row)) in enumerate(zip(names, _cells(file), strict=True)):
        beside = inner[number] if number in lacking else None
        if beside:
            entries.append(file_entry(os.path.abspath(os.path.join(folder, native(beside))), root))
            continue
        shown = relative(os.path.join(folder, name), root)
        source = ParquetSource(path, group, row, column)
        entries.append(Entry(shown, place_key(os.path.join(folder, name)), source))
    label = table.find(LABEL_COLUMNS)
    claims = (
        ()
        if label is None
        else tuple(
            Claim(entry.key, row[label], table.where(number))
            for number, (entry, row) in enumerate(zip(entries, table.rows, strict=True))
        )
    )
    return Found(root, tuple(entries), (), claims)


def _from_shards(paths: Sequence[str], root: str) -> Found:
    """The images of several Parquet files, as one data set is often cut."""
    check_one_split(paths)
    parts = [_from_parquet(path, root) for path in paths]
    entries: dict[str, Entry] = {}
    for path, part in zip(paths, parts, strict=True):
        for entry in part.entries:
            if entry.key in entries:
                raise DataError(
                    mark(
                        "{path}: the image {path_2} stands in an earlier file of {root} too. Give one of the "
                        "files, or rename the images within."
                    ),
                    path=path,
                    path_2=entry.path,
                    root=root,
                )
            entries[entry.key] = entry
    issues = tuple(issue for part in parts for issue in part.issues)
    claims = tuple(claim for part in parts for claim in part.claims)
    return Found(root, tuple(entries.values()), issues, claims)


def _cells(file: Any) -> list[tuple[int, int]]:
    sizes = [file.metadata.row_group(g).num_rows for g in range(file.metadata.num_row_groups)]
    return [(group, row) for group, size in enumerate(sizes) for row in range(size)]


def _cell_names(inner: list[str | None], file_name: str) -> list[str]:
    if all(inner) and len(set(inner)) == len(inner):
        return [str(name).replace("\\", "/").lstrip("/") for name in inner]
    return [f"{file_name}#{number:06d}" for number in range(len(inner))]
