"""Are promises kept? Audits simulated on models of all kinds, against choosing a threshold by the audit's error rate.

    python -m benchmarks.promise [--draws 1000] [--max-error 0.02] [--go-on]

For each draw a new pool is made, an audit is drawn look by look until everything is automated or it has 1,000 answers,
and the *true* share of wrong among the decided images is compared with the promise; for promises about the source, the
wrong ones are counted in 20,000 new images. Twenty and 58 classes apart are promised 10 % and 20 %, in pools of about
6,000 images with up to 3,000 answers: each class has to be proven from its own few. *Naive* takes the widest threshold
at which the audit's own error rate keeps the limit, from as many answers.
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

MOST, MOST_APART = 1000, 3000
"""Answers of an audit, and of one for many classes apart."""
KINDS = ("overall", "misses", "per class")
ABOUT: tuple[About, ...] = ("pool", "source")
KEYS = ("model", "groups", "about", "max_error", "classes")
ALL_APART = ("at the limit", "in waves", "good")
MANY = ((20, 6_000, 0.1, ALL_APART), (58, 5_800, 0.2, ("at the limit", "good")))
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
    most: int = MOST

    @property
    def key(self) -> tuple[object, ...]:
        """What tells a row from others."""
        return self.model, self.kind, self.terms.about, self.terms.max_error, self.classes


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
    done = {tuple(row[k] for k in KEYS) for row in rows}
    for case in cases(chosen.max_error):
        if case.key in done:
            continue
        rows.append(measured(case, chosen.draws))
        print(_line(rows[-1]), flush=True)
        record("promise", {"max_error": chosen.max_error, "rows": rows})


def cases(max_error: float) -> Iterator[Case]:
    """All rows of the table, in order."""
    for kind, about, name in itertools.product(KINDS, ABOUT, MODELS):
        if kind == "per class" and name not in IN_GROUPS:
            continue
        classes = 100 if name == "many classes" else 4
        yield Case(name, kind, Terms(max_error, about=about), MODELS[name], classes)
    for (classes, size, error, names), about in itertools.product(MANY, ABOUT):
        models: dict[str, Callable[..., Made]] = {
            "at the limit": partial(limit_of, error),
            "in waves": partial(waves_of, error),
            "good": good,
        }
        for name in names:
            made: Callable[..., Made] = partial(models[name], size=size, classes=classes)
            terms = Terms(error, about=about)
            yield Case(name, "per class", terms, made, classes, MOST_APART)


def measured(case: Case, draws: int) -> dict[str, Any]:
    """Shares over all draws of one model."""
    found = [_draw(case, np.random.default_rng([7, n])) for n in range(draws)]
    return {
        **dict(zip(KEYS, case.key, strict=True)),
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


def _draw(case: Case, draw: np.random.Generator) -> Draw:
    terms = case.terms
    pool, truth = case.make(draw)
    groups, order = groups_of(case.kind, case.classes), draw.permutation(len(pool))
    ever, told, used = False, None, 0
    for n in look_sizes(len(pool), terms, len(groups)):
        if n > case.most:
            break
        rows, used = order[:n], n
        told = promise(pool, rows, truth[rows], groups, terms)
        new = terms.about == "source" and any(s.threshold is not None for s in told.scopes)
        fresh = case.make(draw, size=20_000) if new else None
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
        f"{row['about']:<7} {row['model']:<14} {row['groups']:<10} {row['classes']:3} classes  "
        f"{100 * row['max_error']:2.0f} %  broken {100 * row['broken']:4.1f} %   "
        f"automated {100 * row['automated']:4.0f} %   answers {row['answers']:4.0f}   "
        f"naive: broken {100 * row['naive_broken']:4.1f} %, automated {100 * row['naive_automated']:3.0f} %"
    )


if __name__ == "__main__":
    main()
