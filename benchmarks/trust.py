"""Calibration before and after, and accuracy estimated without labels against the true one, on measured embeddings.

CLIPGRIP_DATA=folder python -m benchmarks.trust
"""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.record import machine, record
from benchmarks.research.calibrations import FITS, labels_needed
from benchmarks.research.estimates import IMAGES_PER_CLASS, by_threshold, temperature_without_labels
from benchmarks.research.halves import half_agreement
from benchmarks.sets import load
from clipgrip.backbone.registry import load_backbone
from clipgrip.metrics import accuracy
from clipgrip.prompts.classifier import zero_shot
from clipgrip.pseudolabel.refine import refined_answers
from clipgrip.seeds import generator
from clipgrip.trust.calibration import Temperature
from clipgrip.trust.estimate import Estimate, by_refinement
from clipgrip.trust.fitting import figures, fit_temperature
from clipgrip.types import ImageEmbeds, Labels, Logits, Probs

SCALE = 100.0
SEEDS = range(5)
Values = dict[str, float]


@dataclass(frozen=True)
class Case:
    """Images (N, D) with logits (N, C) and truth (N,) of a family of sets."""

    family: str
    name: str
    images: ImageEmbeds
    logits: Logits
    truth: Labels


def main() -> None:
    """Measure, print, and write ``results/trust.json``."""
    measured = all_cases(Path(os.environ["CLIPGRIP_DATA"]) / "clip-features")
    cases = [*measured, *demo_cases()]
    rows = [signals(case) for case in cases]
    result = {
        "calibration": {c.name: calibration(c) for c in cases if c.name in CALIBRATED},
        "estimates": rows,
        "leave_one_family_out": {
            name: left_out(rows, name) for name in ("halves", "confidence", "agreement")
        },
        "thresholded_confidence": thresholded(cases),
        "temperature_without_labels": unlabeled_temperature(cases, rows),
    }
    print(machine())
    for part in result.items():
        print(*part, sep="\n")
    record("trust", result)


CALIBRATED = (
    "caltech58",
    "digits",
    "surfaces",
    "imagenet 50 #0",
    "dtd 1-shot",
    "flowers 1-shot",
    "flowers 8-shot",
)


def all_cases(folder: Path) -> Iterator[Case]:
    """Zero-shot on real texts, and prototypes of 1 to 16 images a class on new ones; each answers new images."""
    caltech, imagenet = (np.load(folder / f"{name}.npz") for name in ("caltech58", "imagenet1000"))
    yield case("caltech", "caltech58", caltech)
    for seed in SEEDS:
        for size in (50, 200):
            chosen = torch.randperm(1000, generator=generator(seed, "classes"))[:size]
            yield case("imagenet", f"imagenet {size} #{seed}", imagenet, chosen)
    for name in ("dtd", "flowers"):
        held = np.load(folder / f"{name}.npz")
        images, truth = tensor(held["test_embeds"]), tensor(held["test_labels"]).long()
        for key in sorted(key for key in held.files if key.startswith("shot") and "embeds" in key):
            shots = key.removeprefix("shot").removesuffix("_embeds")
            means = prototypes(tensor(held[key]), tensor(held[f"shot{shots}_labels"]).long())
            yield Case(name, f"{name} {shots}-shot", images, SCALE * images @ means.T, truth)


def demo_cases() -> Iterator[Case]:
    """The demo sets as nano sees them, zero-shot."""
    backbone = load_backbone("nano")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("digits", "surfaces"):
            demo = load(name, Path(folder), backbone)
            classes = zero_shot(backbone, demo.classes.prompts, demo.template)
            logits = backbone.logit_scale * demo.pool @ classes.T
            yield Case(name, name, demo.pool, logits, demo.pool_truth)


def case(family: str, name: str, held: Any, chosen: torch.Tensor | None = None) -> Case:
    """Zero-shot by the set's own text embeddings, over some of its classes."""
    images, classes, truth = (
        tensor(held[key]) for key in ("image_embeds", "class_embeds", "labels")
    )
    truth = truth.long()
    if chosen is not None:
        rows = torch.isin(truth, chosen)
        place = torch.full((len(classes),), -1)
        place[chosen] = torch.arange(len(chosen))
        images, classes, truth = images[rows], classes[chosen], place[truth[rows]]
    return Case(family, name, images, SCALE * images @ classes.T, truth)


