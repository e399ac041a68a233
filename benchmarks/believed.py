"""How far answers may be believed, one line a set: accuracy estimated and true, calibration, and promises kept.

    CLIPGRIP_DATA=FOLDER python -m benchmarks.believed [--draws 1000] [--max-error 0.05]

The answers are CLIP's own, from texts or from the mean of a few images a class; nothing is tuned. *Estimated*: without
labels, by `clipgrip.trust.estimate.by_refinement`; `benchmarks.estimates` judges its interval. *Calibration*:
equal-mass error before and after one temperature from 50 labels, judged on other images, mean of five draws. *Promise*:
of so many random audits of these very answers, how many ended with more wrong among the decided images than promised,
at up to 1,000 answers; *naive* takes the widest threshold at which the audit's own error rate keeps the limit.
"""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import promise, trust
from benchmarks.promise_pools import Made
from benchmarks.record import machine, record
from clipgrip.trust.promise import Terms
from clipgrip.trust.scope import Answered

SETS = (
    "caltech58",
    "imagenet 200 #0",
    "dtd 1-shot",
    "flowers 1-shot",
    "flowers 8-shot",
    "digits",
    "surfaces",
)
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
        promise.Case(case.name, "overall", Terms(max_error), make, classes), draws
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
    }


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
