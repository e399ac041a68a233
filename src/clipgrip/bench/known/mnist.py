"""MNIST (LeCun et al., 1998) from its four files."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipgrip.bench.known.base import KnownSet, Listed, Listing, Part
from clipgrip.errors import DataError
from clipgrip.files import part_name, sweep

SOURCE = "https://yann.lecun.org/exdb/mnist/ (train- and t10k-images-idx3-ubyte, -labels-idx1-ubyte, .gz or not)"
CLASSES = tuple(str(digit) for digit in range(10))
PARTS: tuple[tuple[str, Part], ...] = (("train", "pool"), ("t10k", "test"))
Bytes = NDArray[np.uint8]


def _read(folder: Path, work: Path) -> Listing:
    """Each digit as a PNG in a folder of ``work`` that is named by their content; training is the pool."""
    parts = {part: _part(folder, name) for name, part in PARTS}
    digest = hashlib.sha256(b"".join(images.tobytes() for images, _ in parts.values())).hexdigest()
    unpacked = work / digest[:16]
    if not unpacked.is_dir():
        _unpack({part: images for part, (images, _) in parts.items()}, unpacked)
    files: list[Listed] = [
        (_place(part, number), CLASSES[label], part)
        for part, (_, labels) in parts.items()
        for number, label in enumerate(labels.tolist())
    ]
    return Listing(unpacked, tuple(files))


def _part(folder: Path, name: str) -> tuple[Bytes, Bytes]:
    """Images (n, 28, 28) and labels (n,) of one part."""
    images = _idx(folder, f"{name}-images-idx3-ubyte", 3)
    labels = _idx(folder, f"{name}-labels-idx1-ubyte", 1)
    if len(images) != len(labels) or labels.max(initial=0) >= len(CLASSES):
        raise DataError(
            "{folder}: {name} holds {n_images} images and {n_labels} labels from 0 to {most}, "
            "which do not belong together. Download them again: {source}",
            folder=folder,
            name=name,
            n_images=len(images),
            n_labels=len(labels),
            most=labels.max(initial=0),
            source=SOURCE,
        )
    return images, labels


def _place(part: str, number: int) -> str:
    return f"{part}/{number:05d}.png"


def _unpack(parts: dict[Part, Bytes], target: Path) -> None:
    """All images, or no folder of that name."""
    sweep(target.parent)
    made = Path(part_name(target.parent))
    try:
        for part, images in parts.items():
            (made / part).mkdir(parents=True)
            for number, image in enumerate(images):
                Image.fromarray(image).save(made / _place(part, number))
        os.replace(made, target)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _idx(folder: Path, name: str, dimensions: int) -> Bytes:
    """An array of bytes in LeCun's IDX format."""
    places = [
        place / f"{name}{suffix}" for place in (folder, folder / "raw") for suffix in ("", ".gz")
    ]
    found = next((path for path in places if path.is_file()), None)
    if found is None:
        raise DataError(
            "{path} is missing. Download it and put it there: {source}",
            path=folder / name,
            source=SOURCE,
        )
    data, header = _bytes(found), 4 + 4 * dimensions
    shape = tuple(int.from_bytes(data[at : at + 4], "big") for at in range(4, header, 4))
    if data[:4] != bytes([0, 0, 8, dimensions]) or len(data) != header + int(np.prod(shape)):
        raise DataError(
            "{found} is not a whole IDX file of bytes. Download it again: {source}",
            found=found,
            source=SOURCE,
        )
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def _bytes(path: Path) -> bytes:
    data = path.read_bytes()
    try:
        return gzip.decompress(data) if path.suffix == ".gz" else data
    except (OSError, EOFError, zlib.error):
        raise DataError(
            "{path} is damaged. Download it again: {source}", path=path, source=SOURCE
        ) from None


MNIST = KnownSet("mnist", "MNIST", 'a photo of the number: "{}".', CLASSES, 70_000, SOURCE, _read)
