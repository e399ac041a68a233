"""What ways to refine make of pools, and the table of it: mean gain, pools harmed, the worst."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from benchmarks.pools.conditions import BenchPool, pools_of
from benchmarks.pools.sets import sets
from clipgrip.prompts.classifier import predict_proba
from clipgrip.pseudolabel.refine.settings import DEFAULT, Refinement
from clipgrip.pseudolabel.refine.space import PoolImages
from clipgrip.types import Probs

HARMED = -1.0
"""Points of accuracy from which a pool counts as harmed."""


@dataclass
class Trial:
    """A pool with zero-shot's answers (N, C), and what is worked out once for all ways to refine them."""

    pool: BenchPool
    zero_shot: Probs = field(repr=False)
    images: PoolImages = field(repr=False)

    @classmethod
    def of(cls, pool: BenchPool, settings: Refinement = DEFAULT) -> Trial:
        zero_shot = predict_proba(pool.images, pool.classes, pool.scale)
        return cls(pool, zero_shot, PoolImages(pool.images, settings))

    def accuracy(self, probs: Probs) -> float:
        """Of the images that are of a class, in per cent."""
        named = self.pool.truth >= 0
        right = probs[named].argmax(1) == self.pool.truth[named]
        return 100 * float(right.double().mean())

    def gain(self, probs: Probs) -> float:
        """Points over zero-shot."""
        return self.accuracy(probs) - self.accuracy(self.zero_shot)


Way = Callable[[Trial], Probs]
"""A way to refine: (N, C) answers of a pool."""
Row = dict[str, Any]


def all_pools(seeds: int = 1) -> Iterator[BenchPool]:
    """Every set in every condition, for each seed."""
    found = sets()
    for seed in range(seeds):
        for one in found:
            yield from pools_of(one, seed)


def measured(trial: Trial, ways: dict[str, Way]) -> Row:
    """A pool with the gain of each way."""
    pool = trial.pool
    half = "held" if pool.held else "choose"
    row: Row = {"set": pool.of, "kind": pool.kind, "half": half, "condition": pool.condition}
    row |= {"images": len(pool.truth), "classes": len(pool.classes)}
    row["zero_shot"] = round(trial.accuracy(trial.zero_shot), 2)
    return row | {name: round(trial.gain(way(trial)), 2) for name, way in ways.items()}


def summary(gains: Iterable[float]) -> dict[str, float]:
    """Mean gain, percentage of pools harmed, the worst, and how many pools."""
    values = list(gains)
    harmed = sum(value < HARMED for value in values) / len(values)
    return {
        "mean": round(statistics.mean(values), 2),
        "harmed": round(100 * harmed, 1),
        "worst": round(min(values), 1),
        "pools": len(values),
    }


def table(rows: list[Row], way: str) -> dict[str, dict[str, float]]:
    """The summary of all pools, of each half, of each kind of classes and of each condition."""
    found = {"all": summary(row[way] for row in rows)}
    for column in ("half", "kind", "condition"):
        for value in dict.fromkeys(row[column] for row in rows):
            found[str(value)] = summary(row[way] for row in rows if row[column] == value)
    return found
