"""How fast and how faithful each engine's image embeddings are: torch, ONNX Runtime, ONNX Runtime with 8 bits.

    OMP_NUM_THREADS=1 python -m benchmarks.engines [--repeats 7]
    python -m benchmarks.engines --accuracy [--seeds 3]

Speed: a tower of ViT-B/32's size with random weights, and nano; pixels in memory, the engines take turns. Seconds are
those of the processor, by thread, so that what else runs on the machine counts less. ``share_of_peak``: what part an
engine reaches of the operations a second that one large product of matrices reaches here. Accuracy: nano on the digits
and the surfaces, embedded anew by each engine. Ways to round to 8 bits are compared by how near they come to float32 on
the pool; no label and no test image has a say in that.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.image_encoding import load_average, rounded
from benchmarks.presets import one_run
from benchmarks.random_clip import write_model
from benchmarks.record import record
from benchmarks.sets import DemoSet, load
from clipgrip.backbone.cache import ROOT_VARIABLE
from clipgrip.backbone.clip import ClipBackbone
from clipgrip.backbone.nano import weights_dir
from clipgrip.backbone.onnx_engine import OnnxTower, onnx_model, quantized_model
from clipgrip.data import samples
from clipgrip.method import PRESETS

VARIANTS: dict[str, dict[str, Any]] = {
    "torch float32": {"precision": "float32"},
    "torch bfloat16": {"precision": "bfloat16"},
    "onnx": {"engine": "onnx"},
    "onnx-int8": {"engine": "onnx-int8"},
}


def main() -> None:
    """Measure, print, and write ``results/engines.json`` or ``results/engines_accuracy.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--accuracy", action="store_true")
    parser.add_argument("--seeds", type=int, default=3)
    chosen = parser.parse_args()
    name = "engines_accuracy" if chosen.accuracy else "engines"
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        os.environ[ROOT_VARIABLE] = str(root / "cache")
        result = accuracies(root, chosen.seeds) if chosen.accuracy else speeds(root, chosen.repeats)
    record(name, result)
    print(json.dumps(result, indent=1))


def speeds(root: Path, repeats: int) -> dict[str, Any]:
    """Of both models, and what part of the peak the larger one reaches."""
    reached, large = peaks(), speed(write_model(root / "vit"), 16, repeats)
    return {
        "load_average": load_average(),
        "repeats": repeats,
        "peak_gigaflops": reached,
        "vit_b_32": large | {"share_of_peak": shares(large, reached)},
        "nano": speed(Path(weights_dir()), 64, repeats),
        "ways_to_8_bits": ways_to_8_bits(root),
    }


def accuracies(root: Path, seeds: int) -> dict[str, Any]:
    """Of the two demo sets."""
    return {name: accuracy(name, root, seeds) for name in ("digits", "surfaces")}


def peaks(size: int = 2048, repeats: int = 5) -> dict[str, float]:
    """Thousand million operations a second of one product of square matrices: what a tower could reach at most."""
    found = {}
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        left = torch.randn(size, size).to(dtype)
        torch.mm(left, left)
        taken = min(spent(partial(torch.mm, left, left)) for _ in range(repeats))
        found[name] = round(2 * size**3 / taken / 1e9, 1)
    return found


def operations_an_image(
    width: int = 768, blocks: int = 12, tokens: int = 50, patch: int = 32, out: int = 512
) -> float:
    """Multiplications and additions of ViT-B/32's products, the last block's for its one token."""
    linear = 2 * 12 * width**2  # queries, keys, values, output, and the two of four times the width
    attention = 4 * tokens * width
    whole = (blocks - 1) * tokens * (linear + attention)
    last = 2 * 2 * tokens * width**2 + 2 * 10 * width**2 + attention
    return whole + last + 2 * (tokens - 1) * 3 * patch**2 * width + 2 * width * out


def shares(found: dict[str, Any], reached: dict[str, float]) -> dict[str, float]:
    """What part of the peak of its own precision an engine reaches; 8 bits have none here to compare with."""
    of = {"torch float32": "float32", "torch bfloat16": "bfloat16", "onnx": "float32"}
    rates, each = found["images_per_second"], operations_an_image()
    return {name: round(rates[name] * each / (1e9 * reached[kind]), 3) for name, kind in of.items()}


