"""How often a model that knows nothing is told as such, and how often one that knows its classes is wrongly.

    CLIPGRIP_DATA=FOLDER python -m benchmarks.knowledge [--seeds 8]

The limits were chosen on even seeds; the last lines are of the odd ones, which share neither classes nor photographs
with them. Nothing but the answers is looked at, names are never read, and photographs are not known to be some.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from typing import Any

from benchmarks.features import with_text
from benchmarks.record import machine, record
from benchmarks.situations import SCALE, Situation, situations
from clipgrip.trust.knowledge import Signs, findings, knows_nothing
from clipgrip.trust.pointing import likeness, pointing


def main() -> None:
    """Count, print, and write ``results/knowledge.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=8)
    seeds = range(parser.parse_args().seeds)
    print(machine())
    rows = [_row(one, seed) for seed in seeds for one in situations(range(seed, seed + 1))]
    rows += [_row(one, 1) for one in _whole()]
    result = {half: _counts(rows, odd) for odd, half in enumerate(("chosen on", "judged on"))}
    for half, counts in result.items():
        print(half)
        for kind, (told, pools) in counts.items():
            print(f"  {kind:<34} {told:4} of {pools:4} told to know nothing")
    record("knowledge", {"seeds": len(seeds), **result, "pools": rows})


def told(one: Situation) -> bool:
    """Whether the product would say so of these answers alone."""
    seen = pointing(one.logits.softmax(1))
    names = tuple(str(n) for n in range(len(one.texts)))
    signs = Signs(names, likeness=likeness(one.texts, one.scale), pointing=seen)
    return knows_nothing(findings(signs))


def _row(one: Situation, seed: int) -> dict[str, Any]:
    seen = pointing(one.logits.softmax(1))
    return {
        "kind": one.kind,
        "name": one.name,
        "knows": one.knows,
        "odd": seed % 2,
        "accuracy": round(one.accuracy, 4),
        "spread": round(seen.spread, 3),
        "skew": round(seen.skew, 3),
        "top": round(seen.top, 3),
        "told": told(one),
    }


def _whole() -> list[Situation]:
    """The sets with all of their classes."""
    sets = [with_text(name) for name in ("caltech58", "imagenet1000")]
    return [
        Situation("whole sets", s.name, "classes", s.images, s.classes, s.labels, SCALE)
        for s in sets
    ]


def _counts(rows: list[dict[str, Any]], odd: int) -> dict[str, tuple[int, int]]:
    kinds: dict[str, list[bool]] = defaultdict(list)
    for row in rows:
        if row["odd"] == odd:
            group = "knows nothing" if row["knows"] == "nothing" else "knows something"
            kinds[f"{group}: {row['kind']}"].append(row["told"])
            kinds[f"{group}, all"].append(row["told"])
    return {kind: (sum(kinds[kind]), len(kinds[kind])) for kind in sorted(kinds)}


if __name__ == "__main__":
    main()
