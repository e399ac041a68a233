"""Rules that take the surest images of each class."""

from __future__ import annotations

import torch
from torch import Tensor

from clipgrip.pseudolabel.select.chosen import ALONE, Chosen, Context
from clipgrip.types import Labels, Probs


def own_best_class(probs: Probs, k: int, context: Context = ALONE) -> Chosen:
    """The ``k`` most confident images of each class, each image for its own best class only.

    Pure, but a class that few images prefer stays short of ``k``.
    """
    confidence, _ = probs.max(dim=1)
    return surest(probs, k, confidence)


def margin(probs: Probs, k: int, context: Context = ALONE) -> Chosen:
    """The ``k`` images of each class whose answer leads the second best by most, each for its own best class.

    Source: margin sampling turned round (Scheffer, Decomain, Wrobel, IDA 2001). Unlike confidence, it does not trust
    an image between two classes more because the others are out of the question.
    """
    if probs.shape[1] < 2:
        return own_best_class(probs, k)
    first, second = probs.topk(2, dim=1).values.unbind(dim=1)
    return surest(probs, k, first - second)


def surest(probs: Probs, k: int, score: Tensor, trusted: Tensor | None = None) -> Chosen:
    """The ``k`` rows of each class with the highest ``score`` (N,), each row for its own best class.

    Only of the rows that ``trusted`` (N,) marks, where it is given.
    """
    confidence, labels = probs.max(dim=1)
    order = score.argsort(descending=True, stable=True)
    if trusted is not None:
        order = order[trusted[order]]
    rank = _rank_within(labels[order], probs.shape[1])
    return _sorted(order[rank < k], labels, confidence)


def balanced(probs: Probs, k: int, context: Context = ALONE) -> Chosen:
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
    taken = (labels >= 0).nonzero().squeeze(1)
    confidence = probs[taken, labels[taken]]
    order = taken[confidence.argsort(descending=True, stable=True)]
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
