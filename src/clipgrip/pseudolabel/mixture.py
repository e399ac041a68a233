"""Classes as Gaussian clusters of the images themselves, held by what the text says.

``mixture`` follows TransCLIP (Zanella, Gérin, Ben Ayed, NeurIPS 2024, arXiv 2406.01837): one diagonal covariance for
all classes, neighbours that pull together, a prior from the text; blocks of closed-form updates. ``discriminant``
follows Gaussian discriminant analysis with one shrunk full covariance (Wang et al., ICLR 2024, arXiv 2402.04087), in
rounds of expectation and maximisation. Images are read in blocks; nothing is N x N.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from clipgrip.pseudolabel.neighbours import Graph
from clipgrip.types import ImageEmbeds, Logits, Probs

BLOCK = 16_384
TINY = 1e-12
MIXTURE_TEMPERATURE = 50.0
DISCRIMINANT_TEMPERATURE = 4.0
"""Densities over hundreds of correlated dimensions are far too sure; they are divided by this first."""


@dataclass(frozen=True)
class Pool:
    """Images (N, D), what the text says of them (N, C), and the rows that a person labeled."""

    images: ImageEmbeds = field(repr=False)
    prior: Probs = field(repr=False)
    """One-hot for labeled rows."""
    fixed: Float[Tensor, N]
    """True where a person labeled."""
    text_weight: float = 1.0
    """λ: how much the prior counts against the images."""

    def blocks(self) -> Iterator[tuple[slice, Tensor]]:
        """(rows, images in float32)."""
        for start in range(0, len(self.images), BLOCK):
            rows = slice(start, start + BLOCK)
            yield rows, self.images[rows].float()

    def text(self, rows: slice) -> Tensor:
        """λ log prior."""
        return self.text_weight * self.prior[rows].clamp_min(TINY).log()

    def weights(self, of_label: float) -> Tensor:
        """(N,) one per image, ``of_label`` per labeled one."""
        return torch.where(self.fixed, of_label, 1.0)

    def keep_labels(self, probs: Probs) -> Probs:
        """Labeled rows stay what they are."""
        return torch.where(self.fixed[:, None], self.prior, probs)


def mixture(
    pool: Pool,
    graph: Graph,
    *,
    outer: int = 10,
    inner: int = 5,
    surest: int = 8,
    label: float = 1.0,
) -> Probs:
    """(N, C) of the mixture; ``label`` is the weight of a labeled image against another one."""
    weights, probs = pool.weights(label), pool.prior
    means = _means_of_surest(pool, weights, surest)
    variance = torch.full((pool.images.shape[1],), 1 / pool.images.shape[1])
    for _ in range(outer):
        density = _diagonal_density(pool, means, variance)
        for _ in range(inner):
            spread = graph.spread(probs)
            parts = [
                (density[rows] + spread[rows] + pool.text(rows)).softmax(1)
                for rows, _ in pool.blocks()
            ]
            probs = pool.keep_labels(torch.cat(parts))
        means, variance = _moments(pool, probs * weights[:, None], means)
    return probs


def _means_of_surest(pool: Pool, weights: Tensor, surest: int) -> Tensor:
    """(C, D) of the surest images of each class, each by its probability."""
    weighted = pool.prior * weights[:, None]
    values, rows = weighted.topk(min(surest, len(weighted)), dim=0)
    picked = pool.images[rows.T.reshape(-1)].float().view(*rows.T.shape, -1)
    return F.normalize(torch.einsum("ct,ctd->cd", values.T, picked), dim=1)


def _diagonal_density(pool: Pool, means: Tensor, variance: Tensor) -> Tensor:
    """(N, C) log-density, apart from what all classes share, over the temperature."""
    inverse = variance.reciprocal()
    constant = 0.5 * (means.square() @ inverse)
    parts = [images @ (means * inverse).T - constant for _, images in pool.blocks()]
    return torch.cat(parts) / MIXTURE_TEMPERATURE


def _moments(pool: Pool, mass: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
    """Unit means (C, D), and the variance (D,) around them; a class without images keeps its mean."""
    sums, squares = torch.zeros_like(before), torch.zeros_like(before[0])
    for rows, images in pool.blocks():
        sums += mass[rows].T @ images
        squares += mass[rows].sum(1) @ images.square()
    means = F.normalize(sums + 1e-6 * before, dim=1)
    totals = mass.sum(0)
    spread = squares - 2 * (sums * means).sum(0) + totals @ means.square()
    return means, (spread / totals.sum()).clamp_min(1e-6)


def discriminant(
    pool: Pool, probs: Probs, *, steps: int = 5, shrinkage: float = 0.4, label: float = 2.0
) -> Logits:
    """(N, C) by linear discriminants that are fitted to ``probs``, answer, and are fitted to their answers."""
    weights, logits = pool.weights(label), probs
    for _ in range(steps):
        directions, offsets = _discriminants(pool, probs * weights[:, None], shrinkage)
        parts = [
            (images @ directions + offsets) / DISCRIMINANT_TEMPERATURE + pool.text(rows)
            for rows, images in pool.blocks()
        ]
        logits = torch.cat(parts)
        probs = pool.keep_labels(logits.softmax(1))
    return logits


def tempered(logits: Logits, confidence: float) -> Probs:
    """Softmax at the temperature, at least 1, at which the mean of the highest probability is ``confidence``."""
    low, high = 0.0, 10.0
    for _ in range(30):
        middle = (low + high) / 2
        sure = float((logits / 2**middle).softmax(1).max(1).values.mean()) if len(logits) else 1.0
        low, high = (middle, high) if sure > confidence else (low, middle)
    return (logits / 2**low).softmax(1)


def _discriminants(pool: Pool, mass: Tensor, shrinkage: float) -> tuple[Tensor, Tensor]:
    """(D, C) directions and (C,) offsets from one covariance, shrunk towards a multiple of the identity."""
    width = pool.images.shape[1]
    sums = torch.zeros(mass.shape[1], width, dtype=torch.float64)
    second = torch.zeros(width, width, dtype=torch.float64)
    for rows, images in pool.blocks():
        sums += (mass[rows].T @ images).double()
        second += ((images * mass[rows].sum(1, keepdim=True)).T @ images).double()
    totals = mass.double().sum(0)
    means = sums / totals.clamp_min(1e-6)[:, None]
    within = (second - (means * totals[:, None]).T @ means) / totals.sum()
    scale = within.diagonal().mean().clamp_min(1e-9)
    shrunk = (1 - shrinkage) * within + shrinkage * scale * torch.eye(width, dtype=torch.float64)
    directions = torch.linalg.solve(shrunk, means.T)
    offsets = -0.5 * (means.T * directions).sum(0)
    return directions.float(), offsets.float()
