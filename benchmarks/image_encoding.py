"""How fast images become embeddings, against transformers' plain float32 loop on the same images.

    python -m benchmarks.image_encoding --images FOLDER

Both start from decoded RGB images in memory and end with unit vectors; both take the same batch size. The model has
the size of CLIP ViT-B/32 and random weights, so times are those of the real model and accuracies are not.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from benchmarks.random_clip import write_model
from benchmarks.record import record
from clipgrip.backbone.clip import ClipBackbone
from clipgrip.backbone.embed import BATCH_SIZE, embed_images

TOKENS, WIDTH, INNER, DEPTH, PATCH = 50, 768, 3072, 12, 3 * 32 * 32


def main() -> None:
    """Measure, print, and write ``results/image_encoding.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--images", type=Path, help="a folder of photographs; without, noise of 512 x 384"
    )
    parser.add_argument("--count", type=int, default=96)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    images = load_images(arguments.images, arguments.count)
    with tempfile.TemporaryDirectory() as folder:
        result = measure(write_model(Path(folder)), images, arguments.repeats)
    result["images"] = "photographs" if arguments.images else "noise"
    record("image_encoding", result)
    print(json.dumps(result, indent=2))


def measure(folder: Path, images: list[Image.Image], repeats: int) -> dict[str, Any]:
    """Medians over interleaved repeats, after one round that does not count."""
    loops: dict[str, Callable[[], Tensor]] = {
        "transformers_float32": plain_loop(folder, images),
        "clipgrip_float32": our_loop(folder, images, "float32"),
        "clipgrip_bfloat16": our_loop(folder, images, "bfloat16"),
    }
    embeds = {name: loop() for name, loop in loops.items()}
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    peaks: dict[str, list[float]] = {"float32": [], "bfloat16": []}
    for _ in range(repeats):
        for name, loop in loops.items():
            seconds[name].append(timed(loop))
        for name, values in peaks.items():
            values.append(matmul_gflops(getattr(torch, name)))
    return summary(
        len(images), embeds, seconds, {n: statistics.median(v) for n, v in peaks.items()}
    )


def summary(
    count: int, embeds: dict[str, Tensor], seconds: dict[str, list[float]], peaks: dict[str, float]
) -> dict[str, Any]:
    """Rates, ratios to transformers, shares of the matmul peak, and how near the embeddings are."""
    rate = {name: count / statistics.median(values) for name, values in seconds.items()}
    plain, ours = rate["transformers_float32"], {p: rate[f"clipgrip_{p}"] for p in peaks}
    expected = embeds["transformers_float32"]
    return {
        "load_average": load_average(),
        "count": count,
        "batch_size": BATCH_SIZE,
        "repeats": len(seconds["transformers_float32"]),
        "seconds": {name: [round(s, 3) for s in values] for name, values in seconds.items()},
        "images_per_second": rounded(rate),
        "ratio": rounded({p: value / plain for p, value in ours.items()}),
        "matmul_peak_gflops": rounded(peaks),
        "share_of_peak": rounded({p: ours[p] * gflop_per_image() / peaks[p] for p in peaks}),
        "max_difference_float32_with_float16_rounding": float(
            (embeds["clipgrip_float32"] - expected).abs().max()
        ),
        "lowest_cosine_bfloat16": float((embeds["clipgrip_bfloat16"] * expected).sum(1).min()),
    }


def plain_loop(folder: Path, images: list[Image.Image]) -> Callable[[], Tensor]:
    """What transformers' documentation shows, batch by batch."""
    from transformers import CLIPModel
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    model = CLIPModel.from_pretrained(folder).eval()
    processor = CLIPImageProcessorPil.from_pretrained(folder)

    @torch.inference_mode()
    def loop() -> Tensor:
        embeds = []
        for start in range(0, len(images), BATCH_SIZE):
            inputs = processor(images=images[start : start + BATCH_SIZE], return_tensors="pt")
            embeds.append(F.normalize(model.get_image_features(**inputs).pooler_output, dim=-1))
        return torch.cat(embeds)

    return loop


def our_loop(folder: Path, images: list[Image.Image], precision: Any) -> Callable[[], Tensor]:
    """``embed_images`` without a cache."""
    backbone = ClipBackbone("random ViT-B/32", folder, precision=precision)
    items = [(str(n), lambda image=image: image) for n, image in enumerate(images)]
    return lambda: embed_images(backbone, items).embeds


def load_images(folder: Path | None, count: int) -> list[Image.Image]:
    """Photographs evenly taken from a folder, decoded; or noise."""
    if folder is None:
        noise = np.random.default_rng(0).integers(0, 256, (count, 384, 512, 3), np.uint8)
        return [Image.fromarray(array) for array in noise]
    paths = sorted(
        p for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png", ".bmp")
    )
    chosen = [paths[n * len(paths) // count] for n in range(count)]
    return [Image.open(path).convert("RGB") for path in chosen]


def gflop_per_image() -> float:
    """What the tower executes; its last block works for one token, but makes all keys and values."""
    attention = 4 * TOKENS * TOKENS * WIDTH
    block = 2 * TOKENS * WIDTH * (4 * WIDTH + 2 * INNER) + attention
    last = 2 * TOKENS * WIDTH * 2 * WIDTH + 2 * WIDTH * (2 * WIDTH + 2 * INNER) + attention / TOKENS
    return (2 * (TOKENS - 1) * PATCH * WIDTH + (DEPTH - 1) * block + last) / 1e9


def matmul_gflops(dtype: torch.dtype, size: int = 2048) -> float:
    """The best of a few large square products."""
    left, right = (torch.randn(size, size).to(dtype) for _ in range(2))
    best = min(timed(lambda: left @ right) for _ in range(8))
    return 2 * size**3 / best / 1e9


def timed(work: Callable[[], object]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def rounded(values: dict[str, float]) -> dict[str, float]:
    """Three decimals are more than the measurement knows."""
    return {name: round(value, 3) for name, value in values.items()}


def load_average() -> float | None:
    """How many processes wanted a processor in the last five minutes, this one's threads included."""
    return round(os.getloadavg()[1], 1) if hasattr(os, "getloadavg") else None


if __name__ == "__main__":
    main()
