"""How long ``refine`` takes on many images, and how much memory: synthetic clusters, float16, 512 wide, 100 classes.

    python -m benchmarks.refine_speed [--rows 20000 50000 200000 1000000] [--threads 2] [--beside 64]

``--beside 64`` puts a second bank of that width in the same rows: what joining and the wider rows cost.

Each size runs in a process of its own, whose highest memory, images included, is read at its end. Processor seconds
stand beside the clock's, as a machine is seldom alone. What the search for neighbours among cells instead of among all
misses, and what that costs in accuracy, is measured on ``--cells`` of the images, and on real sets where they are.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.features import with_prototypes, with_text
from benchmarks.record import machine, record
from clipgrip.pseudolabel import refine, refined
from clipgrip.pseudolabel.refine import clusters as parts
from clipgrip.pseudolabel.refine import space
from clipgrip.pseudolabel.refine.graph import Graph, neighbour_graph
from clipgrip.pseudolabel.refine.settings import DEFAULT

WIDTH, CLASSES, SCALE = 512, 100, 100.0
TIMED = {
    "neighbour_graph": space,
    "discriminating": space,
    "mixture": parts,
    "discriminant": parts,
    "sinkhorn": parts,
    "tempered": parts,
}
REAL_CELL = 500
MANY = 200_000


def main() -> None:
    """Measure each size and write ``results/refine_speed.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", nargs="+", type=int, default=[20_000, 50_000, 200_000, 1_000_000])
    parser.add_argument("--threads", type=int, default=2, help=f"from {MANY:,} rows on; below, 1")
    parser.add_argument("--cells", type=int, default=20_000, help="0: leave this part out")
    parser.add_argument("--alone", type=int, default=0)
    parser.add_argument("--beside", type=int, default=0, help="width of a second bank; 0: none")
    parser.add_argument("--name")
    chosen = parser.parse_args()
    if chosen.alone:
        print(json.dumps(measure(chosen.alone, chosen.beside)))
        return
    chosen.name = chosen.name or ("refine_speed_joined" if chosen.beside else "refine_speed")
    print(machine())
    found: dict[str, Any] = {"rows": [], "cells": []}
    for rows in chosen.rows:
        threads = chosen.threads if rows >= MANY else 1
        found["rows"].append(_in_its_own_process(rows, threads, chosen.beside))
        print(found["rows"][-1], flush=True)
        record(chosen.name, found)
    for one in _cells(chosen.cells) if chosen.cells else ():
        found["cells"].append(one)
        print(one, flush=True)
        record(chosen.name, found)


def _in_its_own_process(rows: int, threads: int, beside: int) -> dict[str, Any]:
    wanted = {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"}
    command = [sys.executable, "-m", "benchmarks.refine_speed", "--alone", str(rows)]
    command += ["--beside", str(beside)]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, env=os.environ | wanted
    )
    return json.loads(done.stdout)


def measure(rows: int, beside: int = 0) -> dict[str, Any]:
    """Seconds and peak memory of one call, on two banks where one of width ``beside`` stands beside the first."""
    images, classes, labels = clusters(rows)
    banks = [images, second_bank(labels, beside)] if beside else images
    clock = Clock()
    for name, module in TIMED.items():
        setattr(module, name, clock.timed(name, getattr(module, name)))
    before = _peak()
    found = clock.timed("all", refined)(banks, classes, logit_scale=SCALE)
    return {
        "rows": rows,
        **({"beside": beside, "weights": found.bank_weights} if beside else {}),
        "threads": torch.get_num_threads(),
        "load": os.getloadavg()[1],
        "method": found.method,
        "seconds": round(clock.seconds["all"], 1),
        "processor_seconds": round(clock.processor["all"], 1),
        "processor_seconds_of": {name: round(clock.processor[name], 1) for name in TIMED},
        "gigabytes": round(_peak() / 1e9, 2),
        "gigabytes_before": round(before / 1e9, 2),
        "zero_shot_accuracy": round(_accuracy(images[:10_000].float() @ classes.T, labels), 4),
        "accuracy": round(_accuracy(found.probs, labels), 4),
    }


class Clock:
    """Seconds spent in functions, by the clock and of all processors."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.processor: dict[str, float] = {}

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        self.seconds[name] = self.processor[name] = 0.0

        def run(*args: Any, **options: Any) -> Any:
            began, used = time.perf_counter(), time.process_time()
            made = function(*args, **options)
            self.seconds[name] += time.perf_counter() - began
            self.processor[name] += time.process_time() - used
            return made

        return run


def _cells(rows: int) -> list[dict[str, Any]]:
    """What cells miss, on synthetic clusters and on real embeddings with cells small enough for them."""
    texts = [with_text(name) for name in ("caltech58", "imagenet1000")]
    real = texts + [with_prototypes(name, "test") for name in ("dtd", "flowers")]
    return [
        _missed("synthetic", *clusters(rows), DEFAULT.numerics.cell_rows),
        *(_missed(one.name, one.images, one.classes, one.labels, REAL_CELL) for one in real),
    ]


def _missed(
    name: str, images: Tensor, classes: Tensor, labels: Tensor, cell: int
) -> dict[str, Any]:
    rows, found = len(images), {"of": name, "rows": len(images), "cell_rows": cell}
    ways = [
        DEFAULT.with_values({"exact_rows": most, "cell_rows": cell, "max_cell_rows": 2 * cell})
        for most in (rows, 1)
    ]
    exact, cells = (neighbour_graph(images, settings) for settings in ways)
    pairs = [_pairs(graph, rows) for graph in (exact, cells)]
    found["cells"] = len(cells.cells)
    found["recall"] = round(float(torch.isin(*pairs).double().mean()), 3)
    for kind, some, settings in zip(("exact", "cells"), pairs, ways, strict=True):
        same = labels[some // rows] == labels[some % rows]
        found[f"same_class_{kind}"] = round(float(same.double().mean()), 3)
        for method in ("auto", "propagation"):
            probs = refine(images, classes, logit_scale=SCALE, method=method, settings=settings)
            found[f"{method}_{kind}"] = round(100 * _accuracy(probs, labels), 2)
    return found


def _pairs(graph: Graph, rows: int) -> Tensor:
    """One number for each edge."""
    return torch.cat([c.rows[c.sources] * rows + c.rows[c.columns.long()] for c in graph.cells])


def _accuracy(scores: Tensor, labels: Tensor) -> float:
    return float((scores.argmax(1) == labels[: len(scores)]).double().mean())


def clusters(rows: int) -> tuple[Tensor, Tensor, Tensor]:
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


def second_bank(labels: Tensor, width: int) -> Tensor:
    """(N, ``width``) what an eye sees of the same images, more clearly than CLIP does."""
    draw = torch.Generator().manual_seed(1)
    centres = torch.randn(CLASSES, width, generator=draw)
    bank = torch.empty(len(labels), width, dtype=torch.float16)
    for start in range(0, len(labels), 16_384):
        part = slice(start, start + 16_384)
        noise = torch.randn(len(labels[part]), width, generator=draw)
        bank[part] = F.normalize(centres[labels[part]] + noise, dim=1).half()
    return bank


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