def backbones(folder: Path) -> dict[str, ClipBackbone]:
    """The same model on each engine."""
    return {name: ClipBackbone(name, folder, **options) for name, options in VARIANTS.items()}


def speed(folder: Path, batch: int, repeats: int) -> dict[str, Any]:
    """Images per second, medians over interleaved repeats after one that does not count."""
    towers = backbones(folder)
    size = towers["onnx"].image_size
    pixels = np.random.default_rng(0).integers(0, 256, (batch, size, size, 3), np.uint8)
    seconds: dict[str, list[float]] = {name: [] for name in towers}
    for backbone in towers.values():
        backbone.encode_image(pixels)
    for _ in range(repeats):
        for name, backbone in towers.items():
            seconds[name].append(spent(partial(backbone.encode_image, pixels)))
    rate = {name: batch / statistics.median(taken) for name, taken in seconds.items()}
    return {
        "batch": batch,
        "images_per_second": rounded(rate),
        "ratio_to_torch_float32": rounded({n: r / rate["torch float32"] for n, r in rate.items()}),
        "seconds": {name: [round(s, 4) for s in taken] for name, taken in seconds.items()},
    }


def accuracy(demo_set: str, root: Path, seeds: int) -> dict[str, Any]:
    """Per engine: cosine to float32, and test accuracy of zero-shot and of GRIP with no labels (UL) and two (SSL)."""
    towers = backbones(Path(weights_dir()))
    sets = {name: load(demo_set, root / "sets", tower) for name, tower in towers.items()}
    return {
        name: cosines(demo.pool, sets["torch float32"].pool) | answers(towers[name], demo, seeds)
        for name, demo in sets.items()
    }


def answers(backbone: ClipBackbone, demo: DemoSet, seeds: int) -> dict[str, Any]:
    """In percent, over the test images; SSL draws its labels by the seed."""
    method = PRESETS["default"]["textual"]
    alone = one_run(backbone, demo, "UL", "grip", method, 0)
    drawn = [one_run(backbone, demo, "SSL", "grip", method, seed)["test"] for seed in range(seeds)]
    found = {
        "zero_shot": round(100 * alone["test_zero_shot"], 2),
        "grip_ul": round(100 * alone["test"], 2),
    }
    if not drawn:
        return found
    return found | {
        "grip_ssl": round(100 * statistics.mean(drawn), 2),
        "grip_ssl_sd": round(100 * statistics.stdev(drawn), 2) if seeds > 1 else 0.0,
        "seeds": seeds,
    }


def ways_to_8_bits(root: Path) -> dict[str, Any]:
    """Seven or eight bits of a weight; each image alone or a batch with one range: cosine to float32, and speed."""
    backbone = ClipBackbone("nano", Path(weights_dir()), precision="float32")
    tower = backbone.image_prompts
    assert tower is not None
    paths = sorted(samples.digits(root / "sets" / "digits").images.iterdir())[:256]
    pixels = torch.from_numpy(np.stack([backbone.preprocess(picture(path)) for path in paths]))
    exact, graph, found = tower(pixels), onnx_model(tower.parts()), {}
    for bits, reduced in ((7, True), (8, False)):
        model = quantized_model(graph, reduce_range=reduced)
        for alone in (True, False):
            ours = OnnxTower(model, one_by_one=alone)
            name = f"{bits} bits, {'each image alone' if alone else 'batches of 32'}"
            embeds = torch.cat([ours(part) for part in pixels.split(32)])
            taken = min(spent(partial(ours, pixels[:64])) for _ in range(5))
            found[name] = cosines(embeds, exact) | {"images_per_second": round(64 / taken, 1)}
    return found


def picture(path: Path) -> Any:
    """The decoded image."""
    from PIL import Image

    return Image.open(path).convert("RGB")


def spent(work: Callable[[], object]) -> float:
    """Processor seconds of one call, by thread."""
    began = time.process_time()
    work()
    return (time.process_time() - began) / torch.get_num_threads()


def cosines(embeds: Tensor, exact: Tensor) -> dict[str, float]:
    """Lowest and mean cosine of each row to float32's, and the largest difference of one number."""
    cosine = (embeds * exact).sum(dim=1)
    return {
        "largest_difference": round(float((embeds - exact).abs().max()), 6),
        "lowest_cosine": round(float(cosine.min()), 6),
        "mean_cosine": round(float(cosine.mean()), 6),
    }


if __name__ == "__main__":
    main()
