"""Which of the classes the pool holds at all; judged by how much its answers resist equal class shares.

A zero-shot model prefers some classes to others, so unequal answers alone prove nothing. Each class is therefore given
one factor that moves its share half-way towards equality: unbalanced optimal transport (Chizat et al., Mathematics of
Computation 2018, arXiv 1607.05816), whose scaling steps carry the power φ = λ / (λ + ε). A preference gives way to
factors near one. Classes that are not there ask for large ones.
"""

from __future__ import annotations

import torch
from torch import Tensor

from clipgrip.types import Logits, Mask, Probs

SPREAD = 2.5
"""Standard deviation over classes to which logits are brought: what CLIP's scale gives on real sets with their texts."""
HALF = 0.5
"""φ: each factor goes half the way, so that sure answers hold and doubtful ones move."""
RESISTS = 0.75
"""Deviation of the logs of the factors: at most 0.7 where nine in ten classes are there, over 0.75 where half are not."""
LEAST = 0.2
"""A class with less than this part of a fair share is taken for absent, once absence is established."""
DOUBT = 0.1
"""What a class taken for absent keeps of its probability."""
ITERATIONS = 30
MOST_ROWS = 50_000
TINY = 1e-12


def standard_logits(probs: Probs) -> Logits:
    """(n, C) logits at one spread, whatever scale made the probabilities; of at most ``MOST_ROWS`` to 2 ``MOST_ROWS`` rows.

    Where no image differs from another there is no spread, and the logits stay as they are.
    """
    logits = probs[:: max(1, len(probs) // MOST_ROWS)].clamp_min(torch.finfo(torch.float32).tiny)
    logits = logits.float().log()
    if logits.shape[1] < 2 or len(logits) < 2:
        return logits
    spread = float((logits - logits.mean(0)).std(1).mean())
    return logits * (SPREAD / spread) if spread > 1e-3 else logits


def resistance(probs: Probs) -> float:
    """Deviation of the logs of the factors that bring the classes half-way to equal shares; 0 where they are equal."""
    logits = standard_logits(probs)
    classes = logits.shape[1]
    if classes < 2 or not len(logits):
        return 0.0
    factors = torch.zeros(classes)
    for _ in range(ITERATIONS):
        shares = (logits + factors).softmax(1).double().mean(0).clamp_min(TINY)
        factors = (HALF * (factors - shares.log().float())).float()
        factors = factors - factors.mean()
    return float(factors.std())


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
