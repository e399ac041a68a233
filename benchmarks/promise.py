"""Are promises kept? Audits simulated on models of all kinds, against choosing a threshold by the audit's error rate.

    python -m benchmarks.promise [--draws 1000] [--max-error 0.02] [--go-on]

For each draw a new pool is made, an audit is drawn and read again and again until everything is automated or it has
1,000 answers, and the *true* share of wrong is compared with what is promised: among all labels within the scope
(delivered), among the model's own (decided), or in 20,000 new images (source). *Plan*: 400 answers, read there with all
of alpha and gone on with; without one the bets alone. *In scope* counts audited images, *automated* does not. Groups
drawn apart are in `benchmarks.promise_apart`. *Naive* takes the widest threshold at which the audit's
own error rate keeps the limit, from as many answers. `--proofs` counts the answers to the proof of a whole pool of
2,000 and the lower bound that no procedure beats.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks import promise_apart
from benchmarks.promise_apart import broken
from benchmarks.promise_pools import MODELS, Made
from benchmarks.record import RESULTS, record
from clipgrip.trust.draw import Draw as AuditDraw
from clipgrip.trust.planning import plan_size
from clipgrip.trust.promise import promise
from clipgrip.trust.proof import Null, proof
from clipgrip.trust.scope import (
    Answered,
    Group,
    Whole,
    misses_and_overkill,
    overall,
    per_class,
    pool_levels,
)
from clipgrip.trust.terms import About, Terms

MOST, PLAN = 1000, 400
"""Answers of an audit, and those planned."""
READ = (100, 200, 400, 700, 1000)
"""Answers at which an audit is read. Between them nothing is missed: a proof that stood once stands."""
KINDS = ("overall", "misses", "per class")
ABOUT: tuple[About, ...] = ("delivered", "decided", "source")
KEYS = ("model", "groups", "about", "plan", "max_error", "classes")
IN_GROUPS = ("good", "in waves", "many classes")
"""Models whose four classes, or hundred, are promised apart at the common error."""


@dataclass(frozen=True)
class Case:
    """What is simulated: a model, how its classes are grouped, and the most answers of an audit."""

    model: str
    kind: str
    terms: Terms
    make: Callable[..., Made]
    classes: int = 4
    plan: int | None = PLAN

    @property
    def key(self) -> tuple[object, ...]:
        """What tells a row from others."""
        return (
            self.model,
            self.kind,
            self.terms.about,
            self.plan,
            self.terms.max_error,
            self.classes,
        )


@dataclass(frozen=True)
class Draw:
    """One simulated audit."""

    broken: bool
    in_scope: float
    automated: float
    answers: int
    naive_broken: bool
    naive_automated: float


def main() -> None:
    """Simulate, print a row as soon as it is there, and write ``results/promise.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--max-error", type=float, default=0.02)
    parser.add_argument("--go-on", action="store_true", help="keep rows of as many draws")
    parser.add_argument("--only", default="", help="models whose names hold this")
    chosen = parser.parse_args()
    path = RESULTS / "promise.json"
    kept = json.loads(path.read_text("utf-8")) if chosen.go_on and path.exists() else {}
    found = {
        "max_error": chosen.max_error,
        "proofs": kept.get("proofs", []),
        "apart": kept.get("apart", []),
        "rows": kept.get("rows", []),
    }
    if any(row.get("draws", 0) < chosen.draws for row in found["proofs"]) or not found["proofs"]:
        found["proofs"] = list(proof_rows(chosen.draws))
    for one in promise_apart.pools():
        if _is_new(found["apart"], promise_apart.KEYS, one.key, chosen):
            found["apart"].append(promise_apart.measured(one, chosen.draws))
            print(promise_apart.line(found["apart"][-1]), flush=True)
            record("promise", found)
    for case in cases(chosen.max_error):
        if _is_new(found["rows"], KEYS, case.key, chosen):
            found["rows"].append(measured(case, chosen.draws))
            print(_line(found["rows"][-1]), flush=True)
            record("promise", found)


def _is_new(
    rows: list[dict[str, Any]],
    keys: Sequence[str],
    key: tuple[object, ...],
    chosen: argparse.Namespace,
) -> bool:
    """Whether a row is wanted; one of fewer draws is taken out, to be measured again."""
    same = [row for row in rows if tuple(row[k] for k in keys) == key]
    if chosen.only not in str(key[0]) or any(row["draws"] >= chosen.draws for row in same):
        return False
    for row in same:
        rows.remove(row)
    return True


