"""What planted noise costs each selection rule and each loss, on both demo sets.

    python -m benchmarks.stress [--seeds 3] [--sets digits surfaces]

The same as ``clipgrip bench stress``, with means and deviations of the test accuracy in one file. It chooses nothing:
the noise is made, and the test images measure what was made of it.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.record import machine, record
from clipgrip.bench.stress import StressInput, stress
from clipgrip.cli.demo import TEMPLATES
from clipgrip.data import samples
from clipgrip.report.stress import standing
from clipgrip.runs.events import Listener


def main() -> None:
    """Measure, print the standing of each set, and write ``results/stress.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sets", nargs="+", default=["digits", "surfaces"])
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
        results = stress(given, chosen.folder / f"stress-{name}", chosen.seeds, Listener())
        print(name, f"zero-shot {100 * results['zero_shot']:.1f}")
        for rule, loss, least, most in standing(results):
            print(f"  {rule:<16} {loss:<14} {100 * least:5.1f} -> {100 * most:5.1f}", flush=True)
        rows = _averaged(results["rows"])
        sets[name] = {key: results[key] for key in ("zero_shot", "pool", "test")} | {"rows": rows}
        record("stress", {"seeds": chosen.seeds, "sets": sets})


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
