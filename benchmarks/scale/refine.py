"""``refine`` out of core: seconds, rows a second, highest memory, and agreement with the answers in memory.

    python -m benchmarks.scale.refine --rows 1000000 10000000 --folder SCRATCH [--threads 2] [--compare 1000000]

Embeddings are made up from real ones (ImageNet's, 512 wide): an image is the mean of a real class and what two other
real images differ from the means of theirs, so that classes overlap as real ones do, with the real texts beside them.
They are written to ``SCRATCH`` (1 kB an image) and read from there; the work needs some 4 kB an image more at 100
classes. Each size runs in a process of its own.

``gigabytes`` is the highest resident memory, files that are mapped included; ``gigabytes_own`` what is no file's.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.features import FeatureSet, with_text
from benchmarks.record import machine, record
from clipgrip.pseudolabel import refined

SCALE = 100.0
WRITTEN = 65_536


def main() -> None:
    """Measure each size and write ``results/scale_refine.json``."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", nargs="+", type=int, default=[100_000, 1_000_000])
    parser.add_argument("--folder", type=Path, required=True, help="on a disk, not in memory")
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compare", type=int, default=1_000_000, help="in memory too, up to here")
    parser.add_argument("--name", default="scale_refine")
    parser.add_argument("--alone", choices=["scratch", "memory"])
    chosen = parser.parse_args()
    if chosen.alone:
        print(json.dumps(measure(chosen.folder, in_memory=chosen.alone == "memory")))
        return
    print(machine())
    found: dict[str, Any] = {"classes": chosen.classes, "rows": []}
    for rows in chosen.rows:
        found["rows"].append(_one_size(rows, chosen))
        print(found["rows"][-1], flush=True)
        record(chosen.name, found)


def _one_size(rows: int, chosen: argparse.Namespace) -> dict[str, Any]:
    folder = chosen.folder / f"clipgrip-{rows}"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        began = time.perf_counter()
        make(rows, chosen.classes, folder)
        made = round(time.perf_counter() - began, 1)
        found = _in_its_own_process("scratch", folder, chosen.threads)
        if rows <= chosen.compare:
            found["in_memory"] = _in_its_own_process("memory", folder, chosen.threads)
            answers = [np.load(folder / f"{way}.npy") for way in ("scratch", "memory")]
            found["agreement"] = round(float((answers[0] == answers[1]).mean()), 5)
        return {"rows": rows, "seconds_to_make": made, **found}
    finally:
        shutil.rmtree(folder)


def make(rows: int, classes: int, folder: Path) -> None:
    """images.npy (N, D) in float16, labels.npy (N,) and classes.npy (C, D)."""
    real = with_text("imagenet1000")
    real = real.rows((real.labels < classes).nonzero().squeeze(1))
    means, apart = _means_and_apart(real, classes)
    draw = torch.Generator().manual_seed(0)
    labels = torch.randint(classes, (rows,), generator=draw)
    shape = rows, real.images.shape[1]
    images = np.lib.format.open_memmap(folder / "images.npy", "w+", np.float16, shape)
    for start in range(0, rows, WRITTEN):
        part = labels[start : start + WRITTEN]
        pair = torch.randint(len(apart), (2, len(part)), generator=draw)
        weight = torch.rand(len(part), 1, generator=draw)
        off = weight.sqrt() * apart[pair[0]] + (1 - weight).sqrt() * apart[pair[1]]
        images[start : start + len(part)] = F.normalize(means[part] + off, dim=1).half().numpy()
    np.save(folder / "labels.npy", labels.numpy())
    np.save(folder / "classes.npy", real.classes[:classes].numpy())


def _means_and_apart(real: FeatureSet, classes: int) -> tuple[Tensor, Tensor]:
    """Mean (C, D) of each class, and what each image (n, D) has beside it."""
    sums = torch.zeros(classes, real.images.shape[1]).index_add_(0, real.labels, real.images)
    means = sums / torch.bincount(real.labels, minlength=classes)[:, None]
    return means, real.images - means[real.labels]


def _in_its_own_process(way: str, folder: Path, threads: int) -> dict[str, Any]:
    wanted = {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"}
    command = [sys.executable, "-m", "benchmarks.scale.refine"]
    command += ["--folder", str(folder), "--alone", way]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, env=os.environ | wanted
    )
    return json.loads(done.stdout)


def measure(folder: Path, *, in_memory: bool) -> dict[str, Any]:
    """Seconds and memory of one call; the answers go to a file."""
    images: Any = np.load(folder / "images.npy", mmap_mode="r")
    labels, classes = np.load(folder / "labels.npy"), np.load(folder / "classes.npy")
    if in_memory:
        images = torch.from_numpy(np.array(images))
    own = HighestOwn()
    began, used = time.perf_counter(), time.process_time()
    found = refined(
        images,
        torch.from_numpy(classes),
        logit_scale=SCALE,
        scratch=None if in_memory else folder,
    )
    seconds, processor = time.perf_counter() - began, time.process_time() - used
    answers = torch.cat([part.argmax(1) for part in found.probs.split(WRITTEN)]).numpy()
    highest = own.stop()
    np.save(folder / f"{'memory' if in_memory else 'scratch'}.npy", answers)
    return {
        "method": found.method,
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[1], 1),
        "seconds": round(seconds, 1),
        "processor_seconds": round(processor, 1),
        "rows_a_second": round(len(labels) / seconds),
        "gigabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9, 2),
        "gigabytes_own": round(highest / 1e9, 2),
        "accuracy": round(float((answers == labels).mean()), 4),
    }


class HighestOwn:
    """The highest memory of this process that is no file's, looked at five times a second; 0 where Linux is not."""

    def __init__(self) -> None:
        self.most, self._over = 0, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        status = Path("/proc/self/status")
        while status.is_file() and not self._over.wait(0.2):
            self.most = max(self.most, self._now())

    @staticmethod
    def _now() -> int:
        status = Path("/proc/self/status")
        lines = (line.split() for line in status.read_text().splitlines())
        return 1024 * next((int(line[1]) for line in lines if line[0] == "RssAnon:"), 0)

    def begin(self) -> int:
        """Look for the highest from now on; what it was."""
        before, self.most = self.most, self._now()
        return before

    def stop(self) -> int:
        """Bytes."""
        self._over.set()
        self._thread.join()
        return self.most


if __name__ == "__main__":
    main()
