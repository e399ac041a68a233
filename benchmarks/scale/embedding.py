"""What one image costs, by part and by executor: reading, hashing, decoding, encoding, keeping, answering.

    python -m benchmarks.scale.embedding                       # parts, and executors on ViT-B/32 size
    python -m benchmarks.scale.embedding --rows 1000000        # listing, ingest and streamed answers at that many rows

Random weights of ViT-B/32 size, photographs of noise: times are those of the real model, accuracies are not. The
rows of the second command are one photograph many times over with other bytes behind its end, so that each has a hash
of its own; the model is ``nano``'s size and the embeddings are read from the cache, so that what is left is the
machinery itself.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import shutil
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.image_encoding import write_model
from benchmarks.record import record
from clipgrip.backbone.cache import EmbeddingCache
from clipgrip.backbone.clip import ClipBackbone
from clipgrip.backbone.embed import embed_images
from clipgrip.backbone.registry import find_folder
from clipgrip.data.discover import discover
from clipgrip.data.hashing import examine_all
from clipgrip.data.images import decode
from clipgrip.data.ingest import ingest
from clipgrip.data.listing import SHARD_ROWS, listing
from clipgrip.executors import executor_named, using
from clipgrip.runs.embedding import source_item

CLASSES = ["cat", "dog"]


def main() -> None:
    """Measure, print, and write ``results/scale_embedding.json`` or ``results/scale_rows.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=512, help="photographs")
    parser.add_argument("--on", nargs="*", default=["here", "processes", "ray"])
    parser.add_argument("--rows", type=int, default=0, help="rows of a table; none: photographs")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        found = (
            at_rows(folder, arguments.rows)
            if arguments.rows
            else photographs(folder, arguments.count, arguments.on)
        )
    record("scale_rows" if arguments.rows else "scale_embedding", found)
    print(json.dumps(found, indent=2))


def photographs(folder: Path, count: int, names: list[str]) -> dict[str, Any]:
    """Milliseconds an image by part, and images a second by executor with what the workers' beginning takes."""
    images = write_images(folder / "images", count)
    entries = discover(images).entries
    data = [entry.source.read() for entry in entries]
    model = write_model(folder / "model")
    shutil.copy(find_folder("nano") / "tokenizer.json", model)  # no text is read
    backbone = ClipBackbone("b32", model, precision="float32")
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
    executors = {name: by_executor(name, backbone, entries) for name in names}
    size = sum(map(len, data)) / len(data)
    return {"count": count, "bytes": round(size), "milliseconds": parts, "executors": executors}


def by_executor(name: str, backbone: ClipBackbone, entries: Any) -> dict[str, float]:
    """Images a second of the second half, and seconds until the first answer."""
    items = [source_item(entry.source) for entry in entries]
    half, first = len(items) // 2, list[float]()
    with using(executor_named(name)):
        began = time.perf_counter()

        def note(done: int, _: int) -> None:
            if done and not first:
                first.append(time.perf_counter() - began)

        embed_images(backbone, items[:half], on_progress=note)
        began_again = time.perf_counter()
        embed_images(backbone, items[half:])
        seconds = time.perf_counter() - began_again
    return {
        "images_per_second": round(half / seconds, 2),
        "first_answer_seconds": round(first[0], 1),
    }


def at_rows(folder: Path, rows: int) -> dict[str, Any]:
    """Seconds and peak memory of listing, of a whole ingest, and of a shard's key, at so many rows in tar files."""
    tars = write_tars(folder / "tars", rows)
    found: dict[str, Any] = {"rows": rows}
    with measured(found, "stream"):
        found["shards"] = sum(1 for shard in listing(tars).shards() if shard.key)
    with measured(found, "ingest"):
        manifest = ingest(tars, classes=CLASSES).manifest
    assert len(manifest) == rows
    return found


@contextmanager
def measured(found: dict[str, Any], name: str) -> Iterator[None]:
    """Seconds, and the most memory so far in MB."""
    began = time.perf_counter()
    yield
    found[f"{name}_seconds"] = round(time.perf_counter() - began, 1)
    found[f"{name}_peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def each(work: Callable[[], Any], count: int) -> float:
    """Milliseconds for one of ``count``."""
    began = time.perf_counter()
    work()
    return round(1000 * (time.perf_counter() - began) / count, 3)


def write_images(folder: Path, count: int) -> Path:
    """JPEG files of 640 x 480, smooth noise."""
    folder.mkdir()
    for number in range(count):
        noise = np.random.default_rng(number).integers(0, 256, (60, 80, 3), np.uint8)
        picture = Image.fromarray(noise).resize((640, 480), Image.Resampling.BICUBIC)
        picture.save(folder / f"{number:06d}.jpg", quality=90)
    return folder


def write_tars(folder: Path, rows: int, each_tar: int = 100_000) -> Path:
    """Tar files of small pictures with other bytes behind their end."""
    folder.mkdir()
    out = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(out, "PNG")
    for start in range(0, rows, each_tar):
        with tarfile.open(folder / f"{start // each_tar:05d}.tar", "w") as made:
            for number in range(start, min(start + each_tar, rows)):
                data = out.getvalue() + number.to_bytes(8, "big")
                info = tarfile.TarInfo(f"{number:09d}.png")
                info.size = len(data)
                made.addfile(info, io.BytesIO(data))
    return folder


if __name__ == "__main__":
    main()
