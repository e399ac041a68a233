"""Class balance: one factor per class brings the classes' shares to a given prior, or half the way to equal shares.

``sinkhorn`` is Sinkhorn's scaling (Cuturi, NeurIPS 2013) of the probabilities, as OTTER (NeurIPS 2024, arXiv
2404.08461) corrects the label distribution of a zero-shot model. ``half_way`` is unbalanced optimal transport
(Chizat et al., Mathematics of Computation 2018, arXiv 1607.05816), whose scaling steps carry the power φ = λ / (λ + ε).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from clipgrip.mapped import like
from clipgrip.pseudolabel.refine.chunks import chunk_slices, computed, even_sample, put
from clipgrip.pseudolabel.refine.settings import DEFAULT, Refinement
from clipgrip.types import Logits, Probs

TINY = 1e-12
BALANCE_CHUNK = 8192
HALF = 0.5
"""φ of unbalanced optimal transport: each factor goes half the way, so confident answers stay and doubtful ones move.
Not in `Refinement`, because resistance is measured with it: another φ would be another unit."""
Prior = Float[Tensor, " C"]


def sinkhorn(probs: Probs, prior: Prior, settings: Refinement = DEFAULT) -> Probs:
    """(N, C) rows that sum to one and whose mean is ``prior`` (C,); a class without any probability stays empty."""
    factors = torch.ones(probs.shape[1], dtype=torch.float64)
    targets = len(probs) * prior.double()
    for _ in range(settings.numerics.balance_iterations if len(probs) else 0):
        before, columns = factors, factors * _column_sums(probs, factors.float())
        factors = factors * targets / columns.clamp_min(TINY)
        factors = (factors / factors.mean()).clamp(TINY, 1 / TINY)
        if float((factors / before - 1).abs().max()) < settings.numerics.balance_tolerance:
            break
    scaled = like(probs)

    def scale(rows: slice) -> None:
        part = probs[rows].float() * factors.float()
        scaled[rows] = part / part.sum(1, keepdim=True).clamp_min(TINY)

    put(scale, chunk_slices(len(probs), BALANCE_CHUNK), over=(probs, scaled))
    return scaled


def _column_sums(probs: Probs, factors: Tensor) -> Tensor:
    """(C,) in float64: Σ_i p_ic / Σ_k p_ik f_k, which times the factor f_c is the class's mass in normalised rows."""

    def column_sums(rows: slice) -> Tensor:
        part = probs[rows].float()
        return part.T @ (part @ factors).clamp_min(TINY).reciprocal()

    sums = torch.zeros(probs.shape[1], dtype=torch.float64)
    for some in computed(column_sums, chunk_slices(len(probs), BALANCE_CHUNK), over=(probs,)):
        sums += some
    return sums


def half_way(probs: Probs, settings: Refinement = DEFAULT) -> Probs:
    """(N, C) brought half the way to equal shares; as they are where there are too few images to tell the shares."""
    sample = logits_of(even_sample(probs, settings.numerics.decision_sample))
    factors = half_way_factors(sample, settings)
    if factors is None:
        return probs
    moved = like(probs)

    def move(rows: slice) -> None:
        moved[rows] = (logits_of(probs[rows]) + factors).softmax(1)

    put(move, chunk_slices(len(probs)), over=(probs, moved))
    return moved


def half_way_factors(logits: Logits, settings: Refinement) -> Tensor | None:
    """(C,) the log factors, of mean 0, that bring the classes half the way to equal shares; None for few images.

    The fixed point of log f_c ← φ (log f_c - log share_c), with φ = `HALF` and the shares those under the factors.
    """
    classes = logits.shape[1]
    if classes < 2 or len(logits) < settings.numerics.min_images_for_shares:
        return None
    factors = torch.zeros(classes)
    for _ in range(settings.numerics.half_balance_iterations):
        shares = _shares(logits, factors).clamp_min(TINY)
        factors = (HALF * (factors - shares.log().float())).float()
        factors = factors - factors.mean()
    return factors


def logits_of(probs: Probs) -> Logits:
    """The log of the probabilities, which softmax turns back into them; finite everywhere."""
    return probs.float().clamp_min(torch.finfo(torch.float32).tiny).log()


def _shares(logits: Logits, factors: Tensor) -> Tensor:
    """(C,) in float64: the mean answer after the log ``factors`` are added to the logits."""

    def answers(rows: slice) -> Tensor:
        return (logits[rows] + factors).softmax(1).sum(0)

    sums = torch.zeros(logits.shape[1], dtype=torch.float64)
    for some in computed(answers, chunk_slices(len(logits))):
        sums += some
    return sums / len(logits)


def uniform(n_classes: int) -> Prior:
    """Each class as often as any other."""
    return torch.full((n_classes,), 1 / n_classes)


def sure_prior(probs: Probs) -> Prior:
    """(C,) the mean answer, mixed with equal shares as far as the answers are not confident.

    Each image adds confidence² · its probabilities + (1 - confidence²) / C. So confident answers give the model's own
    prior, and flat ones the uniform prior.
    """

    def sure_and_not(rows: slice) -> tuple[Tensor, float]:
        answers = probs[rows].float()
        confidence = answers.max(1).values.square()
        return confidence @ answers, float((1 - confidence).sum())

    sums, doubt = torch.zeros(probs.shape[1], dtype=torch.float64), 0.0
    parts = chunk_slices(len(probs), BALANCE_CHUNK)
    for sure, not_sure in computed(sure_and_not, parts, over=(probs,)):
        sums += sure
        doubt += not_sure
    prior = ((sums + doubt / probs.shape[1]) / len(probs)).float()
    return prior / prior.sum()
