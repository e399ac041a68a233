"""``python -m benchmarks.line.b32``: a bundle of ViT-B/32's size, in float32 and in 8 bits, beside torch.

A CLIP of that size with random weights is run on a few drawn parts, packed twice, opened and used as at the line. One
run times the three in turns, so only the ratios count: ``int8`` has to be at least 2.5 times as fast as torch in
float32. Random weights say nothing of accuracy; how far apart the answers are is what packing itself measured, on the
images of the run and on the golden ones.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.image_encoding import load_average, timed
from benchmarks.random_clip import write_model
from benchmarks.record import record
from clipgrip.backbone.clip import ClipBackbone
from clipgrip_line.model import Model

AIM = 2.5


def main() -> int:
    """Measure, print and write down; code 1 where the aim is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--images", type=int, default=24, help="of the run")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        run = made_run(folder, given.images)
        bundles = {name: packed(run, folder, name) for name in ("float32", "int8")}
        found: dict[str, Any] = {"load_average": load_average(), "batch": given.batch}
        found |= speeds(folder / "vit", bundles, given.batch, given.repeats)
        found["bundles"] = {name: facts_of(path) for name, path in bundles.items()}
        found["golden"] = agreement(bundles)
    found["aim"] = AIM
    print(json.dumps(found, indent=1))
    print(record("line_b32", found))
    return int(found["ratio_to_torch_float32"]["bundle int8"] < AIM)


def made_run(folder: Path, images: int) -> Path:
    """A finished run of the model on drawn parts."""
    model = write_model(folder / "vit")
    draw(folder / "parts", images)
    (folder / "classes.txt").write_text("good part\nscratch\ndent\n", "utf-8")
    words = ["run", "parts", "--classes", "classes.txt", "--backbone", str(model), "--out", "run"]
    command(folder, *words, "--strategy", "zero-shot")
    return folder / "run"


def draw(folder: Path, images: int) -> None:
    """Grey plates with a line or a spot."""
    from PIL import Image, ImageDraw

    folder.mkdir()
    chance = np.random.default_rng(0)
    for number in range(images):
        noise = chance.integers(90, 160, (240, 320, 1), np.uint8).repeat(3, axis=2)
        picture = Image.fromarray(noise)
        left, top = (int(value) for value in chance.integers(20, 200, 2))
        pen = ImageDraw.Draw(picture)
        if number % 3 == 1:
            pen.line((left, top, left + 60, top + 20), fill="white", width=3)
        elif number % 3 == 2:
            pen.ellipse((left, top, left + 25, top + 25), fill="black")
        picture.save(folder / f"part {number:02}.png")


def packed(run: Path, folder: Path, precision: str) -> Path:
    """The bundle, as the command makes it, tried by the line's own check."""
    path = folder / f"{precision}.clipgrip"
    command(
        folder,
        "bundle",
        str(run),
        "--out",
        str(path),
        "--ok-class",
        "good part",
        "--precision",
        precision,
    )
    subprocess.run([sys.executable, "-m", "clipgrip_line", "check", str(path)], check=True)
    return path


def command(folder: Path, *words: str) -> None:
    """``clipgrip WORDS``."""
    subprocess.run([sys.executable, "-m", "clipgrip", *words], check=True, cwd=folder)


def speeds(model: Path, bundles: dict[str, Path], batch: int, repeats: int) -> dict[str, Any]:
    """Images a second, medians over turns after one that does not count; pixels are in memory."""
    backbone = ClipBackbone("torch", model, precision="float32")
    size = backbone.image_size
    pixels = np.random.default_rng(0).integers(0, 256, (batch, size, size, 3), np.uint8)
    works: dict[str, Callable[[], object]] = {
        "torch float32": partial(backbone.encode_image, pixels)
    }
    for name, path in bundles.items():
        (tower,) = Model.open(path, check=False).towers
        works[f"bundle {name}"] = partial(tower.encode, list(pixels))
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for number in range(repeats + 1):
        for name, work in works.items():
            taken = timed(work)
            if number:
                seconds[name].append(taken)
    rates = {name: batch / statistics.median(taken) for name, taken in seconds.items()}
    ratios = {
        name: statistics.median(row[0] / row[place] for row in zip(*seconds.values(), strict=True))
        for place, name in enumerate(works)
    }
    return {
        "images_per_second": {name: round(rate, 2) for name, rate in rates.items()},
        "ratio_to_torch_float32": {name: round(ratio, 2) for name, ratio in ratios.items()},
        "seconds": {name: [round(one, 4) for one in taken] for name, taken in seconds.items()},
    }


def facts_of(path: Path) -> dict[str, Any]:
    """Its size, and what packing found on the run's images."""
    info = Model.open(path, check=False).info
    about = {name: info[name] for name in ("compared", "changed", "apart")}
    return {"megabytes": round(path.stat().st_size / 1e6, 1), **about}


def agreement(bundles: dict[str, Path]) -> dict[str, Any]:
    """How far 8 bits are from float32 on the golden images, as probabilities."""
    from clipgrip_line import parts
    from clipgrip_line.bundle import Bundle

    models = {name: Model.open(path, check=False) for name, path in bundles.items()}
    golden = parts.golden(Bundle(bundles["float32"]))
    first, second = (
        model.proba([model.pixels(one.data) for one in golden]) for model in models.values()
    )
    return {
        "images": len(golden),
        "same_class": int((first.argmax(1) == second.argmax(1)).sum()),
        "apart": float(f"{np.abs(first - second).max():.3g}"),
    }


if __name__ == "__main__":
    sys.exit(main())
