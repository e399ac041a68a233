"""How long it takes to choose among many images, and how much memory: synthetic clusters, float16, 512 wide.

    python -m benchmarks.suggest_speed [--rows 10000 100000] [--budgets 30 400]

Processor seconds, so that what else the machine does counts little; each case runs in a process of its own.
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

from benchmarks.record import machine, record
from benchmarks.refine_speed import clusters
from clipgrip.labeling.acquire import helpful, representative

SCALE = 100.0


def main() -> None:
    """Measure each case and write ``results/suggest_speed.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", nargs="+", type=int, default=[10_000, 100_000])
    parser.add_argument("--budgets", nargs="+", type=int, default=[30, 400])
    parser.add_argument("--alone", nargs=2, type=int)
    chosen = parser.parse_args()
    if chosen.alone:
        print(json.dumps(measure(*chosen.alone)))
        return
    print(machine())
    found = []
    for rows in chosen.rows:
        for budget in chosen.budgets:
            case = ["--alone", str(rows), str(budget)]
            command = [sys.executable, "-m", "benchmarks.suggest_speed", *case]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found.append(json.loads(done.stdout))
            print(found[-1], flush=True)
    record("suggest_speed", {"rows": found})


def measure(rows: int, budget: int) -> dict[str, Any]:
    """Processor seconds of both functions, and what they add to the highest memory."""
    images, classes, _ = clusters(rows)
    probs = torch.cat(
        [(SCALE * part.float() @ classes.T).softmax(1) for part in images.split(8192)]
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    representative(images, budget)
    between = time.process_time()
    helpful(images, probs, budget)
    ended = time.process_time()
    added = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {
        "rows": rows,
        "budget": budget,
        "representative_seconds": round(between - began, 2),
        "helpful_seconds": round(ended - between, 2),
        "added_gigabytes": round(added / 2**20, 2),
    }


if __name__ == "__main__":
    main()
