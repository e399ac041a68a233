"""Losses that tolerate wrong pseudolabels. None is better than cross-entropy (docs/decisions/0012, 0013)."""

from __future__ import annotations

import torch
from torch import Tensor

from clipgrip.training.loss import Loss, cross_entropy
from clipgrip.types import Logits


def generalized_cross_entropy(logits: Logits, targets: Tensor, q: float = 0.7) -> Tensor:
    """``Σ t (1 - p^q) / q``: cross-entropy as q falls to 0, half of the absolute error at 1.

    Source: Zhang and Sabuncu, NeurIPS 2018 (arXiv 1805.07836), equation 6, and their q = 0.7.
    """
    return (targets * (1 - (q * logits.log_softmax(dim=1)).exp()) / q).sum(dim=1)


def mean_absolute_error(logits: Logits, targets: Tensor) -> Tensor:
    """``Σ |t - p|``, from 0 to 2, so that one wrong pseudolabel has a bounded effect.

    Source: Ghosh, Kumar, Sastry, AAAI 2017 (arXiv 1712.09482); for prompts Pan et al., NLPrompt, CVPR 2025.
    """
    return (targets - logits.softmax(dim=1)).abs().sum(dim=1)


def symmetric_cross_entropy(
    logits: Logits, targets: Tensor, alpha: float = 0.1, beta: float = 1.0, log_zero: float = -4.0
) -> Tensor:
    """``α · CE(t, p) + β · CE(p, t)``, where log 0 of a target is ``log_zero``.

    Source: Wang et al., ICCV 2019 (arXiv 1908.06112), equation 7, with α 0.1, β 1 and A = -4 as for CIFAR-10.
    """
    log_targets = targets.clamp_min(1e-30).log().clamp_min(log_zero)
    reverse = -(logits.softmax(dim=1) * log_targets).sum(dim=1)
    return alpha * cross_entropy(logits, targets) + beta * reverse


def bootstrapped(logits: Logits, targets: Tensor, trust: float = 0.95) -> Tensor:
    """``-Σ (β t + (1 - β) p) log p``, with β = ``trust``: the target is mixed with the prediction itself.

    Source: Reed et al., 2014 (arXiv 1412.6596), soft bootstrapping, equation 6, and their β = 0.95.
    """
    log_probs = logits.log_softmax(dim=1)
    return -((trust * targets + (1 - trust) * log_probs.exp()) * log_probs).sum(dim=1)


def partial_label(logits: Logits, targets: Tensor) -> Tensor:
    """``-log Σ p`` over the candidate classes, i.e. those whose target is not 0: one of them is right, unknown which.

    Cross-entropy if there is one candidate; 0 if all classes are candidates.
    Source: Jin and Ghahramani, NIPS 2002; the classifier-consistent loss of Feng et al., NeurIPS 2020
    (arXiv 2007.08929).
    """
    inside = logits.masked_fill(targets <= 0, -torch.inf)
    return logits.logsumexp(dim=1) - inside.logsumexp(dim=1)


LOSSES: dict[str, Loss] = {
    "generalized": generalized_cross_entropy,
    "absolute": mean_absolute_error,
    "symmetric": symmetric_cross_entropy,
    "bootstrapped": bootstrapped,
    "partial-label": partial_label,
}
"""By the name that `Recipe.loss` has once `selectors.offered` registered them."""
