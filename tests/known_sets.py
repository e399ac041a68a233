"""Small copies of the six known sets in their official layouts and file formats."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from pictures import random_image

from clipgrip.bench.known import KNOWN, KnownSet


def flowers102(folder: Path) -> None:
    """Three images a class: training, validation, test."""
    from scipy.io import savemat

    (folder / "jpg").mkdir(parents=True)
    labels = np.repeat(np.arange(1, 103), 3)
    for number in range(1, len(labels) + 1):
        random_image(number, 16, 16).save(folder / "jpg" / f"image_{number:05d}.jpg")
    ids = np.arange(1, len(labels) + 1)
    savemat(folder / "imagelabels.mat", {"labels": labels[None]})
    savemat(
        folder / "setid.mat",
        {"trnid": ids[None, ::3], "valid": ids[None, 1::3], "tstid": ids[None, 2::3]},
    )


def dtd(folder: Path) -> None:
    (folder / "labels").mkdir(parents=True)
    for part in ("train1", "val1", "test1"):
        lines = [f"{name}/{name}_{part}.png" for name in KNOWN["dtd"].classes]
        (folder / "labels" / f"{part}.txt").write_text("\n".join(lines) + "\n")
        for line in lines:
            _image(folder / "images" / line)


def aircraft(folder: Path) -> None:
    names = KNOWN["fgvc-aircraft"].classes
    (folder / "data").mkdir(parents=True)
    for part, first in (("trainval", 0), ("test", 1000)):
        lines = [f"{first + n:07d} {name}" for n, name in enumerate(names)]
        (folder / "data" / f"images_variant_{part}.txt").write_text("\n".join(lines) + "\n")
        for n in range(len(names)):
            _image(folder / "data" / "images" / f"{first + n:07d}.jpg")


def mnist(folder: Path) -> None:
    folder.mkdir(parents=True)
    for part, count in (("train", 30), ("t10k", 20)):
        images = np.random.default_rng(count).integers(0, 255, (count, 28, 28), np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        head = b"".join(int(n).to_bytes(4, "big") for n in images.shape)
        data = bytes([0, 0, 8, 3]) + head + images.tobytes()
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(data))
        data = bytes([0, 0, 8, 1]) + count.to_bytes(4, "big") + labels.tobytes()
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(data)


def eurosat(folder: Path) -> None:
    crops = ("AnnualCrop", "PermanentCrop", "Pasture", "Forest", "HerbaceousVegetation")
    for name in (*crops, "Highway", "Industrial", "Residential", "River", "SeaLake"):
        for number in range(1, 5):
            _image(folder / "EuroSAT_RGB" / name / f"{name}_{number}.jpg")


def resisc(folder: Path) -> None:
    for name in KNOWN["resisc45"].classes:
        for number in (1, 2):
            place = name.replace(" ", "_")
            _image(folder / place / f"{place}_{number:03d}.jpg")


def _image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    random_image(zlib.crc32("/".join(path.parts[-2:]).encode()), 16, 16).save(path)


MAKERS: dict[str, Callable[[Path], None]] = {
    "flowers102": flowers102,
    "resisc45": resisc,
    "fgvc-aircraft": aircraft,
    "mnist": mnist,
    "eurosat": eurosat,
    "dtd": dtd,
}
SIZES = {
    "flowers102": 102,
    "resisc45": 45,
    "fgvc-aircraft": 100,
    "mnist": 10,
    "eurosat": 10,
    "dtd": 47,
}
COUNTS = {
    "flowers102": 306,
    "resisc45": 90,
    "fgvc-aircraft": 200,
    "mnist": 50,
    "eurosat": 40,
    "dtd": 141,
}


def small(name: str) -> KnownSet:
    """The set as if it had been published with as few images as its small copy has."""
    return replace(KNOWN[name], images=COUNTS[name])
