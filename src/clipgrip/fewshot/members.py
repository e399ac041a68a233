"""Linear classifiers in closed form, each with what it would answer for an image had it not seen that image.

``discriminants`` are Fisher's with one covariance for all classes, shrunk towards a multiple of the identity (for CLIP:
Wang et al., ICLR 2024, arXiv 2402.04087). ``ridges`` are least squares on the classes with a penalty on the weights.
Leaving one image out changes a mean and subtracts one vector from the scatter, so the inverse follows from the
Sherman-Morrison formula and nothing is fitted again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from clipgrip.fewshot.moments import TINY, Moments
from clipgrip.types import Labels, Logits

LEAST = 1e-3
"""What is left of an image's own weight at least, so that an image that decides alone divides by no zero."""


@dataclass(frozen=True)
class Member:
    """Weights (D, K) and offsets (K,) over the classes with images, and held-out logits (n, K) of a sample."""

    name: str
    weights: Float[Tensor, "D K"] = field(repr=False)
    offsets: Float[Tensor, " K"] = field(repr=False)
    held_out: Logits = field(repr=False)


def ridges(
    moments: Moments, penalties: Sequence[float], images: Tensor, labels: Labels
) -> Iterator[Member]:
    """One member a penalty, in units of the mean squared length; ``images`` (n, D) with ``labels`` (n,) are a sample.

    Labels are positions among the present classes.
    """
    total, counts = moments.total, moments.counts[moments.present]
    sums = moments.sums[moments.present]
    mean, shares = sums.sum(0) / total, counts / total
    values, axes = _axes(moments.scatter - total * torch.outer(mean, mean))
    targets = ((sums - counts[:, None] * mean) @ axes).T
    seen = (images - mean) @ axes
    wanted = F.one_hot(labels, len(counts)).double() - shares
    for penalty in penalties:
        inverse = 1 / (values + penalty * values.sum() / total + TINY)
        weights = inverse[:, None] * targets
        own = (seen.square() @ inverse)[:, None] + 1 / total
        held_out = (seen @ weights - own * wanted) / (1 - own).clamp_min(LEAST)
        weights = axes @ weights
        yield Member(f"ridge {penalty:g}", weights, -mean @ weights, held_out)


def discriminants(
    moments: Moments, shrinkages: Sequence[float], images: Tensor, labels: Labels
) -> Iterator[Member]:
    """One member a shrinkage; the sample as in `ridges`."""
    counts, means = moments.counts[moments.present], moments.means[moments.present]
    free = max(moments.total - len(counts), 1.0)
    values, axes = _axes(moments.scatter - (means * counts[:, None]).T @ means)
    scale = values.sum() / free / len(values)
    if moments.total <= len(counts):  # one image a class: nothing varies within
        scale = moments.scatter.trace() / moments.total / len(values)
    means, images = means @ axes, images @ axes  # in these axes every covariance is diagonal
    others = (counts[labels] - 1).clamp_min(LEAST)
    sample = _Sample(images, labels, images - means[labels], means, counts[labels], others)
    for shrinkage in shrinkages:
        least = shrinkage * scale + TINY
        inverse = 1 / ((1 - shrinkage) * values / free + least)
        weights = inverse[:, None] * means.T
        offsets = -0.5 * (means.T * weights).sum(0)
        left = max(free - 1, 1.0)
        base = 1 / ((1 - shrinkage) * values / left + least)
        held_out = sample.held_out(base, (1 - shrinkage) / left)
        yield Member(f"discriminant {shrinkage:g}", axes @ weights, offsets, held_out)


def _axes(scatter: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues (D,), at least 0, and axes (D, D): every penalty and shrinkage is then a division."""
    values, axes = torch.linalg.eigh((scatter + scatter.T) / 2)
    return values.clamp_min(0), axes


@dataclass(frozen=True)
class _Sample:
    """Labeled images (n, D) in the axes of the covariance, and how they differ from their classes' means (K, D)."""

    images: Tensor
    labels: Labels
    gap: Tensor
    means: Tensor
    counts: Tensor
    others: Tensor

    def held_out(self, inverse: Tensor, part: float) -> Logits:
        """(n, K) without the image itself; ``inverse`` (D,) has it still, ``part`` is the scatter's in it."""
        rows = torch.arange(len(self.images))
        of_gap = self.gap.square() @ inverse
        gain = part * (self.counts / self.others)
        gain = gain / (1 - gain * of_gap).clamp_min(LEAST)  # Sherman-Morrison
        gap_image = (self.gap * self.images) @ inverse
        scaled = (inverse * self.means).T
        gap_means = self.gap @ scaled
        linear = self.images @ scaled + (gain * gap_image)[:, None] * gap_means
        squares = self.means.square() @ inverse + gain[:, None] * gap_means.square()
        logits = linear - 0.5 * squares
        # its own class has another mean without it: m - (x - m) / (n - 1)
        less, own = 1 / self.others, gap_means[rows, self.labels]
        image = linear[rows, self.labels] - less * (gap_image + gain * gap_image * of_gap)
        square = (
            squares[rows, self.labels]
            - 2 * less * (own + gain * own * of_gap)
            + less.square() * (of_gap + gain * of_gap.square())
        )
        logits[rows, self.labels] = image - 0.5 * square
        return logits
