"""What eyes beside CLIP bring: on the demo sets without a label, on photographs with few.

    python -m benchmarks.eyes [--sets surfaces steel ...] [--seeds 3] [--eyes texture FOLDER-OF-MOBILENET ...]

The demo sets have no label: ``refined`` is the pool's accuracy before anything is tuned, ``test`` what GRIP answers for
its test images. Of the photographs 5 a class are labeled and the rest is cut in halves: one is the pool, the other is
judged. Each row adds the next eye to those before it. ``milliseconds`` an image is what the texture eye takes on one
core, resizing included and decoding not.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.features import data_folder
from benchmarks.record import machine, record
from clipgrip import GripClassifier
from clipgrip.backbone.registry import load_backbone
from clipgrip.backbone.texture import Texture
from clipgrip.cli.demo import TEMPLATES
from clipgrip.config import Settings
from clipgrip.data import samples
from clipgrip.data.classes import ClassNames
from clipgrip.data.ingest import ingest
from clipgrip.data.samples import SamplePaths
from clipgrip.metrics import accuracy
from clipgrip.runs.events import Listener
from clipgrip.runs.prepare import prepare

DEMOS = ("surfaces", "digits")
PHOTOS = ("steel", "trash", "parts")
SHOTS = 5


def main() -> None:
    """Measure, print a row as soon as it is there, and write ``results/eyes.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", default=[*DEMOS, *PHOTOS], choices=[*DEMOS, *PHOTOS])
    parser.add_argument("--eyes", nargs="+", default=["texture"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--name", default="eyes")
    given = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for row in _rows(given.sets, given.eyes, given.seeds):
        rows.append(row)
        print(" ".join(f"{name} {value}" for name, value in row.items()), flush=True)
    took = round(_milliseconds(), 2)
    print(f"texture: {took} milliseconds an image")
    record(given.name, {"machine": machine(), "rows": rows, "milliseconds": took})


def _rows(sets: Sequence[str], eyes: Sequence[str], seeds: int) -> Iterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as made:
        for name in sets:
            for count in range(len(eyes) + 1):
                beside = list(eyes[:count])
                measured = (
                    [_demo(name, Path(made), beside, seed) for seed in range(seeds)]
                    if name in DEMOS
                    else [
                        _photographs(data_folder("photos") / name, beside, s) for s in range(seeds)
                    ]
                )
                means = {
                    key: round(float(np.mean([m[key] for m in measured])), 1) for key in measured[0]
                }
                shown = [Path(eye).name for eye in beside]
                yield {"set": name, "eyes": shown, "seeds": seeds, **means}


def _demo(name: str, folder: Path, eyes: Sequence[str], seed: int) -> dict[str, float]:
    """Without a label; the seed draws the surfaces anew, and the digits' training."""
    place = folder / f"{name}-{seed}"
    paths = samples.surfaces(place, seed=seed) if name == "surfaces" else samples.digits(place)
    settings = Settings(template=TEMPLATES[name], seed=seed, eye=tuple(eyes))
    classes = ClassNames.read(paths.classes)
    truth = {path: classes.index(label) for path, label in _table(paths)}
    manifest = ingest(paths.images, classes=classes, test=paths.test).manifest
    ready = prepare(settings, manifest, Listener()).ready
    pool = torch.tensor([truth[row.path] for row in ready.embeds.pool_rows])
    zero_shot, refined = ready.zero_shot, ready.refiner(ready.first, ready.task).probs
    *_, last = ready.learn(ready.embeds.pool_joined)
    answers = last.predict_proba(ready.embeds.test_joined)
    return {
        "zero_shot": 100 * accuracy(zero_shot.pool, pool),
        "refined": 100 * accuracy(refined, pool),
        "test": 100 * accuracy(answers, ready.embeds.test_labels),
    }


def _table(paths: SamplePaths) -> list[tuple[str, str]]:
    with open(paths.truth, encoding="utf-8-sig", newline="") as file:
        return [(row["path"], row["label"]) for row in csv.DictReader(file)]


def _photographs(folder: Path, eyes: Sequence[str], seed: int) -> dict[str, float]:
    """5 labels a class and half of the rest as the pool; the other half is judged."""
    files = sorted(folder.glob("*/*"))
    labels = np.array([path.parent.name for path in files])
    order = np.random.default_rng(seed).permutation(len(files))
    named = [order[labels[order] == name][:SHOTS] for name in np.unique(labels)]
    labeled = np.concatenate(named)
    rest = order[~np.isin(order, labeled)]
    pool, judged = rest[: len(rest) // 2], rest[len(rest) // 2 :]
    shown = [*labels[labeled], *[None] * len(pool)]
    model = GripClassifier(sorted(set(labels)), eyes=eyes, seed=seed)
    model.fit([files[row] for row in (*labeled, *pool)], shown)
    new = [files[row] for row in judged]
    return {
        "pool": 100 * float(np.mean(model.predict([files[row] for row in pool]) == labels[pool])),
        "new": 100 * float(np.mean(model.predict(new) == labels[judged])),
    }


def _milliseconds(images: int = 40) -> float:
    """The least of five, of the processor's own time."""
    eye, noise = Texture(), np.random.default_rng(0)
    pictures = [
        Image.fromarray(noise.integers(0, 256, (400, 500, 3), np.uint8)) for _ in range(images)
    ]
    took = []
    for _ in range(5):
        began = time.process_time()
        eye.encode_image(np.stack([eye.preprocess(picture) for picture in pictures]))
        took.append(1000 * (time.process_time() - began) / images)
    return min(took)


if __name__ == "__main__":
    load_backbone("nano")
    main()
