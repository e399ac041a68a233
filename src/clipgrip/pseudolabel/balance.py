"""How often each class may be answered: balanced assignment with an entropic transport plan.

Sinkhorn's scaling (Cuturi, NeurIPS 2013) of the probabilities, as OTTER (NeurIPS 2024, arXiv 2404.08461) corrects the
label distribution of a zero-shot model: each class gets one factor so that the mean answer is the wanted prior.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from clipgrip.pseudolabel.blocks import spans
from clipgrip.types import Probs

ITERATIONS = 30
SURE = 0.9
ENOUGH = 30
"""Sure answers without which nothing contradicts, but nothing is borne out either."""
TINY = 1e-12
SETTLED = 1e-7
"""Factors of which none changes by more of itself make no answer another."""
BALANCE_BLOCK = 8192
Prior = Float[Tensor, "C"]


def sinkhorn(probs: Probs, prior: Prior, iterations: int = ITERATIONS) -> Probs:
    """Rows that sum to one and whose mean is ``prior``; a class that no image can be stays empty."""
    factors = torch.ones(probs.shape[1], dtype=torch.float64, device=probs.device)
    wanted = len(probs) * prior.double()
    for _ in range(iterations if len(probs) else 0):
        before, columns = factors, factors * _column_sums(probs, factors.to(probs.dtype))
        factors = factors * wanted / columns.clamp_min(TINY)
        factors = (factors / factors.mean()).clamp(TINY, 1 / TINY)
        if float((factors / before - 1).abs().max()) < SETTLED:
            break
    scaled = torch.empty_like(probs)
    for rows in spans(len(probs), BALANCE_BLOCK):
        part = torch.mul(probs[rows], factors.to(probs.dtype), out=scaled[rows])
        part /= part.sum(1, keepdim=True).clamp_min(TINY)
    return scaled


def _column_sums(probs: Probs, factors: Tensor) -> Tensor:
    """(C,) in float64: the sums of the probabilities over what the factors make of their row."""
    sums = torch.zeros(probs.shape[1], dtype=torch.float64)
    for rows in spans(len(probs), BALANCE_BLOCK):
        part = probs[rows]
        sums += part.T @ (part @ factors).clamp_min(TINY).reciprocal()
    return sums


def uniform(n_classes: int) -> Prior:
    """Each class as often as any other."""
    return torch.full((n_classes,), 1 / n_classes)


def sure_prior(probs: Probs, power: float = 2.0) -> Prior:
    """The classes' shares as far as the answers are sure.

    Each image gives its confidence, to a power, to its answer and the rest to all classes alike. Where answers are sure
    it is the model's own prior, where they are not it is uniform.
    """
    sums, doubt = torch.zeros(probs.shape[1], dtype=torch.float64), 0.0
    for rows in spans(len(probs), BALANCE_BLOCK):
        confidence = probs[rows].max(1).values ** power
        sums += confidence @ probs[rows]
        doubt += float((1 - confidence).sum())
    prior = ((sums + doubt / probs.shape[1]) / len(probs)).float()
    return prior / prior.sum()


def overruled(before: Probs, after: Probs) -> float:
    """Share of the sure answers (over 0.9) that another distribution would change; 1 where too few are sure to tell."""
    confidence, answers = before.max(1)
    sure = confidence > SURE
    if int(sure.sum()) < ENOUGH:
        return 1.0
    changed = sure & (after.argmax(1) != answers)
    return float(changed.sum()) / int(sure.sum())
