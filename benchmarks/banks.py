"""What a second, vision-only encoder brings beside CLIP, and what one costs that sees nothing.

    python -m benchmarks.banks [--sets caltech58 steel ...] [--shots 0 1 2 5 10] [--seeds 3]

CLIP (on photographs: nano) and MobileNetV2's embeddings of the same images, joined by `pseudolabel.banks`. The images
without a label are cut in halves: GRIP learns from one (``pool``) and answers for the other (``new``), which nothing
learned from. ``noise`` is a bank of random numbers in the eye's place, ``constant`` one of a single vector. Beside them
logistic regression, C by cross-validation, on the same labels and both banks, each centred and of unit length.
"""

from __future__ import annotations

import argparse
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from benchmarks.features import unit
from benchmarks.few_labels import ours
from benchmarks.labeled_sets import MOST, PHOTOGRAPHS, Set, with_eye
from benchmarks.record import machine, record
from benchmarks.supervised import logistic

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
SETS = ("caltech58", "caltech100", "dtd10", *PHOTOGRAPHS)


def main() -> None:
    """Measure, print a row as soon as it is there, and write ``results/banks.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--shots", nargs="+", type=int, default=[0, 1, 2, 5, 10])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--name", default="banks")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    rows: list[dict[str, Any]] = []
    print(machine())
    for name in chosen.sets:
        data, eye = with_eye(name)
        for shots in chosen.shots:
            if shots or data.texts is not None:
                rows.append(measured(data, eye, shots, chosen.seeds))
                print(_line(rows[-1]), flush=True)
                record(chosen.name, {"seeds": chosen.seeds, "rows": rows})


def measured(data: Set, eye: Floats, shots: int, seeds: int) -> dict[str, Any]:
    """Mean over the seeds in per cent, the eye's weight, and the worst that noise cost."""
    found: dict[str, list[float]] = {}
    for seed in range(seeds):
        for what, value in _one(data, eye, shots, seed).items():
            found.setdefault(what, []).append(value)
    row: dict[str, Any] = {"set": data.name, "shots": shots}
    row |= {what: round(float(np.mean(values)), 2) for what, values in found.items()}
    for bank in ("noise", "constant"):
        lost = np.array([found["clip pool"], found["clip new"]])
        lost = lost - np.array([found[f"{bank} pool"], found[f"{bank} new"]])
        row[f"{bank} costs at most"] = round(float(lost.max()), 2)
    return row


def _one(data: Set, eye: Floats, shots: int, seed: int) -> dict[str, float]:
    labels, draw = data.labels, np.random.default_rng(seed)
    given = [draw.permutation(np.flatnonzero(labels == c))[:shots] for c in np.unique(labels)]
    labeled = np.sort(np.concatenate(given))
    rest = draw.permutation(np.setdiff1d(np.arange(len(labels)), labeled))[:MOST]
    pool, new = np.array_split(rest, 2)
    every = np.concatenate([labeled, pool])
    y = np.concatenate([labels[labeled], np.full(len(pool), -1)])
    beside = {
        "clip": [],
        "eye": [eye],
        "noise": [draw.standard_normal((len(labels), 64)).astype(np.float32)],
        "constant": [np.ones((len(labels), 8), np.float32)],
    }
    found = {}
    for name, others in beside.items():
        banks = [data.images, *others]
        model = ours(data, seed, "grip").fit([bank[every] for bank in banks], y)
        if model.banks_ is not None:
            found[f"{name} weight"] = model.banks_.weights[1]
        for what, rows in (("pool", pool), ("new", new)):
            said = model.predict_proba([bank[rows] for bank in banks]).argmax(1)
            found[f"{name} {what}"] = 100 * float((said == labels[rows]).mean())
    if shots:
        both = [unit(bank - bank[every].mean(0)) for bank in (data.images, unit(eye))]
        images = np.concatenate(both, axis=1)
        said = logistic(images[labeled], labels[labeled], images[new], data)
        found["logistic"] = 100 * float((said == labels[new]).mean())
    return found


def _line(row: dict[str, Any]) -> str:
    return "  ".join(f"{what} {value}" for what, value in row.items())


if __name__ == "__main__":
    main()
