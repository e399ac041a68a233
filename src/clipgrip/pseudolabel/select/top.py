"""The rules of the presets: the top k of each class, and all images."""

from __future__ import annotations

import torch
from torch import Tensor

from clipgrip.pseudolabel.select.chosen import Chosen, at_temperature
from clipgrip.types import Labels, Probs


def balanced(probs: Probs, k: int, temperature: float = 1.0) -> Chosen:
    """Exactly ``k`` images per class while they last, the most confident (image, class) pairs first.

    The paper's top-K per class, but where several classes want an image confidence decides and not the order of files.
    It is the stable matching of images and classes (Gale and Shapley, 1962): each free image proposes to the most
    probable class that would still accept it, and each class keeps its ``k`` most confident proposals.
    """
    rows, classes = probs.shape
    labels = torch.full((rows,), -1)
    if k < 1:  # a class that accepts nobody would be proposed to for ever
        return Chosen(labels[:0], labels[:0], probs.new_zeros(0))
    weakest = torch.full((classes,), -1.0, dtype=probs.dtype)
    weakest_row = torch.full((classes,), rows)
    while True:
        free = (labels < 0).nonzero().squeeze(1)
        tied = (probs[free] == weakest) & (free[:, None] < weakest_row)
        offers = probs[free].masked_fill(~((probs[free] > weakest) | tied), -1.0)
        best, preferred = offers.max(dim=1)
        proposing = best >= 0
        if not proposing.any():
            break
        labels[free[proposing]] = preferred[proposing]
        _keep_surest(probs, labels, k, weakest, weakest_row)
    chosen = (labels >= 0).nonzero().squeeze(1)
    return Chosen(chosen, labels[chosen], probs[chosen, labels[chosen]])


def _keep_surest(
    probs: Probs, labels: Labels, k: int, weakest: Tensor, weakest_row: Tensor
) -> None:
    """Free all but the ``k`` most confident images of each class; a full class's weakest is what others must beat."""
    matched = (labels >= 0).nonzero().squeeze(1)
    confidence = probs[matched, labels[matched]]
    order = matched[confidence.argsort(descending=True, stable=True)]
    rank = rank_within(labels[order], probs.shape[1])
    last = order[rank == k - 1]
    weakest[labels[last]] = probs[last, labels[last]]
    weakest_row[labels[last]] = last
    labels[order[rank >= k]] = -1


def rank_within(labels: Labels, classes: int) -> Tensor:
    """(n,) how many earlier rows have the same label."""
    by_class = labels.argsort(stable=True)
    counts = torch.bincount(labels, minlength=classes)
    first = (counts.cumsum(0) - counts)[labels[by_class]]
    rank = torch.empty_like(labels)
    rank[by_class] = torch.arange(len(labels)) - first
    return rank


def everything(probs: Probs, k: int, temperature: float = 1.0) -> Chosen:
    """All rows, with their probabilities at ``temperature`` as soft targets. ``k`` only matters if it is 0: then none.

    Source: soft pseudolabels (Arazo et al., IJCNN 2020, arXiv 1908.02983).
    """
    calibrated = at_temperature(probs, temperature)
    confidence, labels = calibrated.max(dim=1)
    rows = slice(len(probs) if k > 0 else 0)
    return Chosen(torch.arange(rows.stop), labels[rows], confidence[rows], calibrated[rows])
