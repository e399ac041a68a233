"""What each branch and each number of the refinement brings: left out, halved and doubled, on the pools of `pools`.

    python -m benchmarks.ablate [--every 1] [--only absent_share ...] [--numerics] [--go-on]

Points of mean gain against the default, over the half of the sets that may choose, the half held back, and pools with
two labels a class; with the pools harmed, the worst, and pools that moved by more than a point. A number that a pool's
refinement never reads, or a step that it never takes, is not tried on it. ``--numerics`` tries those that say how far
computations go, too. What is measured of each pool is kept, and ``--go-on`` goes on from there.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from benchmarks.ablate_steps import STEPS, left_out
from benchmarks.labeled_pools import LabeledTrial, trials
from benchmarks.pools.measure import HARMED, summary
from benchmarks.record import machine, record
from benchmarks.resumed import Rows
from clipgrip.errors import ConfigError
from clipgrip.pseudolabel.refine.settings import DEFAULT, DETAILS

BRANCHES: dict[str, dict[str, float]] = {
    "no clusters": {"cluster_min_images": 1e9},
    "no guard": {"max_lost_share": 1.0},
    "absence never seen": {"absent_share": 0.0},
    "no rescaled logits": {"spread_tolerance": 1e9},
    "prototypes are texts": {"prototype_similarity": 1.0},
}
"""Left out by a number; `STEPS` by another function."""
ONLY_MANY = {
    *("exact_rows", "cell_rows", "max_cell_rows", "max_centres", "max_divisions"),
    *("centre_sample", "centre_steps", "decision_sample", "prototype_sample"),
}
"""Numbers that only pools of many thousands of images meet."""
PARTS = ("choose", "held", "2 labels")
Gains = dict[str, float]
"""By variant, of one pool; a variant that reads nothing that it changed is left out."""


def main() -> None:
    """Measure, print the table, and write ``results/ablate.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="take every n-th pool")
    parser.add_argument("--only", nargs="+", help="these branches and numbers")
    parser.add_argument("--numerics", action="store_true", help="the details of computing too")
    parser.add_argument("--go-on", action="store_true", help="keep what an earlier call measured")
    parser.add_argument("--name", default="ablate", help="name of the results")
    chosen = parser.parse_args()
    variants = {
        name: values
        for name, values in _variants(numerics=chosen.numerics)
        if not chosen.only or name.split(" x")[0] in {*chosen.only, "default"}
    }
    pools = _measured(variants, chosen.every, chosen.name, chosen.go_on)
    rows = [_row(name, pools) for name in variants]
    print(f"{machine()}, {len(pools)} pools\n" + "\n".join(_line(row) for row in rows))
    settings = {"every": chosen.every, "pools": len(pools), "settings": DEFAULT.values()}
    record(chosen.name, settings | {"rows": rows})


def _measured(variants: dict[str, Any], every: int, name: str, go_on: bool) -> list[dict[str, Any]]:
    """Each pool's part and gains."""
    asked = {"settings": DEFAULT.values(), "every": every, "variants": [*variants]}
    done = Rows.of(name, asked, go_on=go_on)
    for number, make in enumerate(trials()):
        if number % every or number // every < len(done.rows):
            continue
        trial = make()
        done.add({"of": trial.name, "part": trial.part, "gains": _gains(trial, variants)})
    return done.rows


def _gains(trial: LabeledTrial, variants: dict[str, dict[str, Any]]) -> Gains:
    default, read = trial.first_gain()
    found = {"default": round(default, 3)}
    for name, values in variants.items():
        if name in STEPS and name in read:
            with left_out(name):
                found[name] = round(trial.gain(DEFAULT), 3)
        elif read & values.keys():
            found[name] = round(trial.gain(DEFAULT.with_values(values)), 3)
    return found


def _variants(*, numerics: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """The default itself, every branch, and every number halved and doubled where that is allowed."""
    yield "default", {}
    yield from BRANCHES.items()
    yield from ((name, {}) for name in STEPS)
    for name, value in DEFAULT.values().items():
        skipped = name in ONLY_MANY or (name in DETAILS and not numerics)
        for factor in () if skipped else (0.5, 2.0):
            changed = type(value)(value * factor)
            try:
                DEFAULT.with_values({name: changed})
            except ConfigError:
                changed = type(value)(1)
            if changed != value:
                yield f"{name} x{factor:g}", {name: changed}


def _row(name: str, pools: list[dict[str, Any]]) -> dict[str, Any]:
    row: dict[str, Any] = {"what": name}
    for part in PARTS:
        gains = [one["gains"] for one in pools if one["part"] == part]
        if not gains:
            continue
        now, before = [g.get(name, g["default"]) for g in gains], [g["default"] for g in gains]
        found, moves = summary(now), [a - b for a, b in zip(now, before, strict=True)]
        row[part] = found | {
            "difference": round(found["mean"] - summary(before)["mean"], 2),
            "read": sum(name in g for g in gains),
            "better": sum(move > -HARMED for move in moves),
            "worse": sum(move < HARMED for move in moves),
        }
    return row


def _line(row: dict[str, Any]) -> str:
    parts = (
        f"{part} {one['difference']:+5.2f} ({one['harmed']:.0f} % / {one['worst']:+.1f}; "
        f"{one['better']} up, {one['worse']} down of {one['read']})"
        for part, one in row.items()
        if part != "what"
    )
    return f"{row['what']:<36} " + "   ".join(parts)


if __name__ == "__main__":
    main()
