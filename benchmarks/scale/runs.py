"""Runs of many rows: seconds, memory and file sizes of listing, run, report and predict, and of each stage of a run.

    python -m benchmarks.scale.runs --rows 100000 1000000 --folder SCRATCH [--threads 1]

The rows are embeddings made up from real ones (`benchmarks.scale.refine`), 512 wide in float16, with the real texts of
100 classes; the list is a Parquet file with a picture in each row. Each command runs in a process of its own.

``own`` is the highest memory that is no file's, looked at five times a second; a stage's is what the whole process had
while the stage was at work. Stages hold one another: ``ingest`` is listing, hashing and rows.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.record import record
from benchmarks.scale.refine import HighestOwn, make
from clipgrip.cli.main import root
from clipgrip.data.discover import discover

EMBEDDINGS, LISTED, RUN, ANSWERS = "rows.npz", "listed.parquet", "run", "answers.parquet"
Command = Callable[[Path, str], None]
"""Place and strategy."""
STAGES = {
    "ingest": ("clipgrip.runs.pipeline", "ingest"),
    "listing": ("clipgrip.data.ingest", "discover"),
    "hashing": ("clipgrip.data.ingest", "_contents"),
    "embeddings": ("clipgrip.runs.prepare", "embedded"),
    "what is known": ("clipgrip.runs.pipeline", "knowledge"),
    "estimate": ("clipgrip.runs.pipeline", "estimate_facts"),
    "rounds": ("clipgrip.runs.pipeline", "run_rounds"),
    "answers": ("clipgrip.runs.pipeline", "assemble"),
    "files": ("clipgrip.runs.pipeline", "write_outputs"),
}


def main() -> None:
    """Measure each size and write ``results/scale_runs.json``."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", nargs="+", type=int, default=[100_000, 1_000_000])
    parser.add_argument("--folder", type=Path, required=True, help="on a disk, not in memory")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--strategy", default="grip", help="zero-shot leaves the tuning out")
    parser.add_argument("--alone", choices=list(COMMANDS))
    chosen = parser.parse_args()
    if chosen.alone:
        print(json.dumps(measured(chosen.alone, chosen.folder, chosen.strategy)))
        return
    found: dict[str, Any] = {"sizes": []}
    for rows in chosen.rows:
        place = chosen.folder / f"clipgrip-rows-{rows}"
        done = {"rows": rows, "strategy": chosen.strategy, **_one_size(rows, place, chosen)}
        found["sizes"].append(done)
        print(json.dumps(found["sizes"][-1], indent=1), flush=True)
        record("scale_runs", found)


def _one_size(rows: int, place: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    place.mkdir(parents=True, exist_ok=True)
    try:
        write_inputs(rows, place)
        return {name: _in_its_own_process(name, place, chosen) for name in COMMANDS}
    finally:
        shutil.rmtree(place)


def write_inputs(rows: int, place: Path) -> None:
    """A file of embeddings, and a list with a picture in each row."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    make(rows, 100, place)
    images = np.load(place / "images.npy", mmap_mode="r")
    texts = np.load(place / "classes.npy")
    names = np.array([f"class {number}" for number in range(len(texts))])
    np.savez(place / EMBEDDINGS, clip=images, class_embeds=texts, class_names=names)
    (place / "images.npy").unlink()
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    with pq.ParquetWriter(place / LISTED, pa.schema([("image", kind)])) as writer:
        for start in range(0, rows, 65_536):
            part = range(start, min(start + 65_536, rows))
            cells = [{"bytes": picture.getvalue(), "path": f"a/{n:08d}.png"} for n in part]
            writer.write_table(pa.table({"image": pa.array(cells, kind)}))


def _in_its_own_process(name: str, place: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    wanted = {"OMP_NUM_THREADS": str(chosen.threads), "OMP_WAIT_POLICY": "PASSIVE"}
    command = [sys.executable, "-m", "benchmarks.scale.runs", "--folder", str(place)]
    done = subprocess.run(
        [*command, "--alone", name, "--strategy", chosen.strategy],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=os.environ | wanted,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measured(name: str, place: Path, strategy: str) -> dict[str, Any]:
    """Seconds, memory and stages of one command."""
    stages: dict[str, Any] = {}
    own = HighestOwn()
    for stage, (module, function) in STAGES.items():
        found = importlib.import_module(module)
        setattr(found, function, _timed(getattr(found, function), stage, stages, own))
    began, used = time.perf_counter(), time.process_time()
    COMMANDS[name](place, strategy)
    return {
        "seconds": round(time.perf_counter() - began, 1),
        "processor_seconds": round(time.process_time() - used, 1),
        "load": round(os.getloadavg()[1], 1),
        "own_mb": round(own.stop() / 1e6),
        "stages": stages,
        "files_mb": _sizes(place / RUN if name != "predict" else place),
    }


def _timed(function: Any, stage: str, stages: dict[str, Any], own: HighestOwn) -> Any:
    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        before, began = own.begin(), time.process_time()
        try:
            return function(*args, **kwargs)
        finally:
            seconds = round(time.process_time() - began, 1)
            stages[stage] = {"processor_seconds": seconds, "own_mb": round(own.most / 1e6)}
            own.most = max(own.most, before)

    return called


def _sizes(folder: Path) -> dict[str, float]:
    files = sorted(folder.glob("*.*")) if folder.is_dir() else []
    return {path.name: round(path.stat().st_size / 1e6, 1) for path in files if path.is_file()}


def _list(place: Path, _strategy: str) -> None:
    assert len(discover(place / LISTED).entries)


def _command(*words: str) -> Command:
    """A command of clipgrip whose words ``@...`` are files of the place."""

    def called(place: Path, strategy: str) -> None:
        given = [str(place / word[1:]) if word.startswith("@") else word for word in words]
        given += ["--strategy", strategy] if words[0] == "run" else []
        assert not root().main(given, prog_name="clipgrip", standalone_mode=False)

    return called


COMMANDS: dict[str, Command] = {
    "list": _list,
    "run": _command("run", f"@{EMBEDDINGS}", "--out", f"@{RUN}"),
    "report": _command("report", f"@{RUN}"),
    "predict": _command("predict", f"@{RUN}", f"@{EMBEDDINGS}", "--out", f"@{ANSWERS}"),
}

if __name__ == "__main__":
    main()
