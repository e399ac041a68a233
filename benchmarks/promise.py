"""Are promises kept? Audits simulated on models of all kinds, against choosing a threshold by the audit's error rate.

    python -m benchmarks.promise [--draws 1000] [--max-error 0.02] [--go-on]

For each draw a new pool is made, an audit is drawn and read again and again until everything is automated or it has
1,000 answers, and the *true* share of wrong is compared with what is promised: among all labels within the scope
(delivered), among the model's own (decided), or in 20,000 new images (source). *Plan*: 400 answers, read there with all
of alpha and gone on with; without one the bets alone. *In scope* counts audited images, *automated* does not. Twenty
and 58 classes apart are promised 10 % and 20 %, in pools of about 6,000 images; *by class* draws from each class until
it is proven or half of what is left of it would not prove it. *Naive* takes the widest threshold at which the audit's
own error rate keeps the limit, from as many answers. `--proofs` counts the answers to the proof of a whole pool of
2,000 and the lower bound that no procedure beats.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks.promise_pools import MODELS, Made, good, limit_of, waves_of
from benchmarks.record import RESULTS, record
from clipgrip.trust.planning import plan_size
from clipgrip.trust.promise import Promise, promise
from clipgrip.trust.proof import Null, proof, right_needed
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
ALL_APART = ("at the limit", "in waves", "good")
MANY = (
    (4, 2_000, 0.05, ALL_APART),
    (20, 6_000, 0.1, ALL_APART),
    (58, 5_800, 0.2, ("at the limit", "good")),
)
"""Classes promised apart, images of the pool, promised error, models."""
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
    parser.add_argument("--go-on", action="store_true", help="keep the rows already written")
    parser.add_argument("--only", default="", help="models whose names hold this")
    chosen = parser.parse_args()
    path = RESULTS / "promise.json"
    kept = json.loads(path.read_text("utf-8")) if chosen.go_on and path.exists() else {}
    rows, proofs = kept.get("rows", []), kept.get("proofs") or list(proof_rows(chosen.draws))
    apart = kept.get("by_class") or [by_class(one, chosen.draws) for one in MANY]
    for row in (*proofs, *apart):
        print(row, flush=True)
    done = {tuple(row[k] for k in KEYS) for row in rows}
    for case in cases(chosen.max_error):
        if case.key in done or chosen.only not in case.model:
            continue
        rows.append(measured(case, chosen.draws))
        print(_line(rows[-1]), flush=True)
        found = {"max_error": chosen.max_error, "proofs": proofs, "by_class": apart, "rows": rows}
        record("promise", found)


def proof_rows(draws: int, size: int = 2000, max_error: float = 0.02) -> Iterator[dict[str, Any]]:
    """Answers to the proof that at most so many of a whole pool are wrong, and the fewest that any procedure needs."""
    null = Null.of_pool(size, max_error * size)
    for error in (0.0, 0.002, 0.005, 0.01):
        found, plan = [], plan_size(size, Terms(max_error), error=error, power=0.5)
        for n in range(draws):
            wrong = np.random.default_rng([8, n]).permutation(size) < error * size
            found.append(int((proof(wrong, null, 0.05) >= 1).argmax()) + 1)
        yield {"error": error, "bets": float(np.median(found)), "plan_of_even_chance": plan}
    yield {"error": 0.0, "no procedure": plan_size(size, Terms(max_error))}


def by_class(many: tuple[int, int, float, Sequence[str]], draws: int) -> dict[str, Any]:
    """Every class drawn apart until it is proven, or hopeless; ``many``: classes, images, promised error, models."""
    classes, size, max_error, models = many
    row: dict[str, Any] = {"classes": classes, "size": size, "max_error": max_error}
    for name in models:
        made = _models(max_error)[name]
        found = [
            _by_class(
                *made(np.random.default_rng([7, n]), size=size, classes=classes),
                classes,
                max_error,
                n,
            )
            for n in range(draws)
        ]
        broken, automated, answers = (np.mean([one[k] for one in found]) for k in range(3))
        row[name] = {
            "broken": float(broken),
            "automated": float(automated),
            "answers": float(answers),
        }
    return row


def _by_class(
    pool: Answered, truth: Whole, classes: int, max_error: float, seed: int
) -> tuple[bool, float, int]:
    """(any class broken, share that the model decides, answers) of one audit."""
    broken, decided, answers = False, 0, 0
    for c in range(classes):
        members = np.flatnonzero(pool.labels == c)
        wrong = np.random.default_rng([9, seed, c]).permutation(truth[members] != c)
        null = Null.of_pool(len(wrong), max_error * len(wrong))
        path, used, alpha = proof(wrong, null, 0.05 / classes), 0, 0.05 / classes
        proven = int((path >= 1).argmax()) + 1 if (path >= 1).any() else None
        for used in range(10, len(wrong), 5):
            if proven is not None and proven <= used:
                used = proven
                break
            more = right_needed(wrong[:used], null, alpha)
            if more is None or more > (len(wrong) - used) / 2:
                break
        answers += used
        if proven is not None and proven <= used:
            decided += len(wrong) - used
            broken |= bool(wrong[used:].sum() > max_error * len(wrong))
    return broken, decided / len(pool), answers


def _models(error: float) -> dict[str, Callable[..., Made]]:
    return {
        "at the limit": partial(limit_of, error),
        "in waves": partial(waves_of, error),
        "good": good,
    }


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
    planned = None if case.plan is None else order[: case.plan]
    for n in (n for n in READ if n <= len(pool) // 2):
        rows, used = order[:n], n
        told = promise(pool, rows, truth[rows], groups, terms, planned=planned)
        new = terms.about == "source" and any(s.threshold is not None for s in told.scopes)
        fresh = case.make(draw, size=20_000) if new else None
        ever |= broken(told, pool, truth, groups, fresh)
        if told.whole or n == case.plan:
            break
    automated = float(told.decided.mean()) if told else 0.0
    in_scope = sum(scope.size for scope in told.scopes) / len(pool) if told else 0.0
    naive = _naive(pool, truth, order[:used], terms.max_error)
    return Draw(ever, in_scope, automated, used, *naive)


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
        wrong, of = group.wrong[answers.labels, right] & inside, inside
        if fresh is None:
            wrong = wrong & told.decided
            of = inside & told.decided if told.terms.about == "decided" else inside
        if wrong.sum() > told.terms.max_error * of.sum() + 1e-9:
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
        f"{row['about']:<9} plan {row['plan'] or '-':<4} {row['model']:<14} {row['groups']:<10} "
        f"{row['classes']:3} classes  "
        f"{100 * row['max_error']:2.0f} %  broken {100 * row['broken']:4.1f} %   "
        f"in scope {100 * row['in_scope']:3.0f} %  "
        f"automated {100 * row['automated']:4.0f} %   answers {row['answers']:4.0f}   "
        f"naive: broken {100 * row['naive_broken']:4.1f} %, automated {100 * row['naive_automated']:3.0f} %"
    )


if __name__ == "__main__":
    main()
