"""MNIST (LeCun et al., 1998) from its four files."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
from PIL import Image

from clipgrip.data.known.base import KnownSet, Listed, Listing, Part
from clipgrip.errors import DataError

SOURCE = "https://yann.lecun.org/exdb/mnist/ (train- and t10k-images-idx3-ubyte, -labels-idx1-ubyte, .gz or not)"
CLASSES = tuple(str(digit) for digit in range(10))
PARTS: tuple[tuple[str, Part], ...] = (("train", "pool"), ("t10k", "test"))


def _read(folder: Path, work: Path) -> Listing:
    """Write each digit once as a PNG into ``work``; training is the pool."""
    files: list[Listed] = []
    for name, part in PARTS:
        images = _idx(folder, f"{name}-images-idx3-ubyte", 3)
        labels = _idx(folder, f"{name}-labels-idx1-ubyte", 1)
        (work / part).mkdir(parents=True, exist_ok=True)
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            path = f"{part}/{number:05d}.png"
            if not (work / path).is_file():
                Image.fromarray(image).save(work / path)
            files.append((path, CLASSES[int(label)], part))
    return Listing(work, tuple(files))


def _idx(folder: Path, name: str, dimensions: int) -> np.ndarray:
    """An array of bytes in LeCun's IDX format."""
    found = [
        path
        for path in (folder / name, folder / f"{name}.gz", folder / "raw" / name)
        if path.is_file()
    ]
    if not found:
        raise DataError(f"{folder / name} is missing. Download it and put it there: {SOURCE}")
    data = found[0].read_bytes()
    data = gzip.decompress(data) if found[0].suffix == ".gz" else data
    header = 4 + 4 * dimensions
    shape = tuple(int.from_bytes(data[at : at + 4], "big") for at in range(4, header, 4))
    if data[:4] != bytes([0, 0, 8, dimensions]) or len(data) != header + int(np.prod(shape)):
        raise DataError(f"{found[0]} is not a whole IDX file of bytes. Download it again: {SOURCE}")
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


MNIST = KnownSet("mnist", "MNIST", "a photo of the number: {}.", CLASSES, 70_000, SOURCE, _read)
