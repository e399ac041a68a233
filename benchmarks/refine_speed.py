"""How long ``refine`` takes on many images, and how much memory: synthetic clusters, float16, 512 wide, 100 classes.

    python -m benchmarks.refine_speed [--rows 50000 200000 1000000]

Each size runs in a process of its own, whose highest memory is read at its end. It also says what the search for
neighbours among cells instead of among all costs in accuracy, where both can be had.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from typing import Any

import torch
import torch.nn.functional as F

from benchmarks.record import machine, record
from clipgrip.pseudolabel import neighbours, refine

WIDTH, CLASSES, SCALE = 512, 100, 100.0


def main() -> None:
    """Measure each size and write ``results/refine_speed.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", nargs="+", type=int, default=[20_000, 50_000, 200_000, 1_000_000])
    parser.add_argument("--alone", type=int, default=0)
    parser.add_argument("--exact", action="store_true")
    chosen = parser.parse_args()
    if chosen.alone:
        print(json.dumps(measure(chosen.alone, exact=chosen.exact)))
        return
    print(machine())
    found = []
    for rows in chosen.rows:
        for exact in (False, True) if rows <= 50_000 else (False,):
            command = [sys.executable, "-m", "benchmarks.refine_speed", "--alone", str(rows)]
            done = subprocess.run(
                command + (["--exact"] if exact else []), capture_output=True, text=True, check=True
            )
            found.append(json.loads(done.stdout))
            print(found[-1], flush=True)
            record("refine_speed", {"rows": found})


def measure(rows: int, *, exact: bool) -> dict[str, Any]:
    """Seconds and peak memory of one call."""
    images, classes, labels = clusters(rows)
    neighbours.EXACT_ROWS = rows if exact else 10_000
    before = _peak()
    began = time.perf_counter()
    graph = neighbours.neighbour_graph(images, exact_rows=neighbours.EXACT_ROWS)
    search = time.perf_counter() - began
    del graph
    began = time.perf_counter()
    probs = refine(images, classes, logit_scale=SCALE)
    return {
        "rows": rows,
        "exact": exact,
        "seconds": round(time.perf_counter() - began, 2),
        "neighbour_seconds": round(search, 2),
        "gigabytes": round(_peak() / 2**30, 2),
        "gigabytes_before": round(before / 2**30, 2),
        "accuracy": round(float((probs.argmax(1) == labels).float().mean()), 4),
    }


def clusters(rows: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Images about as tight as CLIP's, texts apart from them."""
    draw = torch.Generator().manual_seed(0)
    labels = torch.randint(CLASSES, (rows,), generator=draw)
    centres = torch.randn(CLASSES, WIDTH, generator=draw)
    common = 2 * torch.randn(WIDTH, generator=draw)
    images = torch.empty(rows, WIDTH, dtype=torch.float16)
    for start in range(0, rows, 16_384):
        part = slice(start, start + 16_384)
        noise = 2.0 * torch.randn(len(labels[part]), WIDTH, generator=draw)
        images[part] = F.normalize(common + centres[labels[part]] + noise, dim=1).half()
    away = 8 * torch.randn(WIDTH, generator=draw)
    wrong = 2.5 * torch.randn(CLASSES, WIDTH, generator=draw)
    return images, F.normalize(away + centres + wrong, dim=1), labels


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
