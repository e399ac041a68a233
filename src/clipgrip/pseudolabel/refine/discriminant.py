"""Linear discriminants of the classes, fitted to answers and to their own answers in turn.

Gaussian discriminant analysis with one shrunk full covariance (Wang et al., ICLR 2024, arXiv 2402.04087), in rounds of
expectation and maximisation. Images are read once a round: a block answers and counts for the next fit at once.
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
"""Weighted sums of images and weights, a class each."""
SomeLogits = Float[Tensor, "n C"]


def discriminant(pool: Pool, probs: Probs, text: Logits) -> Logits:
    """(N, C) by discriminants that are fitted to ``probs``, answer with ``text`` added, and are fitted to that."""
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
    """Softmax at the temperature, at least 1, at which the mean of the highest probability is ``confidence``.

    Of many images an even sample says which temperature that is.
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
    """Write a block; in half precision less the row's highest, as that keeps three digits near 0 alone."""
    if logits.dtype == LOGITS:
        values = values - values.max(1, keepdim=True).values
    logits[rows] = values


def _mean_highest(below: Logits, temperature: float) -> float:
    """Mean of the highest probability; ``below`` are logits less their row's highest."""

    def highest(rows: slice) -> Tensor:
        return (below[rows] / temperature).exp().sum(1).reciprocal()

    return float(torch.cat(list(computed(highest, chunk_slices(len(below))))).mean())


def _summed(blocks: Iterable[Moments]) -> Moments:
    """Those of all blocks, in float64."""
    sums, totals = torch.zeros(1).double(), torch.zeros(1).double()
    for some, weights in blocks:
        sums, totals = sums + some, totals + weights
    return sums, totals


def discriminants(
    moments: Moments, scatter: Scatter, settings: Refinement
) -> tuple[Tensor, Tensor]:
    """(D, C) directions and (C,) offsets from one covariance, shrunk towards a multiple of the identity."""
    sums, totals = moments
    means = sums / totals.clamp_min(1e-6)[:, None]
    within = (scatter - (means * totals[:, None]).T @ means) / totals.sum()
    scale = within.diagonal().mean().clamp_min(1e-9)
    shrinkage, temperature = settings.shrinkage, settings.discriminant_temperature
    shrunk = (1 - shrinkage) * within + shrinkage * scale * torch.eye(len(scatter)).double()
    directions = torch.linalg.solve(shrunk, means.T)
    offsets = -0.5 * (means.T * directions).sum(0)
    return (directions / temperature).float(), (offsets / temperature).float()
