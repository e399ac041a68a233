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
    offsets: Float[Tensor, K] = field(repr=False)
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
    scatter = moments.scatter - total * torch.outer(mean, mean)
    targets = (sums - counts[:, None] * mean).T
    seen = images - mean
    wanted = F.one_hot(labels, len(counts)).double() - shares
    eye = torch.eye(len(scatter), dtype=torch.float64)
    for penalty in penalties:
        inverse = torch.linalg.inv(scatter + penalty * scatter.trace() / total * eye + TINY * eye)
        weights = inverse @ targets
        own = ((seen @ inverse) * seen).sum(1, keepdim=True) + 1 / total
        held_out = (seen @ weights - own * wanted) / (1 - own).clamp_min(LEAST)
        yield Member(f"ridge {penalty:g}", weights, -mean @ weights, held_out)


def discriminants(
    moments: Moments, shrinkages: Sequence[float], images: Tensor, labels: Labels
) -> Iterator[Member]:
    """One member a shrinkage; the sample as in `ridges`."""
    counts, means = moments.counts[moments.present], moments.means[moments.present]
    within = moments.scatter - (means * counts[:, None]).T @ means
    free = max(moments.total - len(counts), 1.0)
    scale = within.trace() / free / len(within)
    if moments.total <= len(counts):  # one image a class: nothing varies within
        scale = moments.scatter.trace() / moments.total / len(within)
    eye = torch.eye(len(within), dtype=torch.float64) * scale.clamp_min(TINY)
    for shrinkage in shrinkages:
        inverse = torch.linalg.inv((1 - shrinkage) * within / free + shrinkage * eye + TINY * eye)
        weights = inverse @ means.T
        offsets = -0.5 * (means.T * weights).sum(0)
        held_out = _without_itself(
            shrinkage, within, free, eye, counts=counts, means=means, images=images, labels=labels
        )
        yield Member(f"discriminant {shrinkage:g}", weights, offsets, held_out)


def _without_itself(
    shrinkage: float,
    within: Tensor,
    free: float,
    eye: Tensor,
    *,
    counts: Tensor,
    means: Tensor,
    images: Tensor,
    labels: Labels,
) -> Logits:
    """(n, K) of discriminants that are fitted without the image that they answer for."""
    rows, left = torch.arange(len(images)), max(free - 1, 1.0)
    others = (counts[labels] - 1).clamp_min(1)
    gap = images - means[labels]
    base = torch.linalg.inv((1 - shrinkage) * within / left + shrinkage * eye + TINY * eye)
    weight = (1 - shrinkage) * (counts[labels] / others) / left
    gap_base, mean_base = gap @ base, means @ base
    of_gap = (gap_base * gap).sum(1)
    gain = weight / (1 - weight * of_gap).clamp_min(LEAST)  # Sherman-Morrison
    gap_image = (gap_base * images).sum(1)
    gap_means = gap @ mean_base.T
    linear = images @ mean_base.T + (gain * gap_image)[:, None] * gap_means
    squares = (means * mean_base).sum(1) + gain[:, None] * gap_means.square()
    logits = linear - 0.5 * squares
    # its own class has another mean without it: m - (x - m) / (n - 1)
    part = 1 / others
    own_gap = gap_means[rows, labels]
    mean_image = linear[rows, labels] - part * (gap_image + gain * gap_image * of_gap)
    square = (
        squares[rows, labels]
        - 2 * part * (own_gap + gain * own_gap * of_gap)
        + part.square() * (of_gap + gain * of_gap.square())
    )
    logits[rows, labels] = mean_image - 0.5 * square
    return logits
