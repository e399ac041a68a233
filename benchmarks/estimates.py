"""Accuracy estimated without labels against the true one, on pools of many kinds, useless models among them.

    CLIPGRIP_DATA=FOLDER python -m benchmarks.estimates [--seeds 8]

As a run estimates it: unknown where the answers seem to be guesses or refining them from the pool changes too little.
The interval was chosen on even seeds and is judged on odd ones. Texts that stand at the wrong classes are among them:
only labels can tell.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from statistics import fmean
from typing import Any

from benchmarks.knowledge import told
from benchmarks.record import machine, record
from benchmarks.situations import Situation, permuted, situations
from clipgrip.data.rows import NO_ROWS
from clipgrip.pseudolabel.refine.refiner import PoolRefiner
from clipgrip.runs.confidence import estimate_facts
from clipgrip.runs.embedding import Embeds
from clipgrip.task import ul
from clipgrip.trust.knowledge import Finding

WRONG = 12
"""One pool in so many gets its texts at the wrong classes as well."""


def main() -> None:
    """Estimate, print, and write ``results/estimates.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=8)
    seeds = range(parser.parse_args().seeds)
    print(machine())
    rows = [_row(one, seed) for seed in seeds for one in _pools(seed)]
    result = {half: _judged(rows, odd) for odd, half in enumerate(("chosen on", "judged on"))}
    for half, found in result.items():
        print(half)
        for kind, values in found.items():
            print(f"  {kind:<22}", "  ".join(f"{k} {v}" for k, v in values.items()))
    record("estimates", {"seeds": len(seeds), **result, "pools": rows})


def _pools(seed: int) -> list[Situation]:
    pools = list(situations(range(seed, seed + 1)))
    knowing = [one for one in pools if one.kind in ("caltech", "imagenet", "near")]
    return pools + [permuted(one, seed) for one in knowing[:: WRONG // 3]]


def _row(one: Situation, seed: int) -> dict[str, Any]:
    probs = one.logits.softmax(1)
    embeds = Embeds(one.images, one.images[:0], NO_ROWS, NO_ROWS)
    found = (Finding("pointless", {}),) if told(one) else ()
    refiner = PoolRefiner.of("auto", one.images, probs)
    guess = estimate_facts(probs, refiner, embeds, ul(*probs.shape), found)
    row = {"kind": one.kind, "name": one.name, "odd": seed % 2, "accuracy": round(one.accuracy, 4)}
    if guess is None:
        return {**row, "estimate": None}
    low, high = guess["interval"]
    held = low <= one.accuracy <= high
    return {**row, "estimate": guess["accuracy"], "low": low, "high": high, "held": held}


def _judged(rows: list[dict[str, Any]], odd: int) -> dict[str, dict[str, Any]]:
    kinds: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["odd"] == odd:
            kinds[row["kind"]].append(row)
            kinds["all"].append(row)
    return {kind: _summary(kinds[kind]) for kind in sorted(kinds)}


def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    shown = [row for row in rows if row["estimate"] is not None]
    if not shown:
        return {"pools": len(rows), "shown": 0}
    return {
        "pools": len(rows),
        "shown": len(shown),
        "held": round(fmean(row["held"] for row in shown), 3),
        "error": round(fmean(abs(row["estimate"] - row["accuracy"]) for row in shown), 3),
        "width": round(fmean(row["high"] - row["low"] for row in shown), 3),
    }


if __name__ == "__main__":
    main()
