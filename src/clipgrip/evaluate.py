"""Scores of answers against known labels, and a summary of answers without any, as metrics.json stores them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from clipgrip import metrics
from clipgrip.pseudolabel.quality import class_coverage, per_class_counts
from clipgrip.types import Labels, Mask, Probs

Scores = dict[str, Any]


def test_scores(probs: Probs, labels: Labels, unseen: Mask) -> Scores | None:
    """The scores of test images (n,), -1 for no label; None without any label.

    A share of a class without test images is null. Seen, unseen and harmonic mean are there if some classes, but not
    all, are ``unseen`` (C,). ``commonest`` is the class of most test images, and how many those are.
    """
    judged = int((labels >= 0).sum())
    if judged == 0:
        return None
    right = int((probs.argmax(1) == labels).sum())
    scores: Scores = {
        "n": judged,
        "accuracy": right / judged,
        "interval": list(metrics.exact_interval(right, judged)),
        "commonest": list(metrics.commonest(labels)),
        "per_class": _shares(metrics.per_class(probs, labels)),
        "precision": _shares(metrics.precision_per_class(probs, labels)),
        "ece": metrics.ece(probs, labels),
        "nll": metrics.nll(probs, labels),
        "brier": metrics.brier(probs, labels),
    }
    if unseen.any() and not unseen.all():
        names = ("seen", "unseen", "harmonic_mean")
        values = metrics.seen_unseen(probs, labels, unseen)
        scores |= {name: _share(value) for name, value in zip(names, values, strict=True)}
    return scores


def pool_summary(probs: Probs, absent: int = 0) -> Scores:
    """Mean confidence, class coverage and answers per class of unlabeled images (N, C); no accuracy.

    The coverage leaves out so many ``absent`` classes.
    """
    if len(probs) == 0:
        return {"mean_confidence": None, "coverage": 0.0, "per_class": [0] * probs.shape[1]}
    return {
        "mean_confidence": probs.max(1).values.mean().item(),
        "coverage": class_coverage(probs, absent),
        "per_class": per_class_counts(probs.argmax(1), probs.shape[1]),
    }


def robin_hood(before: Tensor, after: Tensor) -> tuple[float, float]:
    """Mean change of recall of the poor classes (below the mean before) and of the rich ones.

    ``before`` and ``after`` (C,) are recalls. The effect is that the poor gain more than the rich.
    Source: "Enhancing CLIP with CLIP" (arXiv 2306.01669), section 5.
    """
    known = ~(before.isnan() | after.isnan())
    before, after = before[known], after[known]
    poor = before < before.mean()
    change = after - before
    return change[poor].mean().item(), change[~poor].mean().item()


def _share(value: float) -> float | None:
    return None if value != value else value


def _shares(values: Tensor) -> list[float | None]:
    return [_share(value) for value in values.to(torch.double).tolist()]
