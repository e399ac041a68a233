"""The demo sets: real handwritten digits, and generated factory surfaces."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from clipgrip.data.classes import prompt_text
from clipgrip.data.tables import write_csv
from clipgrip.errors import DataError
from clipgrip.files import AnyPath, naming, part_name, sweep, write_text_atomic

MARKER = "sample.json"
"""Written last into a set's folder; says which set it is and how many images it holds."""

_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True)
class SamplePaths:
    """Where a demo set lies: images whose names give nothing away, classes, truth and test."""

    folder: Path

    @property
    def images(self) -> Path:
        """The folder of images; pool and test lie mixed."""
        return self.folder / "images"

    @property
    def classes(self) -> Path:
        """``name,prompt``."""
        return self.folder / "classes.csv"

    @property
    def truth(self) -> Path:
        """``path,label`` of all images."""
        return self.folder / "truth.csv"

    @property
    def test(self) -> Path:
        """``path,label`` of the images that are kept for measuring."""
        return self.folder / "test.csv"


@dataclass(frozen=True)
class _DemoImage:
    image: Image.Image
    label: str
    is_test: bool


def digits(folder: AnyPath) -> SamplePaths:
    """The 1,797 handwritten digits of scikit-learn as 64 x 64 greyscale PNG, 30% for testing.

    Raises:
        DataError: the folder holds something else.
        OSError: the folder cannot be written.
    """
    classes = [(name, name) for name in _DIGITS]
    return _open_or_make(Path(folder), {"set": "digits", "version": 1}, classes, _digit_images())


def surfaces(
    folder: AnyPath, *, seed: int = 0, pool: int = 120, test: int = 50, size: int = 128
) -> SamplePaths:
    """Generated photographs of metal parts, ``pool`` and ``test`` of each class, as PNG.

    Raises:
        DataError: the folder holds something else.
        OSError: the folder cannot be written.
    """
    from clipgrip.data.surfaces import SURFACE_CLASSES

    settings = {"set": "surfaces", "version": 1, "seed": seed}
    settings |= {"pool": pool, "test": test, "size": size}
    classes = [(name, prompt_text(name)) for name in SURFACE_CLASSES]
    return _open_or_make(Path(folder), settings, classes, _surface_images(seed, pool, test, size))


def _digit_images() -> Iterator[_DemoImage]:
    from sklearn.datasets import load_digits

    data = load_digits()
    number = len(data.target)
    order = np.random.default_rng(20240501).permutation(number)
    test = set(order[: round(0.3 * number)].tolist())
    for position, (values, target) in enumerate(zip(data.images, data.target, strict=True)):
        grey = Image.fromarray((values * (255 / 16)).round().astype(np.uint8))
        large = grey.resize((64, 64), Image.Resampling.BICUBIC)
        yield _DemoImage(large, _DIGITS[int(target)], position in test)


def _surface_images(seed: int, pool: int, test: int, size: int) -> Iterator[_DemoImage]:
    from clipgrip.data.surfaces import DEMO_DOMAIN, SURFACE_CLASSES, render_surface

    for position, name in enumerate(SURFACE_CLASSES):
        for number in range(pool + test):
            rng = np.random.default_rng((seed, position, number))
            yield _DemoImage(render_surface(name, DEMO_DOMAIN, rng, size), name, number >= pool)


def _open_or_make(
    folder: Path,
    settings: dict[str, object],
    classes: list[tuple[str, str]],
    samples: Iterable[_DemoImage],
) -> SamplePaths:
    """The set in ``folder``: as it is when complete, else made beside it and then renamed."""
    if folder.exists() and any(folder.iterdir()):
        return _open_existing(folder, settings)
    folder.parent.mkdir(parents=True, exist_ok=True)
    sweep(folder.parent)
    part = Path(part_name(folder.parent))
    try:
        _write(SamplePaths(part), settings, classes, samples)
        with contextlib.suppress(FileNotFoundError):
            folder.rmdir()
        os.replace(part, folder)
    except OSError:
        if not (folder / MARKER).exists():  # else another process was quicker
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return _open_existing(folder, settings)


def _open_existing(folder: Path, settings: dict[str, object]) -> SamplePaths:
    paths = SamplePaths(folder)
    try:
        found = json.loads((folder / MARKER).read_text("utf-8"))
        number = sum(1 for _ in os.scandir(paths.images))
    except (OSError, ValueError):
        found, number = {}, 0
    tables = (paths.classes, paths.truth, paths.test)
    if found != settings | {"images": number} or not all(table.is_file() for table in tables):
        raise DataError(
            "{folder}: the folder is in use and does not hold this demo set in full. Choose another "
            "folder, or delete this one.",
            folder=folder,
        )
    return paths


def _write(
    paths: SamplePaths,
    settings: dict[str, object],
    classes: list[tuple[str, str]],
    samples: Iterable[_DemoImage],
) -> None:
    paths.images.mkdir(parents=True)
    rows = sorted((_save(sample, paths.images), sample.label, sample.is_test) for sample in samples)
    write_csv(paths.classes, ("name", "prompt"), classes)
    write_csv(paths.truth, ("path", "label"), [row[:2] for row in rows])
    write_csv(paths.test, ("path", "label"), [row[:2] for row in rows if row[2]])
    marker = settings | {"images": len({path for path, *_ in rows})}
    write_text_atomic(paths.folder / MARKER, json.dumps(marker, sort_keys=True) + "\n")


def _save(sample: _DemoImage, folder: Path) -> str:
    """Write an image under a name made from its pixels, which tells nothing of its class."""
    name = hashlib.sha256(sample.image.tobytes()).hexdigest()[:12] + ".png"
    out = io.BytesIO()
    sample.image.save(out, "PNG")
    with naming(folder / name):
        (folder / name).write_bytes(out.getvalue())
    return name
