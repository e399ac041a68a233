"""How many answers measure an accuracy: drawn to measure, against drawn from all images alike, with coverage.

    CLIPGRIP_DATA=FOLDER python -m benchmarks.measuring [--draws 1000] [--sets caltech58 ...] [--go-on]

The answers are CLIP's own, as in `benchmarks.believed`, with what their refinement makes of them as second opinion;
those of runs that learned from the same embeddings, with zero-shot's; and a logistic regression's on scikit-learn's
digits and made ones, with none. Each draw audits the whole pool anew in two phases: 80 answers where the accuracy is
above 90 %, else 130. *Cover*: share of draws whose 95 % interval holds the pool's accuracy; *half*: its mean half
width; *uniform*: the same of Wilson's interval from 200 answers drawn from all images alike, and its half width from as
many answers as the measuring draw had; *error*: root mean square of both estimates at equal answers, which shows
whether it is ever worse; *classes*: coverage over all answered classes that have an answer, and their half width;
*small*: over those below the median size. Rows of sets that are not named stay; with ``--go-on`` also those of as many
draws and the same code.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import trust
from benchmarks.promise_pools import MODELS
from benchmarks.record import RESULTS, machine, record
from clipgrip import GripClassifier
from clipgrip.metrics import wilson_interval
from clipgrip.pseudolabel.refine import refined_answers
from clipgrip.trust import measured, measuring, risk
from clipgrip.trust.measuring import first_phase, second_phase, strata
from clipgrip.trust.scope import Answered, Numbers
from clipgrip.types import Probs

SETS = (
    "caltech58",
    "imagenet 50 #0",
    "imagenet 200 #0",
    "dtd 1-shot",
    "flowers 1-shot",
    "flowers 4-shot",
    "flowers 16-shot",
    "digits",
    "surfaces",
)
LEARNED = ("caltech58", "imagenet 200 #0", "dtd 1-shot", "flowers 4-shot", "flowers 16-shot")
"""Sets that a run learns, without labels."""
MADE = ("good", "upside down", "in waves", "tied", "never wrong")
"""Pools made to deceive, of `benchmarks.promise_pools`."""
SURE, ABOVE, BELOW, UNIFORM = 0.9, 80, 130, 200
NAME = "measuring"
EDGE = 1e-9
"""For rounding."""


@dataclass(frozen=True)
class Pool:
    """Answers of a model, which of them are wrong (N,), and what a second opinion gives to each (N,)."""

    name: str
    answers: Answered
    wrong: NDArray[np.bool_]
    second: Numbers | None = None


def main() -> None:
    """Measure, print a line as soon as it is there, and write ``results/measuring.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--sets", nargs="+")
    parser.add_argument("--go-on", action="store_true", help="keep rows of as many draws")
    chosen = parser.parse_args()
    path = RESULTS / f"{NAME}.json"
    stored = json.loads(path.read_text("utf-8"))["rows"] if path.is_file() else []
    rows: dict[str, dict[str, Any]] = {row["set"]: row for row in stored}
    print(machine())
    for pool in _pools(chosen.sets):
        if chosen.go_on and _is_done(rows.get(pool.name, {}), chosen.draws):
            continue
        rows[pool.name] = row = _row(pool, chosen.draws)
        print(_line(row), flush=True)
        record(NAME, {"rows": list(rows.values())})


def _is_done(row: dict[str, Any], draws: int) -> bool:
    return row.get("code") == _code() and row["draws"] >= draws


@cache
def _code() -> str:
    """What the figures were measured with."""
    parts = [Path(one.__file__ or "").read_bytes() for one in (measured, measuring, risk)]
    return hashlib.sha256(b"".join(parts)).hexdigest()[:12]


def _pools(names: Sequence[str] | None) -> Iterator[Pool]:
    """Those of the ``names``; all where there are none."""
    measured_sets = trust.all_cases(Path(os.environ["CLIPGRIP_DATA"]) / "clip-features")
    for case in (*measured_sets, *trust.demo_cases()):
        if case.name in SETS and (names is None or case.name in names):
            own = case.logits.softmax(1)
            yield _answered(case.name, own, case, _refined(case, own))
        if case.name in LEARNED and (names is None or f"{case.name}, a run" in names):
            yield _answered(f"{case.name}, a run", _learned(case), case, case.logits.softmax(1))
    others = [_digits()]
    for name in MADE:
        made, truth = MODELS[name](np.random.default_rng(0))
        others.append(Pool(f"made: {name}", made, made.labels != truth))
    yield from (pool for pool in others if names is None or pool.name in names)


def _answered(name: str, probs: Probs, case: trust.Case, others: Probs) -> Pool:
    confidence, labels = probs.max(1)
    answers = Answered(labels.numpy(), confidence.double().numpy().round(6))
    second = others.gather(1, labels[:, None])[:, 0].double().numpy()
    return Pool(name, answers, (labels != case.truth).numpy(), second)


