"""Neighbours among a million images: our own cells against FAISS's inverted file; seconds, and what is found.

    pip install faiss-cpu; python -m benchmarks.scale.neighbours --rows 1000000 --folder SCRATCH

Images are those of `benchmarks.scale.refine`. ``recall`` is the share of the three nearest images (exact, of a sample)
that are linked; ``same_class`` the share of links among images of one class. FAISS with one probe searches one cell for
each image, as we do; with eight it finds more, and the links then cross cells (docs/decisions/0045). It is asked for
every tenth image only, and the seconds of its search count ten times.
"""

from __future__ import annotations

import argparse
import importlib
import resource
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.image_encoding import load_average
from benchmarks.record import machine, record
from benchmarks.scale.refine import make
from clipgrip.pseudolabel.refine.graph import neighbour_graph
from clipgrip.pseudolabel.refine.settings import DEFAULT

SAMPLE, NEAREST, BLOCK, ASKED = 1000, DEFAULT.neighbours, 65_536, 10


def main() -> None:
    """Measure both and write ``results/scale_neighbours.json``."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, required=True)
    chosen = parser.parse_args()
    faiss = importlib.import_module("faiss")  # types or not, installed or not
    folder = chosen.folder / f"clipgrip-neighbours-{chosen.rows}"
    folder.mkdir(parents=True)
    try:
        make(chosen.rows, 100, folder)
        images, labels = np.load(folder / "images.npy"), np.load(folder / "labels.npy")
    finally:
        shutil.rmtree(folder)
    print(machine())
    sample = np.linspace(0, (chosen.rows - 1) // ASKED, SAMPLE).astype(np.int64) * ASKED
    exact = _exact(images, sample)
    found: dict[str, Any] = {"load_average": load_average(), "rows": chosen.rows}
    found["ours"] = _judged(_ours(images), exact, sample, labels)
    for probes, answered in _faiss(faiss, images):
        found[f"faiss_{probes}"] = _judged(answered, exact, sample, labels)
    print(found)
    record("scale_neighbours", found)


Found = tuple[NDArray[np.int64], float, float]
"""(N / ASKED, k) neighbours of each tenth image, -1 for none; seconds by the clock and of all processors."""


def _exact(images: NDArray[np.float16], sample: NDArray[np.int64]) -> NDArray[np.int64]:
    every = torch.from_numpy(images)
    some = every[torch.from_numpy(sample)].float()
    cosines = torch.cat([some @ part.float().T for part in every.split(BLOCK)], dim=1)
    cosines[torch.arange(len(sample)), torch.from_numpy(sample)] = -1
    return cosines.topk(NEAREST, dim=1).indices.numpy()


def _ours(images: NDArray[np.float16]) -> Found:
    """Nearest by our graph: the links of each image, those that others chose among them."""
    every = torch.from_numpy(images)
    began, used = time.perf_counter(), time.process_time()
    graph = neighbour_graph(every)
    seconds, processor = time.perf_counter() - began, time.process_time() - used
    nearest = np.full((len(images), 4 * NEAREST), -1)
    for cell in graph.cells:
        sources = cell.sources.numpy()
        place = np.arange(len(sources)) - cell.offsets.numpy()[sources]
        kept = place < 4 * NEAREST
        rows = cell.rows.numpy()
        nearest[rows[sources[kept]], place[kept]] = rows[cell.columns.numpy()[kept]]
    return nearest[::ASKED], seconds, processor


def _faiss(faiss: Any, images: NDArray[np.float16]) -> Iterator[tuple[int, Found]]:
    began, used = time.perf_counter(), time.process_time()
    cells = len(images) // DEFAULT.numerics.cell_rows
    index: Any = faiss.index_factory(
        images.shape[1], f"IVF{cells},Flat", faiss.METRIC_INNER_PRODUCT
    )
    index.train(images[:: max(1, len(images) // (64 * cells))].astype(np.float32))
    for start in range(0, len(images), BLOCK):
        index.add(images[start : start + BLOCK].astype(np.float32))
    built, spent = time.perf_counter() - began, time.process_time() - used
    asked = images[::ASKED].astype(np.float32)
    for probes in (1, 8):
        index.nprobe = probes
        began, used = time.perf_counter(), time.process_time()
        nearest = index.search(asked, NEAREST + 1)[1]
        seconds, processor = time.perf_counter() - began, time.process_time() - used
        nearest[nearest == np.arange(0, len(images), ASKED)[:, None]] = -1
        yield probes, (nearest, built + ASKED * seconds, spent + ASKED * processor)


def _judged(
    found: Found, exact: NDArray[np.int64], sample: NDArray[np.int64], labels: NDArray[np.int64]
) -> dict[str, float]:
    nearest, seconds, processor = found
    hits = (exact[:, :, None] == nearest[sample // ASKED][:, None, :]).any(2)
    linked = nearest >= 0
    same = labels[nearest] == labels[::ASKED, None]
    return {
        "seconds": round(seconds, 1),
        "processor_seconds": round(processor, 1),
        "recall": round(float(hits.mean()), 3),
        "same_class": round(float(same[linked].mean()), 3),
        "gigabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9, 2),
    }


if __name__ == "__main__":
    main()
