"""What a row costs beside its model: listing, ingest and streamed answers, at more and more rows.

    python -m benchmarks.scale.rows --rows 10000 100000 1000000 --folder SCRATCH

A row is a small picture with other bytes behind its end, so that each has a hash of its own, in tar files of 100,000.
The model is ``nano``, and its embeddings lie in the cache, so that what is left is the machinery itself. Each size runs
in a process of its own. ``flat`` is the dearest size beside the cheapest, by an image: 1.0 is a straight line.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import resource
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.image_encoding import load_average
from benchmarks.record import record
from clipgrip.backbone.cache import ROOT_VARIABLE, EmbeddingCache
from clipgrip.config import Project
from clipgrip.data.ingest import ingest
from clipgrip.data.listing import SHARD_ROWS, listing
from clipgrip.runs.pipeline import run
from clipgrip.serving.predictor import Predictor
from clipgrip.serving.stream import predict_stream

CLASSES, EACH_TAR = ["cat", "dog"], 100_000
STEPS = ("list", "ingest", "answer")


def main() -> None:
    """Measure each size, print, and write ``results/scale_rows.json``."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", nargs="+", type=int, default=[10_000, 100_000])
    parser.add_argument("--folder", type=Path, required=True, help="for 3 kB a row")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.alone:
        print(json.dumps(at_rows(chosen.folder, chosen.rows[0])))
        return
    sizes = [_in_its_own_process(rows, chosen.folder) for rows in chosen.rows]
    found = {"load_average": load_average(), "sizes": sizes, "flat": flat(sizes)}
    record("scale_rows", found)
    print(json.dumps(found, indent=1))


def flat(sizes: list[dict[str, Any]]) -> dict[str, float]:
    """By step, how much more an image costs at the dearest size than at the cheapest."""
    each = {step: [one[f"{step}_seconds"] / one["rows"] for one in sizes] for step in STEPS}
    return {step: round(max(costs) / min(costs), 2) for step, costs in each.items()}


def _in_its_own_process(rows: int, place: Path) -> dict[str, Any]:
    folder = place / f"clipgrip-rows-{rows}"
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "benchmarks.scale.rows", "--alone"]
    command += ["--rows", str(rows), "--folder", str(folder)]
    environment = os.environ | {ROOT_VARIABLE: str(folder / "cache")}
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, check=True, env=environment
        )
    finally:
        shutil.rmtree(folder)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def at_rows(folder: Path, rows: int) -> dict[str, Any]:
    """Seconds, the most memory so far and bytes on disk."""
    tars, model = write_tars(folder / "tars", rows), zero_shot(folder)
    fill_cache(Predictor.open(model), rows)
    found: dict[str, Any] = {"rows": rows}
    with measured(found, "list"):
        assert sum(len(shard.entries) for shard in listing(tars).shards() if shard.key) == rows
    with measured(found, "answer"):
        assert predict_stream(model, tars, folder / "answers.parquet").images == rows
    with measured(found, "ingest"):
        assert len(ingest(tars, classes=CLASSES).manifest) == rows
    found["answer_bytes_a_row"] = round((folder / "answers.parquet").stat().st_size / rows, 1)
    cached = sum(path.stat().st_size for path in (folder / "cache").rglob("*") if path.is_file())
    found["cache_bytes_a_row"] = round(cached / rows, 1)
    return found


def zero_shot(folder: Path) -> Path:
    """A finished run of ``nano``, without any training."""
    images, names = folder / "images", folder / "classes.txt"
    images.mkdir()
    names.write_text("\n".join(CLASSES) + "\n")
    for number in range(4):
        Image.new("RGB", (8, 8), (60 * number, 0, 0)).save(images / f"{number}.png")
    return run(
        Project(images=images, classes=names, out=folder / "run", strategy="zero-shot")
    ).folder


def fill_cache(model: Predictor, rows: int) -> None:
    """Random embeddings of all rows."""
    cache = EmbeddingCache.for_backbone(model.backbone)
    draw = np.random.default_rng(0)
    for start in range(0, rows, SHARD_ROWS):
        part = range(start, min(start + SHARD_ROWS, rows))
        hashes = [hashlib.sha256(content(number)).hexdigest() for number in part]
        embeds = draw.standard_normal((len(part), cache.width)).astype(np.float32)
        cache.put(hashes, embeds)


@contextmanager
def measured(found: dict[str, Any], name: str) -> Iterator[None]:
    """Seconds, and the most memory so far in MB."""
    began = time.perf_counter()
    yield
    found[f"{name}_seconds"] = round(time.perf_counter() - began, 2)
    found[f"{name}_peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def write_tars(folder: Path, rows: int) -> Path:
    """Tar files of the rows' pictures."""
    folder.mkdir()
    for start in range(0, rows, EACH_TAR):
        with tarfile.open(folder / f"{start // EACH_TAR:05d}.tar", "w") as made:
            for number in range(start, min(start + EACH_TAR, rows)):
                data = content(number)
                info = tarfile.TarInfo(f"{number:09d}.png")
                info.size = len(data)
                made.addfile(info, io.BytesIO(data))
    return folder


def content(number: int) -> bytes:
    """A row's picture."""
    return PICTURE + number.to_bytes(8, "big")


def _picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(out, "PNG")
    return out.getvalue()


PICTURE = _picture()

if __name__ == "__main__":
    main()