def calibration(case: Case) -> dict[str, Values]:
    """Figures of images that no fit saw, mean and sd over random draws of the labeled images, by their number."""
    found: dict[str, list[Values]] = {}
    for seed in SEEDS:
        order = torch.randperm(len(case.truth), generator=generator(seed, "labeled"))
        rest = order[len(order) // 2 :]
        logits, truth = case.logits[rest], case.truth[rest]
        found.setdefault("before", []).append(figures(logits.softmax(1), truth))
        for kind, fit in FITS.items():
            for number in (20, 50, 100, 500):
                known = order[: len(order) // 2][:number]
                enough = labels_needed(kind, case.logits.shape[1]) <= len(known)
                if enough and len(known) == number:
                    probs = fit(case.logits[known], case.truth[known])(logits)
                    found.setdefault(f"{kind} {number}", []).append(figures(probs, truth))
    return {name: summary(values) for name, values in found.items()}


def summary(rows: list[Values]) -> Values:
    """Mean and standard deviation of each figure."""
    made = {}
    for key in rows[0]:
        values = [row[key] for row in rows]
        made[key] = round(statistics.fmean(values), 4)
        made[f"{key}_sd"] = round(statistics.stdev(values), 4)
    return made


def signals(case: Case) -> dict[str, Any]:
    """What can be seen without labels of the zero-shot answers, beside the truth."""
    probs = case.logits.softmax(1)
    fixed = torch.zeros(len(probs), dtype=torch.bool)
    everywhere = torch.ones(probs.shape[1], dtype=torch.bool)
    refined = refined_answers(case.images, probs, labeled=fixed, candidates=everywhere).probs
    return {
        "family": case.family,
        "name": case.name,
        "per_class": round(len(probs) / probs.shape[1], 1),
        "accuracy": round(accuracy(probs, case.truth), 4),
        "halves": round(half_agreement(case.images, probs), 4),
        "confidence": round(probs.max(1).values.mean().item(), 4),
        "agreement": round((probs.argmax(1) == refined.argmax(1)).double().mean().item(), 4),
        "estimate": round(by_refinement(probs, refined).accuracy, 4),
    }


def left_out(rows: list[dict[str, Any]], signal: str) -> Values:
    """Error of the ratio ``(1 - accuracy) / (1 - signal)`` of the other families, and the ratio of all.

    Halves count where there are enough images of a class.
    """
    rows = [row for row in rows if signal != "halves" or row["per_class"] >= IMAGES_PER_CLASS]
    errors: dict[str, list[float]] = {}
    for family in dict.fromkeys(row["family"] for row in rows):
        others = ratio([row for row in rows if row["family"] != family], signal)
        errors[family] = [
            abs(1 - others * (1 - row[signal]) - row["accuracy"])
            for row in rows
            if row["family"] == family
        ]
    every = [error for family in errors.values() for error in family]
    found = {name: round(statistics.fmean(values), 4) for name, values in errors.items()}
    return found | {
        "mean": round(statistics.fmean(found.values()), 4),
        "quantile_90": round(float(np.quantile(every, 0.9)), 4),
        "largest": round(max(every), 4),
        "correlation": round(correlation(rows, signal), 3),
        "ratio": round(ratio(rows, signal), 3),
        "cases": len(rows),
    }


def ratio(rows: list[dict[str, Any]], signal: str) -> float:
    """Median over families of the median ratio of error to one less the signal."""
    families: dict[str, list[float]] = {}
    for row in rows:
        value = (1 - row["accuracy"]) / max(1e-6, 1 - row[signal])
        families.setdefault(row["family"], []).append(value)
    return statistics.median(statistics.median(values) for values in families.values())


def correlation(rows: list[dict[str, Any]], signal: str) -> float:
    """Pearson's, over all cases."""
    x, y = ([row[key] for row in rows] for key in (signal, "accuracy"))
    return float(np.corrcoef(x, y)[0, 1])


def thresholded(cases: list[Case]) -> dict[str, Values]:
    """Errors of average thresholded confidence: source from the same set, and from another family."""
    same, other = [], []
    for target in cases:
        half = torch.randperm(len(target.truth), generator=generator(0, "source"))
        source, rest = half[: len(half) // 2], half[len(half) // 2 :]
        probs = target.logits.softmax(1)
        truth = accuracy(probs[rest], target.truth[rest])
        found = by_threshold(probs[rest], probs[source], target.truth[source])
        same.append(abs(found.accuracy - truth))
        for origin in cases:
            if origin.family != target.family:
                found = by_threshold(probs, origin.logits.softmax(1), origin.truth)
                other.append(abs(found.accuracy - accuracy(probs, target.truth)))
    return {
        name: {"mean": round(statistics.fmean(errors), 4), "largest": round(max(errors), 4)}
        for name, errors in (("same set", same), ("another family", other))
    }


def unlabeled_temperature(cases: list[Case], rows: list[dict[str, Any]]) -> dict[str, Values]:
    """Calibration by an accuracy estimated on the other families, against the best temperature with all labels."""
    found = {}
    for case, row in zip(cases, rows, strict=True):
        if case.name not in CALIBRATED:
            continue
        others = ratio([r for r in rows if r["family"] != case.family], "agreement")
        value = min(0.99, max(0.01, 1 - others * (1 - row["agreement"])))
        estimate = Estimate(value, value, value, "agreement with refined answers", "nothing")
        without = temperature_without_labels(case.logits, estimate).calibration
        best = fit_temperature(case.logits, case.truth)
        found[case.name] = {
            "estimated": round(value, 4),
            "true": row["accuracy"],
            "temperature": round(without.value, 3),
            "temperature_of_labels": round(best.value, 3),
            **scores(case, "before", Temperature(1.0)),
            **scores(case, "without", without),
            **scores(case, "labels", best),
        }
    return found


def scores(case: Case, name: str, fitted: Callable[[Logits], Probs]) -> Values:
    """Calibration error and log loss under a name."""
    values = figures(fitted(case.logits), case.truth)
    return {f"{key}_{name}": round(values[key], 4) for key in ("ece_equal_mass", "nll")}


def prototypes(images: ImageEmbeds, labels: Labels) -> torch.Tensor:
    """Unit means (C, D) of the images of each class."""
    onehot = torch.nn.functional.one_hot(labels).float()
    return torch.nn.functional.normalize(onehot.T @ images, dim=1)


def tensor(values: Any) -> torch.Tensor:
    """An array as a tensor, floats in single precision."""
    found = torch.from_numpy(values)
    return found.float() if found.is_floating_point() else found


if __name__ == "__main__":
    main()
