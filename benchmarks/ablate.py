"""What each branch and each number of the refinement brings: left out, halved and doubled, on the pools of `pools`.

    python -m benchmarks.ablate [--every 4] [--only absent_weight ...]

Points of mean gain against the default, over the half of the sets that may choose and over the half held back, with
the pools harmed and the worst. What brings less than 0.3 points on the held half and does not hold the worst goes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

from benchmarks.pools.measure import Trial, all_pools, summary
from benchmarks.record import machine, record
from clipgrip.errors import ConfigError
from clipgrip.pseudolabel.refine.answers import input_of
from clipgrip.pseudolabel.refine.auto import auto
from clipgrip.pseudolabel.refine.settings import DEFAULT, Refinement
from clipgrip.pseudolabel.refine.space import PoolImages

BRANCHES: dict[str, dict[str, float]] = {
    "no clusters": {"cluster_min_images": 1e9},
    "no guard": {"max_lost_share": 1.0},
    "no half balance": {"even_max_resistance": 0.0},
    "absence never seen": {"absent_resistance": 1e9},
    "no rescaled logits": {"max_spread_ratio": 1e9},
    "one round": {"cluster_rounds": 1},
    "prototypes are texts": {"prototype_similarity": 1.0},
}
GRAPH = ("neighbours", "exact_rows", "cell_rows", "max_cell_rows", "max_centres", "max_divisions")
SPACE = tuple(one.name for one in fields(Refinement) if one.name.startswith("subspace_"))
ONLY_MANY = {*GRAPH[1:], "centre_sample", "centre_steps", "decision_sample", "prototype_sample"}
"""Numbers that only pools of many thousands of images meet."""


def main() -> None:
    """Measure, print a row as soon as it is there, and write ``results/ablate.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=4, help="take every n-th pool")
    parser.add_argument("--only", nargs="+", help="these branches and numbers")
    chosen = parser.parse_args()
    trials = [Trial.of(pool) for pool in list(all_pools())[:: chosen.every]]
    default, rows = _gains(trials, DEFAULT), list[dict[str, Any]]()
    print(f"{machine()}, {len(trials)} pools")
    for name, values in _variants():
        if chosen.only and name.split(" x")[0] not in chosen.only:
            continue
        rows.append(_row(name, trials, default, _gains(trials, DEFAULT.with_values(values))))
        print(_line(rows[-1]), flush=True)
        record("ablate", {"every": chosen.every, "pools": len(trials), "rows": rows})


def _variants() -> Iterator[tuple[str, dict[str, Any]]]:
    """The default itself, every branch, and every number halved and doubled where that is allowed."""
    yield "default", {}
    yield from BRANCHES.items()
    for field in fields(Refinement):
        value = field.default
        if field.name in ONLY_MANY or not isinstance(value, int | float):
            continue
        for factor in (0.5, 2.0):
            changed = type(value)(value * factor)
            try:
                DEFAULT.with_values({field.name: changed})
            except ConfigError:
                changed = type(value)(1)
            if changed != value:
                yield f"{field.name} x{factor:g}", {field.name: changed}


def _gains(trials: list[Trial], settings: Refinement) -> list[float]:
    return [_gain(trial, settings) for trial in trials]


def _gain(trial: Trial, settings: Refinement) -> float:
    """What the graph and the subspace do not depend on is not worked out again."""
    pool, once = trial.pool, trial.images.once
    given = input_of(once.embeds, pool.classes, pool.scale, None, None, settings)
    images, same = PoolImages(once.embeds, settings), _same(settings, "neighbours")
    known = ["copies"]
    known += ["graph"] * same + ["subspace", "projected"] * (same and _same(settings, *SPACE))
    images.__dict__.update({name: getattr(once, name) for name in known})
    probs, copies = auto(replace(given, images=images)).probs, trial.images.copies
    return trial.gain(probs if copies is None else probs[copies.image_of])


def _same(settings: Refinement, *names: str) -> bool:
    return all(getattr(settings, name) == getattr(DEFAULT, name) for name in names)


def _row(name: str, trials: list[Trial], default: list[float], now: list[float]) -> dict[str, Any]:
    row: dict[str, Any] = {"what": name}
    for half in (False, True):
        rows = [n for n, trial in enumerate(trials) if trial.pool.held == half]
        found, before = summary(now[n] for n in rows), summary(default[n] for n in rows)
        difference = round(found["mean"] - before["mean"], 2)
        row["held" if half else "choose"] = {**found, "difference": difference}
    return row


def _line(row: dict[str, Any]) -> str:
    halves = (
        f"{half} {one['difference']:+5.2f} ({one['mean']:+.2f} / {one['harmed']:.0f} / {one['worst']:+.1f})"
        for half, one in (("choose", row["choose"]), ("held", row["held"]))
    )
    return f"{row['what']:<36} " + "   ".join(halves)


if __name__ == "__main__":
    main()
