"""Metrics of answers: tensors in, floats out. Rows with the label -1 never count."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clipgrip.types import Labels, Mask, Probs


def _labeled(probs: Probs, labels: Labels) -> tuple[Tensor, Tensor]:
    known = labels >= 0
    return probs[known], labels[known]


def accuracy(probs: Probs, labels: Labels) -> float:
    """Share of the labeled rows whose most probable class is right; NaN without labels."""
    probs, labels = _labeled(probs, labels)
    return (probs.argmax(1) == labels).float().mean().item()


def per_class(probs: Probs, labels: Labels) -> Tensor:
    """(C,) share of each class's rows that are found (recall); NaN for a class without rows."""
    probs, labels = _labeled(probs, labels)
    classes = probs.shape[1]
    right = torch.bincount(labels[probs.argmax(1) == labels], minlength=classes)
    return right / torch.bincount(labels, minlength=classes)


def class_spread(per_class: Tensor) -> float:
    """Standard deviation of C shares over the classes that have one; NaN where none has."""
    known = per_class[~per_class.isnan()].double()
    return (known - known.mean()).square().mean().sqrt().item()


def worst_mean(per_class: Tensor, share: float = 0.1) -> float:
    """Mean over the lowest ``share`` of C shares, one class at least; NaN where no class has one."""
    known = per_class[~per_class.isnan()].double().sort().values
    return known[: max(1, int(share * len(known)))].mean().item()


def precision_per_class(probs: Probs, labels: Labels) -> Tensor:
    """(C,) share of right answers among the answers of each class (precision); NaN for a class never answered."""
    probs, labels = _labeled(probs, labels)
    classes, called = probs.shape[1], probs.argmax(1)
    right = torch.bincount(labels[called == labels], minlength=classes)
    return right / torch.bincount(called, minlength=classes)


def confusion(probs: Probs, labels: Labels) -> Tensor:
    """(C, C) counts, true class in the row, answer in the column."""
    probs, labels = _labeled(probs, labels)
    classes = probs.shape[1]
    return torch.bincount(labels * classes + probs.argmax(1), minlength=classes**2).view(
        classes, classes
    )


def harmonic_mean(first: float, second: float) -> float:
    """``2ab / (a + b)``; 0 where both are 0."""
    return 2 * first * second / (first + second) if first + second else 0.0


def seen_unseen(probs: Probs, labels: Labels, unseen: Mask) -> tuple[float, float, float]:
    """Accuracy on seen classes, on unseen classes, and their harmonic mean; answers may be of any class."""
    probs, labels = _labeled(probs, labels)
    is_unseen = unseen[labels]
    seen_accuracy = accuracy(probs[~is_unseen], labels[~is_unseen])
    unseen_accuracy = accuracy(probs[is_unseen], labels[is_unseen])
    return seen_accuracy, unseen_accuracy, harmonic_mean(seen_accuracy, unseen_accuracy)


def nll(probs: Probs, labels: Labels) -> float:
    """Mean negative log-probability of the right class."""
    probs, labels = _labeled(probs, labels)
    right = probs.gather(1, labels[:, None]).clamp_min(torch.finfo(probs.dtype).tiny)
    return -right.log().mean().item()


def brier(probs: Probs, labels: Labels) -> float:
    """Mean squared distance to the one-hot truth, summed over classes: 0 to 2."""
    probs, labels = _labeled(probs, labels)
    truth = torch.nn.functional.one_hot(labels, probs.shape[1])
    return (probs - truth).square().sum(1).mean().item()


def ece(probs: Probs, labels: Labels, bins: int = 15) -> float:
    """Expected calibration error of the top answer over equal-width bins (Guo et al., ICML 2017)."""
    probs, labels = _labeled(probs, labels)
    confidence, called = probs.max(1)
    place = (confidence * bins).long().clamp_max(bins - 1)
    gap = (called == labels).double() - confidence.double()
    per_bin = torch.zeros(bins, dtype=torch.double).index_add_(0, place, gap)
    return (per_bin.abs().sum() / len(labels)).item()


def ece_equal_mass(probs: Probs, labels: Labels, bins: int = 15) -> float:
    """Expected calibration error of the top answer over bins of equally many rows (Nixon et al., CVPR-W 2019)."""
    curve = reliability(probs, labels, bins)
    gaps = (curve.accuracy - curve.confidence).abs()
    return (gaps * curve.count).sum().item() / max(1, int(curve.count.sum()))


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram, rising by confidence: (bins,) mean confidence, share right and rows of each bin."""

    confidence: Tensor
    accuracy: Tensor
    count: Tensor


def reliability(probs: Probs, labels: Labels, bins: int = 15) -> Reliability:
    """The labeled rows in bins of equally many by the confidence of the top answer; no bin is empty."""
    probs, labels = _labeled(probs, labels)
    confidence, called = probs.double().max(1)
    order = confidence.argsort(stable=True)
    confidence, right = confidence[order], (called == labels)[order].double()
    groups = [rows for rows in torch.arange(len(labels)).tensor_split(bins) if len(rows)]
    return Reliability(
        torch.tensor([confidence[rows].mean() for rows in groups], dtype=torch.double),
        torch.tensor([right[rows].mean() for rows in groups], dtype=torch.double),
        torch.tensor([len(rows) for rows in groups]),
    )


def commonest(labels: Labels) -> tuple[int, int]:
    """The most frequent class among the labels, the lowest of equals, and its count; (0, 0) without labels."""
    counts = torch.bincount(labels[labels >= 0], minlength=1)
    position = int(counts.argmax())
    return position, int(counts[position])


def wilson_interval(right: int, total: int, level: float = 0.95) -> tuple[float, float]:
    """Interval of a share by Wilson's score (1927); (0, 1) without trials."""
    return _interval(right, total, level, "wilson")


def exact_interval(right: int, total: int) -> tuple[float, float]:
    """95% interval of a share by Clopper and Pearson (1934), never too short; (0, 1) without trials."""
    return _interval(right, total, 0.95, "exact")


def _interval(right: int, total: int, level: float, method: str) -> tuple[float, float]:
    if total == 0:
        return 0.0, 1.0
    from scipy.stats import binomtest

    low, high = binomtest(right, total).proportion_ci(level, method)
    return float(low), float(high)


@dataclass(frozen=True)
class Share:
    """``count`` of ``total`` with 95% intervals: Wilson's for a pilot's criteria, the exact one elsewhere."""

    count: int
    total: int

    @property
    def value(self) -> float | None:
        """``count / total``; None where there is nothing to count."""
        return self.count / self.total if self.total else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Lower and upper end by Wilson; None where there is nothing to count."""
        return wilson_interval(self.count, self.total) if self.total else None

    @property
    def exact(self) -> tuple[float, float] | None:
        """Lower and upper end by Clopper and Pearson; None where there is nothing to count."""
        return exact_interval(self.count, self.total) if self.total else None
