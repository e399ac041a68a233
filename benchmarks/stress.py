"""What planted noise costs each selection rule and each loss, on both demo sets.

    python -m benchmarks.stress [--seeds 3] [--sets digits surfaces]

As ``clipgrip bench stress`` does it for the rules that ship, with means and deviations of the test accuracy in one
file, and with the rules and losses of benchmarks/research too. It chooses nothing: the noise is made, and the test
images measure what was made of it.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.record import machine, record
from benchmarks.research.losses import LOSSES
from benchmarks.research.selectors import Known, register
from clipgrip.bench.stress import StressInput, prepared
from clipgrip.cli.demo import TEMPLATES
from clipgrip.data import samples
from clipgrip.runs.events import Listener
from clipgrip.stress.trial import (
    ALL_ROWS,
    RATES,
    NoiseBench,
    NoiseTrial,
    blocks,
    measure,
    planted,
)

RULES = ("balanced", "margin", "threshold", "class-threshold", "neighbours", "models", "everything")
PAIRS = (
    *((ALL_ROWS, loss) for loss in ("cross-entropy", *LOSSES) if loss != "partial-label"),
    *((rule, "cross-entropy") for rule in RULES),
    ("candidate-sets", "partial-label"),
)
"""Rule and loss. "rounds" would be "models" again: both compare with one other answer."""


def main() -> None:
    """Measure, print the standing of each set, and write ``results/stress.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sets", nargs="+", default=["digits", "surfaces"])
    parser.add_argument("--name", default="stress", help="of the file in results/")
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()) / "clipgrip-benchmarks"
    )
    chosen = parser.parse_args()
    print(machine())
    sets = {}
    for name in chosen.sets:
        sample = getattr(samples, name)(chosen.folder / name)
        files = {"classes": sample.classes, "labels": sample.truth, "test": sample.test}
        given = StressInput(sample.images, **files, template=TEMPLATES[name])
        bench, facts = prepared(given, Listener())
        print(name, f"zero-shot {100 * facts['zero_shot']:.1f}")
        rows = [row for one in blocks(chosen.seeds) for row in tried(bench, *one)]
        averaged = _averaged(rows)
        for rule, loss, least, most in standing(averaged):
            print(f"  {rule:<16} {loss:<14} {100 * least:5.1f} -> {100 * most:5.1f}", flush=True)
        sets[name] = {key: facts[key] for key in ("zero_shot", "pool", "test")} | {"rows": averaged}
        record(chosen.name, {"seeds": chosen.seeds, "sets": sets})


def tried(bench: NoiseBench, seed: int, kind: str, rate: float) -> Iterator[dict[str, Any]]:
    """A row for each rule and loss against one kind and rate of noise.

    The second model of "models" errs at the same rate, independently of the first: the best case for that rule.
    """
    cells = [NoiseTrial(seed, kind, rate, *pair) for pair in PAIRS]
    register(Known(bench.pool, (planted(bench, cells[0], "other"),)))
    return measure(bench, cells)


def standing(averaged: list[dict[str, Any]]) -> list[tuple[str, str, float, float]]:
    """Rule, loss, mean accuracy without noise and at the highest rate over all its kinds; best at the latter first."""
    ends: dict[tuple[str, str], tuple[list[float], list[float]]] = {}
    for row in averaged:
        least, most = ends.setdefault((row["rule"], row["loss"]), ([], []))
        if row["rate"] in (0.0, RATES[-1]):
            (least if row["rate"] == 0 else most).append(row["accuracy"])
    mean = statistics.mean
    found = [(*pair, mean(least), mean(most)) for pair, (least, most) in ends.items()]
    return sorted(found, key=lambda one: -one[3])


def _averaged(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row for each kind, rate, rule and loss, with its means over the seeds."""
    names = ("kind", "rate", "rule", "loss")
    seeds: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        seeds.setdefault(tuple(row[name] for name in names), []).append(row)
    return [dict(zip(names, key, strict=True)) | _means(found) for key, found in seeds.items()]


def _means(rows: list[dict[str, Any]]) -> dict[str, float | None]:
    accuracies = [row["accuracy"] for row in rows]
    purities = [row["purity"] for row in rows if row["purity"] is not None]
    return {
        "accuracy": round(statistics.mean(accuracies), 4),
        "accuracy_sd": round(statistics.stdev(accuracies), 4) if len(rows) > 1 else 0.0,
        "purity": round(statistics.mean(purities), 4) if purities else None,
        "coverage": round(statistics.mean(row["coverage"] for row in rows), 4),
    }


if __name__ == "__main__":
    main()
