"""How far answers may be believed, one line a set: accuracy estimated and true, calibration, and promises kept.

    CLIPGRIP_DATA=FOLDER python -m benchmarks.believed [--draws 1000] [--max-error 0.05]

The answers are CLIP's own, from texts or from the mean of a few images a class; nothing is tuned. *Estimated*: without
labels, by `clipgrip.trust.estimate.by_refinement`; `benchmarks.estimates` judges its interval. *Calibration*:
equal-mass error before and after one temperature from 50 labels, judged on other images, mean of five draws. *Promise*:
of so many random audits of these very answers, how many ended with more wrong among all labels within the scope than
promised, with the share in scope: with a plan of so many answers, by the bets alone at as many, and by a fixed-sequence
exact test read once there, which is what the plan has to reach; *naive* takes the widest threshold at which the audit's
own error rate keeps the limit.
"""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import promise, trust
from benchmarks.promise_apart import broken
from benchmarks.promise_pools import Made
from benchmarks.record import machine, record
from clipgrip.trust.bounds import pool_p_value
from clipgrip.trust.draw import Draw
from clipgrip.trust.promise import promise as promised
from clipgrip.trust.scope import Answered, overall, pool_levels
from clipgrip.trust.terms import Terms

SETS = (
    "caltech58",
    "imagenet 200 #0",
    "dtd 1-shot",
    "flowers 1-shot",
    "flowers 8-shot",
    "digits",
    "surfaces",
)
PLANS = ((0.05, 250), (0.02, 400))
"""Promised error and answers at which plan, bets and an exact test are compared."""
LABELS = "temperature 50"
HEAD = (
    "set              images classes  accuracy estimated   calibration error   "
    "promise: broken automated answers   naive: broken"
)


def main() -> None:
    """Measure, print a line as soon as it is there, and write ``results/believed.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--max-error", type=float, default=0.05)
    chosen = parser.parse_args()
    measured = trust.all_cases(Path(os.environ["CLIPGRIP_DATA"]) / "clip-features")
    cases = [*measured, *trust.demo_cases()]
    signals = [trust.signals(case) for case in cases]
    print(machine())
    print(HEAD)
    rows: list[dict[str, Any]] = []
    for case, seen in zip(cases, signals, strict=True):
        if case.name not in SETS:
            continue
        rows.append(_row(case, seen, chosen.draws, chosen.max_error))
        print(_line(rows[-1]), flush=True)
        record("believed", {"draws": chosen.draws, "max_error": chosen.max_error, "rows": rows})


def _row(
    case: trust.Case,
    seen: dict[str, Any],
    draws: int,
    max_error: float,
) -> dict[str, Any]:
    fitted = trust.calibration(case)
    classes = case.logits.shape[1]
    make = partial(_these_answers, case)
    kept = promise.measured(
        promise.Case(case.name, "overall", Terms(max_error), make, classes, None), draws
    )
    return {
        "set": case.name,
        "images": len(case.truth),
        "classes": classes,
        "accuracy": seen["accuracy"],
        "estimated": seen["estimate"],
        **{
            f"{figure}_{when}": fitted[name][figure]
            for figure in ("ece_equal_mass", "nll")
            for when, name in (("before", "before"), ("after", LABELS))
        },
        **{key: kept[key] for key in ("broken", "automated", "answers", "naive_broken")},
        "plans": [plans(*make(np.random.default_rng(0)), *one, draws) for one in PLANS],
    }


def plans(
    pool: Answered, truth: np.ndarray, max_error: float, answers: int, draws: int
) -> dict[str, Any]:
    """Mean share in scope after so many answers, and broken draws: planned, by bets alone, by an exact test once."""
    groups, terms = overall(int(max(pool.labels.max(), truth.max())) + 1), Terms(max_error)
    found: dict[str, list[tuple[float, bool]]] = {"planned": [], "bets": [], "exact": []}
    for n in range(draws):
        order = np.random.default_rng([5, n]).permutation(len(pool))
        rows = order[:answers]
        for name, plan in (("planned", answers), ("bets", None)):
            told = promised(pool, rows, truth[rows], groups, terms, draw=Draw(order, plan))
            size = told.scopes[0].size
            found[name].append((size / len(pool), broken(told, pool, truth, groups, None)))
        found["exact"].append(_exact_once(pool, truth, rows, max_error))
    row: dict[str, Any] = {"max_error": max_error, "answers": answers, "draws": draws}
    for name, draw in found.items():
        row[name] = float(np.mean([share for share, _ in draw]))
        row[f"{name}_broken"] = float(np.mean([one for _, one in draw]))
    return row


def _exact_once(
    pool: Answered, truth: np.ndarray, rows: np.ndarray, max_error: float
) -> tuple[float, bool]:
    """Share in scope by a fixed-sequence exact test read once, and whether more are wrong there than promised.

    It begins where no error may still pass.
    """
    every, share, lowest = pool.labels != truth, 0.0, np.inf
    wrong, level = every[rows], pool.confidence[rows]
    for threshold in pool_levels(pool.confidence):
        size, inside = int((pool.confidence >= threshold).sum()), level >= threshold
        allowed = np.floor(max_error * size + 1e-9)
        expected = int(len(rows) * size / len(pool))
        if not share and pool_p_value(0, expected - int(expected**0.5), size, allowed) > 0.05:
            continue
        if pool_p_value(wrong[inside].sum(), inside.sum(), size, allowed) > 0.05:
            break
        share, lowest = size / len(pool), threshold
    scope = pool.confidence >= lowest
    left = every & scope
    left[rows] = False  # what people answered is right
    return share, bool(left.sum() > max_error * scope.sum() + 1e-9)


def _these_answers(case: trust.Case, _: np.random.Generator) -> Made:
    """The pool and its truth; only the audit's draw is random."""
    confidence, labels = case.logits.softmax(1).max(1)
    return Answered(labels.numpy(), confidence.double().numpy().round(6)), case.truth.numpy()


def _line(row: dict[str, Any]) -> str:
    accuracy, estimated, broken, automated, naive = (
        f"{100 * row[key]:5.1f} %"
        for key in ("accuracy", "estimated", "broken", "automated", "naive_broken")
    )
    before, after = (f"{row[f'ece_equal_mass_{when}']:.3f}" for when in ("before", "after"))
    return (
        f"{row['set']:<16} {row['images']:6} {row['classes']:7}   {accuracy}   {estimated}   {before} -> {after}"
        f"             {broken}   {automated}    {row['answers']:4.0f}         {naive}"
    )


if __name__ == "__main__":
    main()
