"""The loss of pseudolabels, and the weights of labels and pseudolabels in the batch's loss.

A loss takes logits (B, C) and targets (B, C), which are distributions, and returns (B,) values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from clipgrip.errors import ConfigError, among
from clipgrip.types import Logits, Probs

Loss = Callable[[Logits, Tensor], Tensor]
"""(B, C) logits, (B, C) targets -> (B,)."""


def cross_entropy(logits: Logits, targets: Tensor) -> Tensor:
    """``-Σ t log p``."""
    return F.cross_entropy(logits, targets, reduction="none")


LOSSES: dict[str, Loss] = {"cross-entropy": cross_entropy}
"""By the name in `Recipe.loss`. benchmarks/research adds others, none of which is better (docs/decisions/0012)."""


def loss_named(name: str) -> Loss:
    """The loss of that name; ConfigError names the known ones."""
    if name not in LOSSES:
        raise ConfigError(
            'no loss "{name}". Known: {known}.{nearest}', name=name, **among(name, LOSSES)
        )
    return LOSSES[name]


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
    """``labeled_share`` on the labels and the rest on the pseudolabels; all on one kind if there is no other."""
    if n_labeled == 0:
        return Weights(0.0, 1.0)
    if n_pseudo == 0:
        return Weights(1.0, 0.0)
    return Weights(labeled_share, 1 - labeled_share)


def label_shift(labels: Int[Tensor, " n"], targets: Probs) -> Float[Tensor, " C"]:
    """(C,) log(class shares of the labels / class shares of the pool), to be added to the logits of labeled images.

    People often label equally many images of each class. Without the shift, training on these would teach the prompt
    that the classes are equally frequent in the pool, too. ``labels`` (n,) are people's, ``targets`` (N, C) the
    pseudolabels; half an image is added to each class.
    Source: Ren et al., Balanced Meta-Softmax, NeurIPS 2020 (arXiv 2007.10740), equation 3; Menon et al., logit
    adjustment, ICLR 2021 (arXiv 2007.07314).
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

    ``targets`` (B, C) are distributions. Rows that a person ``labeled`` (B,) have cross-entropy of their logits plus
    ``shift`` (C,), the others the loss ``pseudo``.
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
