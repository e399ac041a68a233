"""Are promises kept? Audits simulated on models of all kinds, against choosing a threshold by the audit's error rate.

    python -m benchmarks.promise [--draws 1000] [--max-error 0.02]

For each draw a new pool is made, an audit is drawn look by look until everything is automated or it has 1,000 answers,
and the *true* share of wrong among the decided images is compared with the promise; for promises about the source, the
wrong ones are counted in 20,000 new images. *Naive* takes the widest threshold at which the audit's own error rate
keeps the limit, from as many answers.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.pools import MODELS
from benchmarks.record import RESULTS, record
from clipgrip.trust.promise import About, Promise, Terms, look_sizes, promise
from clipgrip.trust.scope import (
    Answered,
    Group,
    Whole,
    misses_and_overkill,
    overall,
    per_class,
    pool_levels,
)

MOST = 1000
KINDS = ("overall", "misses", "per class")
ABOUT: tuple[About, ...] = ("pool", "source")
IN_GROUPS = ("good", "in waves", "many classes")


@dataclass(frozen=True)
class Draw:
    """One simulated audit."""

    broken: bool
    automated: float
    answers: int
    naive_broken: bool
    naive_automated: float


def main() -> None:
    """Simulate, print a row as soon as it is there, and write ``results/promise.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--max-error", type=float, default=0.02)
    parser.add_argument("--go-on", action="store_true", help="keep the rows already written")
    chosen = parser.parse_args()
    path = RESULTS / "promise.json"
    rows = json.loads(path.read_text("utf-8"))["rows"] if chosen.go_on and path.exists() else []
    done = {(row["about"], row["model"], row["groups"]) for row in rows}
    for kind, about, name in itertools.product(KINDS, ABOUT, MODELS):
        if (about, name, kind) in done or (kind != "overall" and name not in IN_GROUPS):
            continue
        rows.append(measured(name, kind, Terms(chosen.max_error, about=about), chosen.draws))
        print(_line(rows[-1]), flush=True)
        record("promise", {"max_error": chosen.max_error, "rows": rows})


def measured(name: str, kind: str, terms: Terms, draws: int) -> dict[str, Any]:
    """Shares over all draws of one model."""
    found = [_draw(name, kind, terms, np.random.default_rng([7, n])) for n in range(draws)]
    return {
        "model": name,
        "groups": kind,
        "about": terms.about,
        "draws": draws,
        "broken": float(np.mean([one.broken for one in found])),
        "automated": float(np.mean([one.automated for one in found])),
        "automated_sd": float(np.std([one.automated for one in found])),
        "answers": float(np.mean([one.answers for one in found])),
        "naive_broken": float(np.mean([one.naive_broken for one in found])),
        "naive_automated": float(np.mean([one.naive_automated for one in found])),
    }


def groups_of(kind: str, n_classes: int) -> tuple[Group, ...]:
    """One group, misses and overkill (class 0 is OK), or a group for each class."""
    if kind == "misses":
        return misses_and_overkill(n_classes, [0])
    return (
        overall(n_classes) if kind == "overall" else per_class([str(c) for c in range(n_classes)])
    )


def _draw(name: str, kind: str, terms: Terms, draw: np.random.Generator) -> Draw:
    classes = 100 if name == "many classes" else 4
    pool, truth = MODELS[name](draw)
    groups, order = groups_of(kind, classes), draw.permutation(len(pool))
    ever, told, used = False, None, 0
    for n in look_sizes(len(pool), terms, len(groups)):
        if n > MOST:
            break
        rows, used = order[:n], n
        told = promise(pool, rows, truth[rows], groups, terms)
        fresh = None if terms.about == "pool" else MODELS[name](draw, 20_000)
        ever |= broken(told, pool, truth, groups, fresh)
        if all(scope.whole for scope in told.scopes):
            break
    automated = float(told.decided.mean()) if told else 0.0
    naive = _naive(pool, truth, order[:used], terms.max_error)
    return Draw(ever, automated, used, *naive)


def broken(
    told: Promise,
    pool: Answered,
    truth: Whole,
    groups: Sequence[Group],
    fresh: tuple[Answered, Whole] | None,
) -> bool:
    """Whether any scope holds more wrong answers than promised."""
    for group, scope in zip(groups, told.scopes, strict=True):
        if scope.threshold is None:
            continue
        answers, right = fresh or (pool, truth)
        inside = group.members(answers.labels) & (answers.confidence >= scope.threshold)
        if fresh is None:
            inside &= told.decided
        if (
            inside.any()
            and group.wrong[answers.labels, right][inside].mean() > told.terms.max_error
        ):
            return True
    return False


def _naive(pool: Answered, truth: Whole, rows: Whole, most: float) -> tuple[bool, float]:
    wrong = pool.labels != truth
    level, bad = pool.confidence[rows], wrong[rows]
    decided = np.zeros(len(pool), bool)
    for threshold in pool_levels(pool.confidence):
        inside = level >= threshold
        if inside.any() and bad[inside].mean() <= most:
            decided = pool.confidence >= threshold
    decided[rows] = False
    return bool(decided.any() and wrong[decided].mean() > most), float(decided.mean())


def _line(row: dict[str, Any]) -> str:
    return (
        f"{row['about']:<7} {row['model']:<14} {row['groups']:<10} broken {100 * row['broken']:4.1f} %   "
        f"automated {100 * row['automated']:4.0f} %   answers {row['answers']:4.0f}   "
        f"naive: broken {100 * row['naive_broken']:4.1f} %, automated {100 * row['naive_automated']:3.0f} %"
    )


if __name__ == "__main__":
    main()
