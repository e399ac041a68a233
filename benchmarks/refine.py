"""Answers of a pool before and after ``refine``, on real CLIP embeddings: no labels, a few, and unequal classes.

    python -m benchmarks.refine [--seeds 3] [--methods auto balance ...]

The pools (validation splits) of dtd and flowers chose the design; their test splits confirm it. ``chosen`` is the
accuracy of the K = N / C surest images of each class by the own-best-class rule, before and after; refined answers fill
more classes, so ``as many`` is that of the surest of them, as many as were chosen before.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from typing import Any

import torch

from benchmarks.features import (
    FeatureSet,
    few_labels,
    prototypes,
    thinned,
    with_prototypes,
    with_text,
)
from benchmarks.record import machine, record
from benchmarks.research.selectors import own_best_class
from clipgrip.pseudolabel import refine
from clipgrip.seeds import generator
from clipgrip.types import Labels, Probs

SCALE = 100.0
RATIOS = (10, 50)


def main() -> None:
    """Measure, print a row as soon as it is there, and write ``results/refine.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--methods", nargs="+", default=["auto", "balance", "clusters", "propagation"]
    )
    chosen = parser.parse_args()
    rows: list[dict[str, Any]] = []
    print(machine())
    for name, cases in _cases(chosen.seeds):
        for method in chosen.methods:
            rows.append(_row(name, method, cases))
            print(_line(rows[-1]), flush=True)
            record("refine", {"seeds": chosen.seeds, "rows": rows})


Case = tuple[FeatureSet, Labels | None]


def _cases(seeds: int) -> Iterator[tuple[str, list[Case]]]:
    """(what, one case per seed)."""
    plain = [with_text("caltech58"), with_text("imagenet1000")]
    shots = [
        with_prototypes(name, part) for part in ("pool", "test") for name in ("dtd", "flowers")
    ]
    for data in (*plain, *shots):
        kind = "text" if data in plain else "1 shot"
        yield f"{data.name}, {kind}", [(data, None)]
    for data in shots:
        cases: list[Case] = []
        for seed in range(seeds):
            given = few_labels(data.labels, 2, generator(seed, "labels"))
            own = prototypes(data.images[given >= 0], given[given >= 0])
            cases.append((FeatureSet(data.name, data.images, data.labels, own), given))
        yield f"{data.name}, 2 labels", cases
    for ratio in RATIOS:
        for data in (*plain, *shots):
            some = [
                (data.rows(thinned(data.labels, ratio, generator(seed, "thin", ratio))), None)
                for seed in range(seeds)
            ]
            yield f"{data.name}, {ratio}:1", list(some)


def _row(name: str, method: str, cases: list[Case]) -> dict[str, Any]:
    runs = [_run(data, given, method) for data, given in cases]
    columns = {key: [run[key] for run in runs] for key in runs[0]}
    deviations = {
        f"{key}_sd": round(statistics.stdev(values), 2) if len(values) > 1 else 0.0
        for key, values in columns.items()
    }
    means = {key: round(statistics.mean(values), 2) for key, values in columns.items()}
    return {"what": name, "method": method, **means, **deviations}


def _run(data: FeatureSet, given: Labels | None, method: str) -> dict[str, float]:
    before = (SCALE * data.images @ data.classes.T).softmax(1)
    began = time.perf_counter()
    after = refine(data.images, data.classes, logit_scale=SCALE, labeled=given, method=method)
    seconds = time.perf_counter() - began
    open_rows = torch.ones(len(data.labels), dtype=torch.bool) if given is None else given < 0
    truth = data.labels[open_rows]
    k = max(1, len(truth) // len(data.classes))
    return {
        "start": _accuracy(before[open_rows], truth),
        "refined": _accuracy(after[open_rows], truth),
        **_chosen(before[open_rows], after[open_rows], truth, k),
        "seconds": seconds,
    }


def _accuracy(probs: Probs, truth: Labels) -> float:
    return 100 * float((probs.argmax(1) == truth).float().mean())


def _chosen(before: Probs, after: Probs, truth: Labels, k: int) -> dict[str, float]:
    """Purity of what is chosen before and after, and of as many after as before."""
    start, refined = own_best_class(before, k), own_best_class(after, k)
    right = [truth[chosen.rows] == chosen.labels for chosen in (start, refined)]
    surest = refined.confidence.argsort(descending=True, stable=True)[: len(start.rows)]
    shares = {"chosen_start": right[0], "chosen_refined": right[1], "as_many": right[1][surest]}
    return {name: 100 * float(those.float().mean()) for name, those in shares.items()}


def _line(row: dict[str, Any]) -> str:
    chosen = f"chosen {row['chosen_start']:5.1f} -> {row['chosen_refined']:5.1f}, as many {row['as_many']:5.1f}"
    return (
        f"{row['what']:<24} {row['method']:<12} {row['start']:5.1f} -> {row['refined']:5.1f} "
        f"± {row['refined_sd']:4.1f}   {chosen}   {row['seconds']:6.2f} s"
    )


if __name__ == "__main__":
    main()