def _refined(case: trust.Case, own: Probs) -> Probs:
    """As `runs.second_opinion` asks where nothing was learned."""
    fixed, everywhere = torch.zeros(len(own), dtype=torch.bool), torch.ones(own.shape[1]) > 0
    return refined_answers(case.images, own, labeled=fixed, candidates=everywhere).probs


def _learned(case: trust.Case) -> Probs:
    """Of a run by these images and classes; those are found again in their logits."""
    images = case.images.double()
    classes = torch.linalg.lstsq(images, case.logits.double() / trust.SCALE).solution.T
    names = [f"{c:04d}" for c in range(len(classes))]
    run = GripClassifier(names, backbone="embeddings", class_embeds=classes.float().numpy())
    return torch.from_numpy(run.fit(case.images.numpy()).predict_proba(case.images.numpy()))


def _digits() -> Pool:
    """scikit-learn's digits by a logistic regression of thirty images a class."""
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression

    images, truth = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(truth))
    taught = np.concatenate([order[truth[order] == c][:30] for c in range(10)])
    rest = np.setdiff1d(order, taught)
    model = LogisticRegression(max_iter=500).fit(images[taught] / 16, truth[taught])
    probs = model.predict_proba(images[rest] / 16)
    answers = Answered(probs.argmax(1), probs.max(1).round(6))
    return Pool("digits 30 labels a class", answers, probs.argmax(1) != truth[rest])


def _row(pool: Pool, draws: int) -> dict[str, Any]:
    accuracy = 1 - float(pool.wrong.mean())
    n = ABOVE if accuracy > SURE else BELOW
    hashes = [f"{pool.name} {row}" for row in range(len(pool.wrong))]
    each = [_draw(pool, hashes, n, seed) for seed in range(draws)]
    keys = (
        "covered",
        "half",
        "error",
        "uniform_covered",
        "uniform_half",
        "equal_half",
        "equal_error",
    )
    values = {key: np.array([one[key] for one in each], dtype=float) for key in keys}
    row = {
        "set": pool.name,
        "images": len(pool.wrong),
        "accuracy": accuracy,
        "answers": n,
        "draws": draws,
        "code": _code(),
    }
    for key in keys:
        squared = key.endswith("error")
        row[key] = float((values[key] ** 2).mean() ** 0.5 if squared else values[key].mean())
    for key in ("classes", "small", "half_classes", "half_small"):
        inside = [value for one in each for value in one[key]]
        row[f"{key}_covered" if "half" not in key else key] = (
            float(np.mean(inside)) if inside else None
        )
    return row


def _draw(pool: Pool, hashes: list[str], n: int, seed: int) -> dict[str, Any]:
    labels, wrong = pool.answers.labels, pool.wrong
    made = strata(pool.answers, hashes, seed)
    rows = first_phase(made, n)
    rows = np.concatenate([rows, second_phase(made, rows, wrong[rows], n)])
    found = measured.measured(made, labels, rows, wrong[rows], pool.second)
    assert found is not None
    accuracy, order = 1 - float(wrong.mean()), np.random.default_rng(seed).permutation(len(wrong))
    right, equal = int((~wrong[order[:UNIFORM]]).sum()), int((~wrong[order[:n]]).sum())
    low, high = wilson_interval(right, UNIFORM)
    equal_low, equal_high = wilson_interval(equal, n)
    sizes = np.bincount(labels)
    median = np.median(sizes[sizes > 0])
    truth = {c: 1 - float(wrong[labels == c].mean()) for c in found.classes}
    inside = {c: f.low - EDGE <= truth[c] <= f.high + EDGE for c, f in found.classes.items()}
    return {
        "covered": found.overall.low - EDGE <= accuracy <= found.overall.high + EDGE,
        "half": found.overall.half_width,
        "error": found.overall.value - accuracy,
        "uniform_covered": low - EDGE <= accuracy <= high + EDGE,
        "uniform_half": (high - low) / 2,
        "equal_half": (equal_high - equal_low) / 2,
        "equal_error": equal / n - accuracy,
        "classes": list(inside.values()),
        "small": [hit for c, hit in inside.items() if sizes[c] < median],
        "half_classes": [f.half_width for f in found.classes.values()],
        "half_small": [f.half_width for c, f in found.classes.items() if sizes[c] < median],
    }


def _line(row: dict[str, Any]) -> str:
    small = row["small_covered"]
    return (
        f"{row['set']:26s} {row['images']:5d} images, accuracy {row['accuracy']:.3f}; {row['answers']} answers: half "
        f"{100 * row['half']:.1f} (uniform {UNIFORM}: {100 * row['uniform_half']:.1f}, as many: "
        f"{100 * row['equal_half']:.1f}), cover {100 * row['covered']:.1f} % "
        f"(uniform {100 * row['uniform_covered']:.1f}), error {100 * row['error']:.2f} "
        f"(uniform {100 * row['equal_error']:.2f}), classes {100 * row['classes_covered']:.1f} "
        f"(half {100 * row['half_classes']:.1f}), small {'-' if small is None else f'{100 * small:.1f}'}"
    )


if __name__ == "__main__":
    main()
