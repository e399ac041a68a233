"""Lists the images of a folder, a file, a table, a store or a sequence as entries, without reading them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

from numpy.typing import NDArray
from PIL import Image

from clipgrip.data.embeddings import is_embeddings
from clipgrip.data.entries import (
    Entry,
    Found,
    each_once,
    exists_or_issue,
    file_entries,
    file_entry,
    place_key,
)
from clipgrip.data.images import may_be_image
from clipgrip.data.issues import Issues
from clipgrip.data.lazy import LazyItems
from clipgrip.data.packed import (
    TARS_AND_TABLES,
    expand_range,
    from_packed,
    from_store,
    is_packed,
    packed_below,
)
from clipgrip.data.sources import BytesSource, ImageSource
from clipgrip.data.stores import local_of, url_of
from clipgrip.data.tablerows import from_table
from clipgrip.data.tables import PARQUET_SUFFIXES, TABLE_SUFFIXES, TEXT_SUFFIXES, read_table
from clipgrip.data.texts import Texts
from clipgrip.data.walk import walk
from clipgrip.errors import DataError
from clipgrip.files import AnyPath, openable
from clipgrip.sentences import Sentence, mark

Item = AnyPath | Image.Image | NDArray[Any] | ImageSource
Images = AnyPath | Sequence[Item]

NO_IMAGES = (".txt", ".json", ".jsonl", ".xlsx", ".xls", ".ods", ".zip", ".7z", ".rar")
"""Endings of files that people give by mistake where images are wanted."""
NO_LIST = mark(
    "{images} is no image, and no list of images that is read. Give a folder of images (an archive unpacked), or a CSV "
    "or Parquet file with a column path."
)


def discover(images: Images, skip: Iterable[str] = (), encoding: str | None = None) -> Found:
    """List the images under a place without reading them; ``skip`` holds keys of tables, which are no images.

    Raises:
        DataError: the place does not exist, or a table has no column with paths or images.
        MissingPackage: a Parquet file, and pyarrow is not installed.
    """
    if not isinstance(images, str | os.PathLike):
        return _from_sequence(images, frozenset(skip))
    if (url := url_of(images)) is not None:
        return _from_embeddings(url) if is_embeddings(url) else from_store(url)
    path = os.path.abspath(local_of(images))
    if is_embeddings(path):
        return _from_embeddings(path)
    if not os.path.exists(openable(path)) and len(names := expand_range(path)) > 1:
        return from_packed([_check_exists(name, images) for name in names], os.path.dirname(path))
    _check_exists(path, images)
    if os.path.isdir(path):
        files, issues = _walk_without(path, path, frozenset(skip))
        packed = _packed_alone(files)
        if packed:
            return from_packed(packed, path)
        return Found(path, file_entries(files, path), issues)
    if is_packed(path):
        return from_packed([path], os.path.dirname(path))
    if path.lower().endswith(TABLE_SUFFIXES):
        return from_table(read_table(path, encoding), os.path.dirname(path))
    if path.lower().endswith(NO_IMAGES) and not may_be_image(path):
        raise DataError(NO_LIST, images=os.fspath(images))
    return Found(os.path.dirname(path), (file_entry(path, os.path.dirname(path)),))


def _from_embeddings(path: str) -> Found:
    from clipgrip.data.embeddedrows import from_embeddings

    return from_embeddings(path)


def _check_exists(path: str, images: AnyPath) -> str:
    if not os.path.exists(openable(path)):
        raise DataError(
            "{images}: no such file or folder. Give a folder of images, one image, a CSV or Parquet file that "
            "lists images, tar or Parquet files that hold them, or a URL such as s3://bucket/folder.",
            images=os.fspath(images) if path == os.path.abspath(os.fspath(images)) else path,
        )
    return path


def packed_files(place: AnyPath) -> list[str]:
    """The tar or Parquet files that a place stands for; empty where it holds loose images, or is a text table.

    Raises:
        DataError: nothing is there, or a store cannot be reached.
    """
    if is_embeddings(place):
        return []
    if (url := url_of(place)) is not None:
        names = expand_range(url.rstrip("/"))
        return names if is_packed(names[0]) else packed_below(names[0])
    path = os.path.abspath(local_of(place))
    if os.path.isdir(path):
        return _packed_alone(walk(path, path)[0])
    names = [path] if os.path.exists(openable(path)) else expand_range(path)
    return [_check_exists(name, place) for name in names] if is_packed(names[0]) else []


def is_packed_place(place: AnyPath) -> bool:
    """Whether a place holds its images packed or in a store, so neither as files nor as a table of paths."""
    path = local_of(place)
    if is_embeddings(place):
        return False
    if (url := url_of(place)) is not None:
        return not url.lower().endswith(TEXT_SUFFIXES)
    if os.path.isdir(path):
        return bool(_packed_alone(walk(os.path.abspath(path), os.path.abspath(path))[0]))
    if path.lower().endswith(PARQUET_SUFFIXES) and os.path.isfile(path):
        from clipgrip.data.parquet import image_column, open_parquet

        return image_column(open_parquet(path)) is not None
    return is_packed(path) or len(expand_range(path)) > 1


def from_folder(folder: str, root: str) -> Found:
    """All files below ``folder``, shown relative to ``root``; both are absolute."""
    files, issues = walk(folder, root)
    return Found(root, file_entries(files, root), issues)


def _walk_without(folder: str, root: str, skip: frozenset[str]) -> tuple[Texts, Issues]:
    """As `walk`, without the files whose keys are in ``skip``."""
    files, issues = walk(folder, root)
    if skip:
        files = Texts(path for path in files if place_key(path) not in skip)
    return files, issues


def _packed_alone(files: Texts) -> list[str]:
    """The Parquet and tar files of a folder; empty where images lie beside them."""
    packed = [path for path in files if path.lower().endswith(TARS_AND_TABLES)]
    others = (path for path in files if not path.lower().endswith(TARS_AND_TABLES))
    return [] if not packed or any(map(may_be_image, others)) else packed


def _from_sequence(items: Sequence[Item], skip: frozenset[str]) -> Found:
    paths = [os.path.abspath(os.fspath(i)) for i in items if isinstance(i, str | os.PathLike)]
    root = _common_folder(paths)
    paths_found, in_memory, issues = Texts(), dict[int, Entry](), Issues()
    for number, item in enumerate(items):
        if not isinstance(item, str | os.PathLike):
            in_memory[len(paths_found)] = memory_entry(number, item)
            paths_found.append("")
            continue
        path = os.path.abspath(os.fspath(item))
        if os.path.isdir(path):
            files, left = _walk_without(path, root, skip)
            issues.extend(left)
            paths_found.extend(files)
        elif exists_or_issue(path, root, issues, Sentence("given")):
            paths_found.append(path)

    def entry(position: int) -> Entry:
        return in_memory.get(position) or file_entry(paths_found[position], root)

    return Found(root, each_once(LazyItems(len(paths_found), entry)), issues)


def item_key(number: int, item: Item) -> str:
    """The key of an item of a sequence: that of its path, or one from its position where it is in memory."""
    if isinstance(item, str | os.PathLike):
        return place_key(os.fspath(item))
    return f"image-{number:06d}"


def memory_entry(number: int, item: Image.Image | NDArray[Any] | ImageSource) -> Entry:
    """An entry for an image in memory, named by its position.

    Raises:
        DataError: an array that is no image.
    """
    name = item_key(number, item)
    source = item if isinstance(item, ImageSource) else BytesSource.of(item)
    return Entry(name, name, source)


def _common_folder(paths: list[str]) -> str:
    folders = [path if os.path.isdir(path) else os.path.dirname(path) for path in paths]
    try:
        return os.path.commonpath(folders) if folders else os.getcwd()
    except ValueError:  # paths on several drives
        return os.getcwd()
