"""What a tuned prompt is asked to agree with."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipgrip.training.losses import LOSSES, Loss, cross_entropy, loss_named
from clipgrip.types import Logits, Probs

__all__ = [
    "LOSSES",
    "Loss",
    "Weights",
    "cross_entropy",
    "label_shift",
    "loss_named",
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


def label_shift(labels: Int[Tensor, " n"], targets: Probs) -> Float[Tensor, " C"]:
    """(C,) to add to the logits of labeled images: the log of their class shares over the pool's.

    ``labels`` (n,) are a person's, ``targets`` (N, C) the pseudolabels; each class counts half an image more. Labels
    are often given class by class; taken for the pool's shares, they would teach that all classes are equally frequent.
    Source: Ren et al., Balanced Meta-Softmax, NeurIPS 2020 (arXiv 2007.10740), equation 3; Menon et al., ICLR 2021
    (arXiv 2007.07314).
    """
    given = torch.bincount(labels, minlength=targets.shape[1]).to(targets.dtype) + 0.5
    pool = targets.sum(0) + 0.5
    return (given / given.sum()).log() - (pool / pool.sum()).log()


def mixed_loss(
    logits: Logits,
    targets: Tensor,
    labeled: Tensor,
    weights: Weights,
    pseudo: Loss = cross_entropy,
    shift: Tensor | None = None,
) -> Tensor:
    """γ · mean over labeled rows + λ · mean over pseudolabeled rows; a kind without rows adds nothing.

    ``targets`` (B, C) are distributions, ``labeled`` (B,) says which rows a person labeled: those are learned by
    cross-entropy of their logits plus ``shift`` (C,), the others by ``pseudo``, which may expect them to be wrong.
    """
    total = 0 * logits.sum()  # a batch without weight still has a gradient: zero
    shifted = logits if shift is None else logits + shift
    kinds = (
        (labeled, weights.labeled, shifted, cross_entropy),
        (~labeled, weights.pseudo, logits, pseudo),
    )
    for kind, weight, answers, loss in kinds:
        if weight and kind.any():
            total = total + weight * loss(answers[kind], targets[kind]).mean()
    return total
