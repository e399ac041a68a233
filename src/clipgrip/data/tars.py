"""Tar files of images, as WebDataset writes them: what belongs to one picture has one key.

The key is a member's name up to the first point in its last part; what follows says what the member is. Images are
members with a picture's ending, labels those that end with ``.cls`` or ``.label`` (a class's position or name) or
with ``.json``.

Names of photographs hold points too (``part_1.5mm.png``), and not every tar is sorted. So a label is of the image that
is called as it is, wherever in the tar; of all the images of its key only where it is called like none of them.
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
"""In a JSON member, the first of these."""
MOST_LABEL_BYTES = 1 << 20
LOOKED_AT = 200
"""Members of other endings whose text is looked at, as it may be a label."""


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


@dataclass(frozen=True)
class Contents:
    """The images of a tar in its order, and by where they stand the texts that nobody reads as labels."""

    images: Sequence[TarImage]
    unread: Mapping[str, frozenset[str]]


def pictures(path: str) -> Iterator[TarImage]:
    """The images of a tar file on a disk or in a store, in its order, without labels; only headers are read.

    Raises:
        DataError: it is compressed, damaged, or cannot be read.
    """
    with _opened(path) as tar:
        for name, info in _files(tar):
            if _ending(name) in IMAGE_ENDINGS:
                yield TarImage(name, info.offset_data, info.size)


def contents(path: str) -> Contents:
    """The images with their labels; headers, labels, and some of the other texts are read.

    Raises:
        DataError: as `pictures`.
    """
    images, labels = list[TarImage](), dict[str, str]()
    unread: dict[str, set[str]] = defaultdict(set)
    with _opened(path) as tar:
        for name, info in _files(tar):
            ending = _ending(name)
            if ending in IMAGE_ENDINGS:
                images.append(TarImage(name, info.offset_data, info.size))
            elif ending in LABEL_ENDINGS and info.size <= MOST_LABEL_BYTES:
                text = _label(_text(tar, info), ending, unread)
                if text is not None:
                    labels[name] = text  # of two members of one name the last
            elif ending == "txt" and len(unread[".txt"]) < LOOKED_AT and info.size <= 1000:
                unread[".txt"].add(_text(tar, info))
    return Contents(_labeled(images, labels), {k: frozenset(v) for k, v in unread.items() if v})


def check_plain(path: str) -> None:
    """DataError of a compressed tar file: nothing in it can be read without all that stands before."""
    if path.lower().endswith(COMPRESSED):
        raise DataError(
            "{path} is a compressed tar file, in which no image can be found again. Unpack it to a plain .tar.",
            path=path,
        )


@contextmanager
def _opened(path: str) -> Iterator[tarfile.TarFile]:
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


def _files(tar: tarfile.TarFile) -> Iterator[tuple[str, tarfile.TarInfo]]:
    """Each file with its name, which leads out of no tar; hidden ones are left out."""
    for info in tar:
        vars(tar)["members"].clear()  # or it keeps every member of the file
        if info.isfile() and not posixpath.basename(info.name).startswith("."):
            yield posixpath.normpath("/" + info.name).lstrip("/"), info


def _ending(name: str) -> str:
    return key_and_ending(name)[1].rpartition(".")[2]


def _labeled(images: Sequence[TarImage], labels: Mapping[str, str]) -> list[TarImage]:
    """``labels``: by the names of their members."""
    called = {form for one in images for form in (one.name, posixpath.splitext(one.name)[0])}
    own, of_keys = dict[str, str](), dict[str, str]()
    for name, text in labels.items():
        stem = posixpath.splitext(name)[0]
        if stem in called:
            own.setdefault(stem, text)
        else:
            of_keys.setdefault(key_and_ending(name)[0], text)
    return [replace(one, label=_of_image(one.name, own, of_keys)) for one in images]


def _of_image(name: str, own: Mapping[str, str], of_keys: Mapping[str, str]) -> str | None:
    forms = (name, posixpath.splitext(name)[0])
    label = next((own[form] for form in forms if form in own), None)
    return of_keys.get(key_and_ending(name)[0]) if label is None else label


def _text(tar: tarfile.TarFile, info: tarfile.TarInfo) -> str:
    file = tar.extractfile(info)
    return (b"" if file is None else file.read()).decode("utf-8-sig", "replace").strip()


def _label(text: str, ending: str, unread: dict[str, set[str]]) -> str | None:
    """The label that a member says; what else its JSON holds as texts is added to ``unread``."""
    if ending != "json":
        return text
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, dict):
        return None
    plain = {name: _plain(value) for name, value in values.items()}
    found = next((plain[name] for name in LABEL_KEYS if plain.get(name) is not None), None)
    if found is None:
        for name, value in plain.items():
            if value is not None and len(unread[f"{name} (.json)"]) < LOOKED_AT:
                unread[f"{name} (.json)"].add(value)
    return found


def _plain(value: Any) -> str | None:
    """A text or a whole number, also alone in a list, as tables write it; None for anything else."""
    if isinstance(value, list) and len(value) == 1:
        return _plain(value[0])
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, str | int) else None
