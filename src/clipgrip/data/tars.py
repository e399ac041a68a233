"""Tar files of images, as WebDataset writes them: what belongs to one picture has one key.

The key is a member's name up to the first point in its last part; what follows says what the member is. Images are
members with a picture's ending, labels those that end with ``.cls`` (a class's position or name) or ``.json``.
"""

from __future__ import annotations

import json
import posixpath
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from clipgrip.data.stores import opened
from clipgrip.errors import DataError

SUFFIXES = (".tar",)
COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
IMAGE_ENDINGS = frozenset(
    ("jpg", "jpeg", "jpe", "jp2", "png", "webp", "bmp", "gif", "tif", "tiff", "heic", "heif")
) | {"avif", "ppm", "pgm", "pbm", "pnm", "img", "image"}
LABEL_KEYS = ("label", "labels", "class", "cls", "class_name")
"""In a JSON member, the first of these."""
MOST_LABEL_BYTES = 1 << 20


@dataclass(frozen=True)
class TarImage:
    """An image in a tar file: its name, where its bytes lie, and what the tar says it is."""

    name: str
    offset: int
    size: int
    label: str | None = None


def key_and_ending(name: str) -> tuple[str, str]:
    """``a/b.left.JPG`` -> ``("a/b", "left.jpg")``."""
    folder, base = posixpath.split(name)
    key, _, ending = base.partition(".")
    return posixpath.join(folder, key), ending.lower()


def members(path: str) -> Iterator[TarImage]:
    """The images of a tar file on a disk or in a store, in its order; only headers and labels are read.

    Raises:
        DataError: it is compressed, damaged, or cannot be read.
    """
    check_plain(path)
    try:
        with opened(path) as file, tarfile.open(fileobj=file, mode="r:") as tar:
            yield from _grouped(tar)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise DataError(
            "{path} cannot be read as a tar file: {error}.", path=path, error=error
        ) from error


def check_plain(path: str) -> None:
    """DataError of a compressed tar file: nothing in it can be read without all that stands before."""
    if path.lower().endswith(COMPRESSED):
        raise DataError(
            "{path} is a compressed tar file, in which no image can be found again. Unpack it to a plain .tar.",
            path=path,
        )


def _grouped(tar: tarfile.TarFile) -> Iterator[TarImage]:
    """Members of one key stand together, so a label is known when the next key begins."""
    key, images, label = "", list[TarImage](), None
    for info in tar:
        vars(tar)["members"].clear()  # or it keeps every member of the file
        if not info.isfile() or posixpath.basename(info.name).startswith("."):
            continue
        name = posixpath.normpath("/" + info.name).lstrip("/")  # no name leads out of its tar
        found, ending = key_and_ending(name)
        if found != key:
            yield from _labeled(images, label)
            key, images, label = found, [], None
        last = ending.rpartition(".")[2]
        if last in IMAGE_ENDINGS:
            images.append(TarImage(name, info.offset_data, info.size))
        elif last in ("cls", "json") and info.size <= MOST_LABEL_BYTES and label is None:
            label = _label(tar, info, last)
    yield from _labeled(images, label)


def _labeled(images: Sequence[TarImage], label: str | None) -> list[TarImage]:
    return [TarImage(one.name, one.offset, one.size, label) for one in images]


def _label(tar: tarfile.TarFile, info: tarfile.TarInfo, ending: str) -> str | None:
    file = tar.extractfile(info)
    text = (b"" if file is None else file.read()).decode("utf-8-sig", "replace").strip()
    if ending == "cls":
        return text
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, dict):
        return None
    found = (values[name] for name in LABEL_KEYS if isinstance(values.get(name), str | int))
    return next((str(value) for value in found), None)
