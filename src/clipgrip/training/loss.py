"""What a tuned prompt is asked to agree with."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from clipgrip.training.losses import LOSSES, Loss, cross_entropy, loss_named
from clipgrip.types import Logits

__all__ = [
    "LOSSES",
    "Loss",
    "Weights",
    "cross_entropy",
    "loss_named",
    "mixed_cross_entropy",
    "mixed_loss",
    "mixing_weights",
    "paper_weights",
]


class Weights(NamedTuple):
    """Factors on the two batch means: ``labeled`` (γ in the paper) and ``pseudo`` (λ)."""

    labeled: float
    pseudo: float


def paper_weights(n_labeled: int, n_pseudo: int, *, all_candidates: bool) -> Weights:
    """The paper's γ and λ: SSL n_pl/n_lab and 1; TRZSL 1 and n_lab/n_pl; UL 0 and 1."""
    if n_labeled == 0:
        return Weights(0.0, 1.0)
    if n_pseudo == 0:
        return Weights(1.0, 0.0)
    if all_candidates:
        return Weights(n_pseudo / n_labeled, 1.0)
    return Weights(1.0, n_labeled / n_pseudo)


def mixing_weights(n_labeled: int, n_pseudo: int, *, labeled_share: float) -> Weights:
    """One explicit mix: ``labeled_share`` on the labels, the rest on the pseudolabels; all on what there is."""
    if n_labeled == 0:
        return Weights(0.0, 1.0)
    if n_pseudo == 0:
        return Weights(1.0, 0.0)
    return Weights(labeled_share, 1 - labeled_share)


def mixed_cross_entropy(
    logits: Logits, targets: Tensor, labeled: Tensor, weights: Weights
) -> Tensor:
    """`mixed_loss` with cross-entropy for both kinds of rows."""
    return mixed_loss(logits, targets, labeled, weights, cross_entropy)


def mixed_loss(
    logits: Logits, targets: Tensor, labeled: Tensor, weights: Weights, pseudo: Loss
) -> Tensor:
    """γ · mean over labeled rows + λ · mean over pseudolabeled rows; a kind without rows adds nothing.

    ``targets`` (B, C) are distributions, ``labeled`` (B,) says which rows a person labeled: those are learned by
    cross-entropy, the others by ``pseudo``, which may expect them to be wrong.
    """
    total = 0 * logits.sum()  # a batch without weight still has a gradient: zero
    kinds = (labeled, weights.labeled, cross_entropy), (~labeled, weights.pseudo, pseudo)
    for kind, weight, loss in kinds:
        if weight and kind.any():
            total = total + weight * loss(logits[kind], targets[kind]).mean()
    return total
