"""What a row of a list or of a folder costs before it is read: memory and seconds of listing and of binding labels.

    python -m benchmarks.scale.lists --rows 200000 --folder SCRATCH [--ways csv parquet folders labels]

``csv`` and ``parquet`` list objects of a store with a label each, which nobody looks for; ``folders`` are empty files
in folders named like the classes, ``labels`` the same folder given as the labels of its own images. No image is read:
its content hash is that of its path, so that what is left is the machinery. Each way runs in two processes of its own,
one for the seconds and the memory that is no file's, one for Python's own count of what it keeps (``tracemalloc``).
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.record import record
from benchmarks.scale.refine import HighestOwn
from clipgrip.data import ingest as ingesting
from clipgrip.data.discover import discover
from clipgrip.data.entries import Entry
from clipgrip.data.hashing import Usable

CLASSES = [f"class {number}" for number in range(20)]
WAYS = ("csv", "parquet", "folders", "labels")


def main() -> None:
    """Measure each way and write ``results/scale_lists.json``."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--folder", type=Path, required=True, help="on a disk, for the empty files")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--name", default="scale_lists")
    parser.add_argument("--alone", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--traced", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.alone:
        print(json.dumps(measured(chosen.alone, chosen.folder, traced=chosen.traced)))
        return
    place = chosen.folder / f"clipgrip-lists-{chosen.rows}"
    found: dict[str, Any] = {"rows": chosen.rows}
    try:
        write_inputs(chosen.rows, place, chosen.ways)
        for way in chosen.ways:
            found[way] = _alone(way, place) | _alone(way, place, "--traced")
            print(way, json.dumps(found[way]), flush=True)
            record(chosen.name, found)
    finally:
        shutil.rmtree(place)


def write_inputs(rows: int, place: Path, ways: Sequence[str]) -> None:
    """A list as CSV and Parquet, and a folder of empty files."""
    place.mkdir(parents=True)
    paths = [
        f"s3://plant/line 3/{n % 97:02d}/photograph-{n:010d}-of-a-part.jpg" for n in range(rows)
    ]
    labels = [CLASSES[n % len(CLASSES)] for n in range(rows)]
    with open(place / "list.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("path", "label"), *zip(paths, labels, strict=True)])
    if "parquet" in ways:
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table({"path": paths, "label": labels}), place / "list.parquet")
    if "folders" in ways or "labels" in ways:
        for name in CLASSES:
            (place / "images" / name).mkdir(parents=True)
        for n in range(rows):
            (place / "images" / CLASSES[n % len(CLASSES)] / f"photograph-{n:010d}.jpg").touch()
        # labels are looked for where there is one picture at least
        Image.new("RGB", (8, 8)).save(place / "images" / CLASSES[0] / "photograph-0000000000.jpg")


def _alone(way: str, place: Path, *more: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.scale.lists", "--folder", str(place)]
    done = subprocess.run(
        [*command, "--alone", way, *more], stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measured(way: str, place: Path, *, traced: bool) -> dict[str, Any]:
    """What one way costs, each byte by the row."""
    setattr(ingesting, "examine_all", made_up)  # noqa: B010
    images = place / {"csv": "list.csv", "parquet": "list.parquet"}.get(way, "images")
    labels = images if way == "labels" else None
    (place / "first.csv").write_text("path,label\ns3://plant/1.jpg,class 0\n")
    ingesting.ingest(place / "first.csv", classes=CLASSES)  # what is imported once is no row's
    if way == "parquet":
        discover(images)
    if traced:
        return _traced(images, labels)
    own = HighestOwn()
    own.begin()
    before, used = own.most, time.process_time()
    found = discover(images)
    listed, listing = time.process_time() - used, own.begin()
    rows = len(found.entries)
    del found
    used = time.process_time()
    done = ingesting.ingest(images, classes=CLASSES, labels=labels, folders=way == "folders")
    assert len(done.manifest) == rows == sum(label >= 0 for label in done.manifest.rows.labels)
    return {
        "list_processor_seconds": round(listed, 1),
        "list_own_bytes_a_row": round((listing - before) / rows),
        "ingest_processor_seconds": round(time.process_time() - used, 1),
        "ingest_own_bytes_a_row": round((own.stop() - before) / rows),
    }


def _traced(images: Path, labels: Path | None) -> dict[str, Any]:
    tracemalloc.start()
    found = discover(images)
    kept, most = tracemalloc.get_traced_memory()
    rows = len(found.entries)
    del found
    tracemalloc.reset_peak()
    ingesting.ingest(images, classes=CLASSES, labels=labels, folders=labels is None)
    return {
        "list_kept_bytes_a_row": round(kept / rows),
        "list_most_bytes_a_row": round(most / rows),
        "ingest_most_bytes_a_row": round(tracemalloc.get_traced_memory()[1] / rows),
    }


def made_up(entries: Sequence[Entry], _on_progress: Any = None) -> Iterator[Usable]:
    """A content for each place, without reading any."""
    for entry in entries:
        yield Usable(hashlib.sha256(os.fsencode(entry.key)).hexdigest(), None)


if __name__ == "__main__":
    main()
