"""Which images are trusted, for which class. Each image gets at most one pseudolabel.

Rows come in manifest order, which is the order of content hashes, and ties go to the lower row, so the order of files
cannot change a choice. ``k`` is the most pseudolabels that a class may get.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from clipgrip.types import Labels, Probs


class Chosen(NamedTuple):
    """Positions (n,) among the given rows, ascending, with class (n,) and confidence (n,)."""

    rows: Tensor
    labels: Labels
    confidence: Tensor


Selector = Callable[[Probs, int], Chosen]


def own_best_class(probs: Probs, k: int) -> Chosen:
    """The ``k`` most confident images of each class, each image for its own best class only.

    Pure, but a class that few images prefer stays short of ``k``.
    """
    confidence, labels = probs.max(dim=1)
    order = confidence.argsort(descending=True, stable=True)
    rank = _rank_within(labels[order], probs.shape[1])
    return _sorted(order[rank < k], labels, confidence)


def balanced(probs: Probs, k: int) -> Chosen:
    """Exactly ``k`` images per class while they last: the surest (image, class) pairs first.

    The paper's top-K per class with its conflicts settled by confidence instead of by the order of files. Found as the
    stable matching of images and classes (Gale and Shapley, 1962): each free image asks the best class
    that would still take it, each class keeps its ``k`` surest askers.
    """
    rows, classes = probs.shape
    labels = torch.full((rows,), -1)
    if k < 1:  # a class that keeps nobody would be asked for ever
        return _sorted(torch.arange(0), labels, probs.new_zeros(rows))
    weakest = torch.full((classes,), -1.0, dtype=probs.dtype)
    weakest_row = torch.full((classes,), rows)
    while True:
        free = (labels < 0).nonzero().squeeze(1)
        tied = (probs[free] == weakest) & (free[:, None] < weakest_row)
        offers = probs[free].masked_fill(~((probs[free] > weakest) | tied), -1.0)
        best, wanted = offers.max(dim=1)
        asking = best >= 0
        if not asking.any():
            break
        labels[free[asking]] = wanted[asking]
        _keep_surest(probs, labels, k, weakest, weakest_row)
    chosen = (labels >= 0).nonzero().squeeze(1)
    return Chosen(chosen, labels[chosen], probs[chosen, labels[chosen]])


def _keep_surest(
    probs: Probs, labels: Labels, k: int, weakest: Tensor, weakest_row: Tensor
) -> None:
    """Free all but the ``k`` surest images of each class, and note what a full class now asks for."""
    held = (labels >= 0).nonzero().squeeze(1)
    confidence = probs[held, labels[held]]
    order = held[confidence.argsort(descending=True, stable=True)]
    rank = _rank_within(labels[order], probs.shape[1])
    last = order[rank == k - 1]
    weakest[labels[last]] = probs[last, labels[last]]
    weakest_row[labels[last]] = last
    labels[order[rank >= k]] = -1


def _rank_within(labels: Labels, classes: int) -> Tensor:
    """How many earlier rows have the same label."""
    by_class = labels.argsort(stable=True)
    counts = torch.bincount(labels, minlength=classes)
    first = (counts.cumsum(0) - counts)[labels[by_class]]
    rank = torch.empty_like(labels)
    rank[by_class] = torch.arange(len(labels)) - first
    return rank


def _sorted(rows: Tensor, labels: Labels, confidence: Tensor) -> Chosen:
    rows = rows.sort().values
    return Chosen(rows, labels[rows], confidence[rows])


SELECTORS: dict[str, Selector] = {"own-best-class": own_best_class, "balanced": balanced}
