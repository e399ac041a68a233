"""Which of the classes the pool holds at all; judged by how much its answers resist equal class shares.

A zero-shot model prefers some classes to others, so unequal answers alone prove nothing. Each class is therefore given
one factor that moves its share half-way towards equality: unbalanced optimal transport (Chizat et al., Mathematics of
Computation 2018, arXiv 1607.05816), whose scaling steps carry the power φ = λ / (λ + ε). A preference gives way to
factors near one. Classes that are not there ask for large ones.
"""

from __future__ import annotations

import torch
from torch import Tensor

from clipgrip.pseudolabel.blocks import even_sample, spans
from clipgrip.types import Logits, Mask, Probs

SPREAD = 2.5
"""Standard deviation over classes to which logits are brought: CLIP's own on real sets with their texts."""
FITS = 3.0
"""Real sets with their texts lie within a factor of two of it; a scale that leaves three is not CLIP's."""
HALF = 0.5
"""φ: each factor goes half the way, so that sure answers hold and doubtful ones move."""
RESISTS = 0.7
"""Deviation of the logs of the factors: of many classes under it where all are there, over it where a third are."""
CERTAIN = 1.5
"""The same where even a model that knows little of its classes cannot be the reason."""
FAR = 1.8
"""Log of the factor of a class that dominates the pool, or is not in it."""
ENOUGH = 50
"""Images without which the shares of classes are chance."""
LEAST = 0.2
"""A class with less than this part of a fair share is taken for absent, once absence is established."""
DOUBT = 0.4
"""What a class taken for absent keeps of its probability."""
ITERATIONS = 30
TINY = 1e-12


def standard_logits(probs: Probs) -> Logits:
    """(n, C) logits at one spread, whatever scale made the probabilities.

    Of many images an even sample answers. Where no image differs from another there is no spread, and the logits stay
    as they are.
    """
    logits = _logits(even_sample(probs))
    return logits * (SPREAD / (_spread(logits) or SPREAD))


def at_fitting_scale(probs: Probs) -> Probs:
    """(N, C) at the standard spread, where a wrong scale left them over ``FITS`` times too sure or too doubtful."""
    spread = _spread(_logits(even_sample(probs)))
    if not spread or 1 / FITS <= spread / SPREAD <= FITS:
        return probs
    return (_logits(probs) * (SPREAD / spread)).softmax(1)


def confidence(probs: Probs) -> float:
    """Mean of the highest probability at the standard spread: near 0.9 where texts fit, 0.6 where they do not."""
    logits = standard_logits(probs)
    return float(logits.softmax(1).max(1).values.mean()) if logits.numel() else 0.0


def _logits(probs: Probs) -> Logits:
    return probs.float().clamp_min(torch.finfo(torch.float32).tiny).log()


def _spread(logits: Logits) -> float:
    """Deviation over the classes, apart from what all images share; 0 where there is none to speak of."""
    if logits.shape[1] < 2 or len(logits) < 2:
        return 0.0
    spread = float((logits - logits.mean(0)).std(1).mean())
    return spread if spread > 1e-3 else 0.0


def resistance(probs: Probs) -> float:
    """Deviation of the logs of the factors that bring the classes half-way to equal shares; 0 for few images."""
    factors = _half_way(standard_logits(probs))
    return 0.0 if factors is None else float(factors.std())


def even(probs: Probs, deviation: float) -> bool:
    """Whether the factors' logs deviate by at most so much and none is ``FAR`` off; False for too few images."""
    factors = _half_way(standard_logits(probs))
    if factors is None:
        return False
    return float(factors.std()) <= deviation and float(factors.abs().max()) <= FAR


def half_way(probs: Probs) -> Probs:
    """(N, C) with the factors that bring these very answers half-way to equal shares; too few stay as they are."""
    factors = _half_way(_logits(even_sample(probs)))
    if factors is None:
        return probs
    moved = torch.empty_like(probs)
    for rows in spans(len(probs)):
        moved[rows] = (_logits(probs[rows]) + factors).softmax(1)
    return moved


def _half_way(logits: Logits) -> Tensor | None:
    """(C,) logs of the factors, of mean 0; None for too few images."""
    classes = logits.shape[1]
    if classes < 2 or len(logits) < ENOUGH:
        return None
    factors = torch.zeros(classes)
    for _ in range(ITERATIONS):
        shares = _shares(logits, factors).clamp_min(TINY)
        factors = (HALF * (factors - shares.log().float())).float()
        factors = factors - factors.mean()
    return factors


def _shares(logits: Logits, factors: Tensor) -> Tensor:
    """(C,) mean answer with the factors' logs added, in float64."""
    sums = torch.zeros(logits.shape[1], dtype=torch.float64)
    for rows in spans(len(logits)):
        sums += (logits[rows] + factors).softmax(1).sum(0)
    return sums / len(logits)


def present(probs: Probs) -> Mask:
    """Classes (C,) that hold ``LEAST`` of a fair share of the answers, the fair share among those that are left.

    As many equal classes as have the entropy of the shares count as there (perplexity); repeated until none leaves.
    """
    logits = standard_logits(probs)
    kept = torch.ones(logits.shape[1], dtype=torch.bool)
    while True:
        shares = logits[:, kept].softmax(1).double().mean(0)
        effective = torch.special.entr(shares).sum().exp()
        enough = shares * effective >= LEAST
        if enough.all():
            return kept
        kept[kept.nonzero().squeeze(1)[~enough]] = False


def doubted(probs: Probs, kept: Mask) -> Probs:
    """The classes that are not ``kept`` lose most of their probability; rows still sum to one."""
    weighted = probs * torch.where(kept, 1.0, DOUBT).to(probs.dtype)
    return weighted / weighted.sum(1, keepdim=True)
