"""Linear classifiers in closed form, each with its leave-one-out answers for a sample of its images.

``discriminants`` are Fisher's with one covariance for all classes, shrunk towards a multiple of the identity (for CLIP:
Wang et al., ICLR 2024, arXiv 2402.04087). ``ridges`` are ridge regressions on one-hot classes. Leaving one image out
changes one class mean and subtracts a rank-one matrix from the scatter, so the new inverse follows from the
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
"""Lower bound of 1 - leverage, and of similar denominators: an image that alone determines the fit would make it 0."""


@dataclass(frozen=True)
class Member:
    """Weights and offsets over the K classes that have images, and leave-one-out logits (n, K) of a sample."""

    name: str
    weights: Float[Tensor, "D K"] = field(repr=False)
    offsets: Float[Tensor, " K"] = field(repr=False)
    held_out: Logits = field(repr=False)


def ridges(
    moments: Moments, penalties: Sequence[float], images: Tensor, labels: Labels
) -> Iterator[Member]:
    """One member per penalty, in units of the mean squared length.

    ``images`` (n, D) with ``labels`` (n,), positions among the classes present, are the sample that is held out. The
    leave-one-out answer is (ŷ - h y) / (1 - h), h being the image's leverage.
    """
    total, counts = moments.total, moments.counts[moments.present]
    sums = moments.sums[moments.present]
    mean, shares = sums.sum(0) / total, counts / total
    values, axes = _axes(moments.scatter - total * torch.outer(mean, mean))
    targets = ((sums - counts[:, None] * mean) @ axes).T
    sample = (images - mean) @ axes
    one_hot = F.one_hot(labels, len(counts)).double() - shares
    for penalty in penalties:
        inverse = 1 / (values + penalty * values.sum() / total + TINY)
        weights = inverse[:, None] * targets
        leverage = (sample.square() @ inverse)[:, None] + 1 / total
        held_out = (sample @ weights - leverage * one_hot) / (1 - leverage).clamp_min(LEAST)
        weights = axes @ weights
        yield Member(f"ridge {penalty:g}", weights, -mean @ weights, held_out)


def discriminants(
    moments: Moments, shrinkages: Sequence[float], images: Tensor, labels: Labels
) -> Iterator[Member]:
    """One member per shrinkage; the sample as in `ridges`."""
    counts, means = moments.counts[moments.present], moments.means[moments.present]
    freedom = max(moments.total - len(counts), 1.0)
    values, axes = _axes(moments.scatter - (means * counts[:, None]).T @ means)
    scale = values.sum() / freedom / len(values)
    if moments.total <= len(counts):  # one image per class: there is no variance within classes
        scale = moments.scatter.trace() / moments.total / len(values)
    means, images = means @ axes, images @ axes  # in these axes every covariance is diagonal
    others = (counts[labels] - 1).clamp_min(LEAST)
    sample = _Sample(images, labels, images - means[labels], means, counts[labels], others)
    for shrinkage in shrinkages:
        least = shrinkage * scale + TINY
        inverse = 1 / ((1 - shrinkage) * values / freedom + least)
        weights = inverse[:, None] * means.T
        offsets = -0.5 * (means.T * weights).sum(0)
        left = max(freedom - 1, 1.0)
        base = 1 / ((1 - shrinkage) * values / left + least)
        held_out = sample.held_out(base, (1 - shrinkage) / left)
        yield Member(f"discriminant {shrinkage:g}", axes @ weights, offsets, held_out)


def _axes(scatter: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues (D,), at least 0, and eigenvectors (D, D): in these axes any penalty or shrinkage is a division."""
    values, axes = torch.linalg.eigh((scatter + scatter.T) / 2)
    return values.clamp_min(0), axes


@dataclass(frozen=True)
class _Sample:
    """Labeled images in the axes of the covariance, and what is needed to leave each of them out."""

    images: Tensor
    """(n, D)"""
    labels: Labels
    gap: Tensor
    """(n, D) each image less its class's mean."""
    means: Tensor
    """(K, D)"""
    counts: Tensor
    """(n,) images of each image's class, by their weights."""
    others: Tensor
    """(n,) the same without the image itself."""

    def held_out(self, inverse: Tensor, part: float) -> Logits:
        """(n, K) leave-one-out logits.

        ``inverse`` (D,) is that of the covariance with the image still in it, ``part`` the factor on the scatter there.
        """
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