def proof_rows(draws: int, size: int = 2000, max_error: float = 0.02) -> Iterator[dict[str, Any]]:
    """Answers to the proof that at most so many of a whole pool are wrong, and the fewest that any procedure needs."""
    null = Null.of_pool(size, max_error * size)
    for error in (0.0, 0.002, 0.005, 0.01):
        found, plan = [], plan_size(size, Terms(max_error), error=error, power=0.5)
        for n in range(draws):
            wrong = np.random.default_rng([8, n]).permutation(size) < error * size
            found.append(int((proof(wrong, null, 0.05) >= 1).argmax()) + 1)
        bets = float(np.median(found))
        yield {"error": error, "draws": draws, "bets": bets, "plan_of_even_chance": plan}
    yield {"error": 0.0, "draws": draws, "no procedure": plan_size(size, Terms(max_error))}


def cases(max_error: float) -> Iterator[Case]:
    """All rows of the table, in order."""
    for kind, about, plan, name in itertools.product(KINDS, ABOUT, (PLAN, None), MODELS):
        if (kind == "per class" and name not in IN_GROUPS) or (kind, plan) == ("per class", PLAN):
            continue
        classes = 100 if name == "many classes" else 4
        yield Case(name, kind, Terms(max_error, about=about), MODELS[name], classes, plan)


def measured(case: Case, draws: int) -> dict[str, Any]:
    """Shares over all draws of one model."""
    found = [_draw(case, np.random.default_rng([7, n])) for n in range(draws)]
    return {
        **dict(zip(KEYS, case.key, strict=True)),
        "draws": draws,
        "broken": float(np.mean([one.broken for one in found])),
        "in_scope": float(np.mean([one.in_scope for one in found])),
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


def _draw(case: Case, draw: np.random.Generator) -> Draw:
    terms = case.terms
    pool, truth = case.make(draw)
    groups, order = groups_of(case.kind, case.classes), draw.permutation(len(pool))
    ever, told, used = False, None, 0
    for n in (n for n in READ if n <= len(pool) // 2):
        rows, used = order[:n], n
        told = promise(pool, rows, truth[rows], groups, terms, draw=AuditDraw(order, case.plan))
        new = terms.about == "source" and any(s.threshold is not None for s in told.scopes)
        fresh = case.make(draw, size=20_000) if new else None
        ever |= broken(told, pool, truth, groups, fresh)
        if told.whole or n == case.plan:
            break
    automated = float(told.decided.mean()) if told else 0.0
    in_scope = sum(scope.size for scope in told.scopes) / len(pool) if told else 0.0
    naive = _naive(pool, truth, order[:used], terms.max_error)
    return Draw(ever, in_scope, automated, used, *naive)


def _naive(pool: Answered, truth: Whole, rows: Whole, most: float) -> tuple[bool, float]:
    wrong = pool.labels != truth
    order = np.argsort(-pool.confidence[rows], kind="stable")
    bad, level = wrong[rows][order].cumsum(), pool.confidence[rows][order]
    levels = pool_levels(pool.confidence)
    inside = np.searchsorted(-level, -levels, side="right")
    held = (inside > 0) & (np.append(0, bad)[inside] <= most * inside + 1e-12)
    decided = np.zeros(len(pool), bool)
    if held.any():
        decided = pool.confidence >= levels[np.flatnonzero(held)[-1]]
    decided[rows] = False
    return bool(decided.any() and wrong[decided].mean() > most), float(decided.mean())


def _line(row: dict[str, Any]) -> str:
    return (
        f"{row['about']:<9} plan {row['plan'] or '-':<4} {row['model']:<14} {row['groups']:<10} "
        f"{row['classes']:3} classes  "
        f"{100 * row['max_error']:2.0f} %  broken {100 * row['broken']:4.1f} %   "
        f"in scope {100 * row['in_scope']:3.0f} %  "
        f"automated {100 * row['automated']:4.0f} %   answers {row['answers']:4.0f}   "
        f"naive: broken {100 * row['naive_broken']:4.1f} %, automated {100 * row['naive_automated']:3.0f} %"
    )


if __name__ == "__main__":
    main()
