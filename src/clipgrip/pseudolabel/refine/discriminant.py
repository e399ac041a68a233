"""Linear discriminants of the classes, fitted by expectation maximisation from given answers.

Gaussian discriminant analysis with one full covariance, shrunk (Wang et al., ICLR 2024, arXiv 2402.04087). Images are
read once per step: each block is answered and added to the moments of the next fit at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from clipgrip.mapped import LOGITS, like, logits_like
from clipgrip.pseudolabel.refine.chunks import chunk_slices, computed, even_sample, put
from clipgrip.pseudolabel.refine.settings import DEFAULT, Refinement
from clipgrip.pseudolabel.refine.space import Pool, Scatter
from clipgrip.types import Logits, Probs

Moments = tuple[Float[Tensor, "C D"], Float[Tensor, " C"]]
"""Each class's weighted sum of images, and its sum of weights."""
SomeLogits = Float[Tensor, "n C"]


def discriminant(pool: Pool, probs: Probs, text: Logits) -> Logits:
    """(N, C) logits of the last fit, plus ``text``.

    The first fit is to ``probs`` (N, C), each later one to the softmax of the discriminants before plus ``text``, the
    text's log-probabilities (N, C).
    """
    settings, weight = pool.settings, pool.settings.label_weight
    weights, scatter = pool.weights(weight), pool.scatter(weight)

    def count(probs: Probs, rows: slice, images: Tensor) -> Moments:
        mass = probs * weights[rows, None]
        return mass.T @ images, mass.sum(0)

    def given(rows: slice) -> Moments:
        return count(probs[rows].float(), rows, pool.read(rows))

    def answered(rows: slice) -> Moments:
        images = pool.read(rows)
        found = torch.addmm(offsets, images, directions).add_(text[rows])
        return count(pool.keep_labels(found.softmax(1), rows), rows, images)

    def last(rows: slice) -> None:
        found = torch.addmm(offsets, pool.read(rows), directions).add_(text[rows])
        put_logits(logits, rows, found)

    def parts() -> Iterator[slice]:
        return chunk_slices(len(probs))

    moments = _summed(computed(given, parts(), over=(probs, pool.images)))
    for _ in range(settings.numerics.discriminant_steps - 1):
        directions, offsets = discriminants(moments, scatter, settings)
        moments = _summed(computed(answered, parts(), over=(pool.images, text)))
    directions, offsets = discriminants(moments, scatter, settings)
    logits = logits_like(probs)
    put(last, parts(), over=(logits, pool.images, text))
    return logits


def tempered(logits: Logits, confidence: float, settings: Refinement = DEFAULT) -> Probs:
    """Softmax at the temperature in [1, 2^10] at which the mean confidence is ``confidence``; 1 if it is below already.

    Found by bisection; on an even sample of a large pool.
    """
    sample, low, high = even_sample(logits, settings.numerics.decision_sample).float(), 0.0, 10.0
    below = sample - sample.max(1, keepdim=True).values if len(sample) else sample
    for _ in range(30):
        middle = (low + high) / 2
        sure = _mean_highest(below, 2**middle) if len(below) else 1.0
        low, high = (middle, high) if sure > confidence else (low, middle)
    answers = like(logits)

    def answer(rows: slice) -> None:
        answers[rows] = (logits[rows].float() / 2**low).softmax(1)

    put(answer, chunk_slices(len(logits)), over=(logits, answers))
    return answers


def put_logits(logits: Logits, rows: slice, values: SomeLogits) -> None:
    """Write a block of logits. Half precision has three digits only, so there the row's highest is subtracted first."""
    if logits.dtype == LOGITS:
        values = values - values.max(1, keepdim=True).values
    logits[rows] = values


def _mean_highest(below: Logits, temperature: float) -> float:
    """Mean confidence at a temperature; ``below`` are logits minus their row's highest."""

    def highest(rows: slice) -> Tensor:
        return (below[rows] / temperature).exp().sum(1).reciprocal()

    return float(torch.cat(list(computed(highest, chunk_slices(len(below))))).mean())


def _summed(blocks: Iterable[Moments]) -> Moments:
    """The moments of all blocks, in float64."""
    sums, totals = torch.zeros(1).double(), torch.zeros(1).double()
    for some, weights in blocks:
        sums, totals = sums + some, totals + weights
    return sums, totals


def discriminants(
    moments: Moments, scatter: Scatter, settings: Refinement
) -> tuple[Tensor, Tensor]:
    """Weights (D, C) Σ⁻¹μ and offsets (C,) -½ μᵀΣ⁻¹μ, over the temperature; Σ is the pooled covariance, shrunk."""
    sums, totals = moments
    means = sums / totals.clamp_min(1e-6)[:, None]
    within = (scatter - (means * totals[:, None]).T @ means) / totals.sum()
    scale = within.diagonal().mean().clamp_min(1e-9)
    shrinkage, temperature = settings.shrinkage, settings.discriminant_temperature
    shrunk = (1 - shrinkage) * within + shrinkage * scale * torch.eye(len(scatter)).double()
    directions = torch.linalg.solve(shrunk, means.T)
    offsets = -0.5 * (means.T * directions).sum(0)
    return (directions / temperature).float(), (offsets / temperature).float()
