"""Tar files of images in the layout of WebDataset, in which all members about one image share a key.

The key is a member's name up to the first dot in its last part; the rest is its ending. Images are members with an
image's ending, labels those that end with ``.cls`` or ``.label`` (a class position or name) or ``.json``.

Names of photographs contain dots too (``part_1.5mm.png``), and not every tar is sorted. So a label belongs to the image
with the same name but for the last ending, wherever it stands; only a label without such an image belongs to all images
of its key.
"""

from __future__ import annotations

import json
import posixpath
import tarfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from clipgrip.data.stores import opened
from clipgrip.errors import DataError

SUFFIXES = (".tar",)
COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
IMAGE_ENDINGS = frozenset(
    ("jpg", "jpeg", "jpe", "jp2", "png", "webp", "bmp", "gif", "tif", "tiff", "heic", "heif")
) | {"avif", "ppm", "pgm", "pbm", "pnm", "img", "image"}
LABEL_ENDINGS = ("cls", "label", "json")
LABEL_KEYS = ("label", "labels", "class", "cls", "class_name")
"""Keys of the label in a JSON member; the first that is there counts."""
MOST_LABEL_BYTES = 1 << 20
LOOKED_AT = 200
"""How many texts that are not read as labels are remembered, in case they are labels."""


@dataclass(frozen=True)
class TarImage:
    """An image in a tar file: its name, offset and size, and its label (None without one)."""

    name: str
    offset: int
    size: int
    label: str | None = None


def key_and_ending(name: str) -> tuple[str, str]:
    """``a/b.left.JPG`` -> ``("a/b", "left.jpg")``."""
    folder, base = posixpath.split(name)
    key, _, ending = base.partition(".")
    return posixpath.join(folder, key), ending.lower()


@dataclass(frozen=True)
class Contents:
    """The images of a tar in its order, and the texts that are not read as labels, by their kind."""

    images: Sequence[TarImage]
    unread: Mapping[str, frozenset[str]]


def pictures(path: str) -> Iterator[TarImage]:
    """The images of a tar file on a disk or in a store, in its order, without labels; only headers are read.

    Raises:
        DataError: it is compressed, damaged, or cannot be read.
    """
    with _open_tar(path) as tar:
        for name, info in _members(tar):
            if _ending(name) in IMAGE_ENDINGS:
                yield TarImage(name, info.offset_data, info.size)


def contents(path: str) -> Contents:
    """The images with their labels; headers, labels, and some of the other texts are read.

    Raises:
        DataError: as `pictures`.
    """
    images, labels = list[TarImage](), dict[str, str]()
    unread: dict[str, set[str]] = defaultdict(set)
    with _open_tar(path) as tar:
        for name, info in _members(tar):
            ending = _ending(name)
            if ending in IMAGE_ENDINGS:
                images.append(TarImage(name, info.offset_data, info.size))
            elif ending in LABEL_ENDINGS and info.size <= MOST_LABEL_BYTES:
                text = _label(_text(tar, info), ending, unread)
                if text is not None:
                    labels[name] = text  # of two members of one name the last
            elif ending == "txt" and len(unread[".txt"]) < LOOKED_AT and info.size <= 1000:
                unread[".txt"].add(_text(tar, info))
    return Contents(_with_labels(images, labels), {k: frozenset(v) for k, v in unread.items() if v})


def check_plain(path: str) -> None:
    """DataError for a compressed tar file: no member can be read without unpacking all members before it."""
    if path.lower().endswith(COMPRESSED):
        raise DataError(
            "{path} is a compressed tar file, in which no image can be found again. Unpack it to a plain .tar.",
            path=path,
        )


@contextmanager
def _open_tar(path: str) -> Iterator[tarfile.TarFile]:
    check_plain(path)
    try:
        with opened(path) as file, tarfile.open(fileobj=file, mode="r:") as tar:
            yield tar
    except (tarfile.TarError, OSError, EOFError) as error:
        raise DataError(
            "{path} cannot be read as a tar file: {error}. Pack it anew as a plain .tar.",
            path=path,
            error=error,
        ) from error


def _members(tar: tarfile.TarFile) -> Iterator[tuple[str, tarfile.TarInfo]]:
    """Each file but hidden ones, with its name, from which ``..`` and a leading ``/`` are removed."""
    for info in tar:
        vars(tar)["members"].clear()  # else tarfile keeps every member in memory
        if info.isfile() and not posixpath.basename(info.name).startswith("."):
            yield posixpath.normpath("/" + info.name).lstrip("/"), info


def _ending(name: str) -> str:
    return key_and_ending(name)[1].rpartition(".")[2]


def _with_labels(images: Sequence[TarImage], labels: Mapping[str, str]) -> list[TarImage]:
    """The images with their labels, which are given by the names of their members."""
    called = {form for one in images for form in (one.name, posixpath.splitext(one.name)[0])}
    by_name, by_key = dict[str, str](), dict[str, str]()
    for name, text in labels.items():
        stem = posixpath.splitext(name)[0]
        if stem in called:
            by_name.setdefault(stem, text)
        else:
            by_key.setdefault(key_and_ending(name)[0], text)
    return [replace(one, label=_label_of(one.name, by_name, by_key)) for one in images]


def _label_of(name: str, by_name: Mapping[str, str], by_key: Mapping[str, str]) -> str | None:
    forms = (name, posixpath.splitext(name)[0])
    label = next((by_name[form] for form in forms if form in by_name), None)
    return by_key.get(key_and_ending(name)[0]) if label is None else label


def _text(tar: tarfile.TarFile, info: tarfile.TarInfo) -> str:
    file = tar.extractfile(info)
    return (b"" if file is None else file.read()).decode("utf-8-sig", "replace").strip()


def _label(text: str, ending: str, unread: dict[str, set[str]]) -> str | None:
    """The label in a member. Texts of a JSON without one are added to ``unread``."""
    if ending != "json":
        return text
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, dict):
        return None
    plain = {name: _as_text(value) for name, value in values.items()}
    found = next((plain[name] for name in LABEL_KEYS if plain.get(name) is not None), None)
    if found is None:
        for name, value in plain.items():
            if value is not None and len(unread[f"{name} (.json)"]) < LOOKED_AT:
                unread[f"{name} (.json)"].add(value)
    return found


def _as_text(value: Any) -> str | None:
    """A text or whole number as text, also from a list of one; None for anything else."""
    if isinstance(value, list) and len(value) == 1:
        return _as_text(value[0])
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, str | int) else None
