"""What one image costs, by part and by executor: reading, hashing, decoding, encoding, keeping.

    python -m benchmarks.scale.embedding [--count 256]        # about three minutes on two quiet cores

Random weights of ViT-B/32 size, photographs of noise: times are those of the real model, accuracies are not. The
precision is the machine's own, as in a run. ``own_milliseconds`` is what the first process does for an image that a
worker encodes, and ``speedup`` what follows for machines like this one: a machine takes w seconds an image, the first
process d; n machines take w / n + d.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.image_encoding import load_average
from benchmarks.random_clip import write_model
from benchmarks.record import record
from clipgrip.backbone.cache import EmbeddingCache
from clipgrip.backbone.clip import ClipBackbone
from clipgrip.backbone.embed import embed_images
from clipgrip.data.discover import discover
from clipgrip.data.hashing import examine_all
from clipgrip.data.images import decode
from clipgrip.data.listing import SHARD_ROWS
from clipgrip.executors import executor_named, using
from clipgrip.runs.embedding import source_item


def main() -> None:
    """Measure, print, and write ``results/scale_embedding.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=256, help="photographs")
    parser.add_argument("--on", nargs="*", default=["here", "processes", "ray"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        found = photographs(Path(place), arguments.count, arguments.on)
    record("scale_embedding", found)
    print(json.dumps(found, indent=2))


def photographs(folder: Path, count: int, names: list[str]) -> dict[str, Any]:
    """Milliseconds an image by part, and images a second by executor with what the workers' beginning takes."""
    images = write_images(folder / "images", count)
    entries = discover(images).entries
    data = [entry.source.read() for entry in entries]
    model = write_model(folder / "model")
    backbone = ClipBackbone("b32", model)
    pictures = [decode(one) for one in data[:64]]
    pixels = np.stack([backbone.preprocess(one) for one in pictures[:32]])
    embeds = np.random.default_rng(0).standard_normal((SHARD_ROWS, 512)).astype(np.float32)
    hashes = [f"{number:064x}" for number in range(SHARD_ROWS)]
    cache = EmbeddingCache(folder / "cache", "parts", 512)
    parts = {
        "read, hash, header": each(lambda: list(examine_all(entries)), len(entries)),
        "decode": each(lambda: [decode(one) for one in data[:64]], 64),
        "resize": each(lambda: [backbone.preprocess(one) for one in pictures], 64),
        "encode": each(partial(backbone.encode_image, pixels), 32),
        "keep": each(partial(cache.put, hashes, embeds), SHARD_ROWS),
        "read again": each(partial(cache.get, hashes), SHARD_ROWS),
    }
    return {
        "load_average": load_average(),
        "precision": backbone.precision,
        "count": count,
        "bytes": round(sum(map(len, data)) / len(data)),
        "milliseconds": parts,
        "executors": {name: by_executor(name, backbone, entries) for name in names},
    }


def by_executor(name: str, backbone: ClipBackbone, entries: Any) -> dict[str, Any]:
    """Images a second of the second half, seconds until the first answer, and the share of the first process."""
    items = [source_item(entry.source) for entry in entries]
    half, first = len(items) // 2, list[float]()
    with using(executor_named(name)):
        began = time.perf_counter()

        def note(done: int, _: int) -> None:
            if done and not first:
                first.append(time.perf_counter() - began)

        embed_images(backbone, items[:half], on_progress=note)
        began_again, used = time.perf_counter(), time.process_time()
        embed_images(backbone, items[half:])
        used = time.process_time() - used
        seconds = time.perf_counter() - began_again
    count = len(items) - half
    found: dict[str, Any] = {
        "images_per_second": round(count / seconds, 2),
        "first_answer_seconds": round(first[0], 1),
    }
    if name == "here":
        return found
    machine, own = seconds / count, used / count
    speedup = {n: round(machine / (machine / n + own), 2) for n in (2, 10, 100)}
    return found | {"own_milliseconds": round(1000 * own, 3), "speedup": speedup}


def each(work: Callable[[], Any], count: int) -> float:
    """Milliseconds of the processor for one of ``count``."""
    began = time.process_time()
    work()
    return round(1000 * (time.process_time() - began) / count, 3)


def write_images(folder: Path, count: int) -> Path:
    """JPEG files of 640 x 480, smooth noise."""
    folder.mkdir()
    for number in range(count):
        noise = np.random.default_rng(number).integers(0, 256, (60, 80, 3), np.uint8)
        picture = Image.fromarray(noise).resize((640, 480), Image.Resampling.BICUBIC)
        picture.save(folder / f"{number:06d}.jpg", quality=90)
    return folder


if __name__ == "__main__":
    main()
