"""Rules that read the probabilities alone: top k of each class, thresholds, all images, candidate sets."""

from __future__ import annotations

import torch
from torch import Tensor

from clipgrip.pseudolabel.select.chosen import NO_CONTEXT, Chosen, Context, at_temperature
from clipgrip.types import Labels, Probs

FIXMATCH = 0.95
"""The confidence from which `threshold` chooses an image."""


def own_best_class(probs: Probs, k: int, context: Context = NO_CONTEXT) -> Chosen:
    """The ``k`` most confident images of each class, each image for its most probable class only.

    The pseudolabels are pure, but a class that is the answer for few images stays short of ``k``.
    """
    confidence, _ = probs.max(dim=1)
    return surest(probs, k, confidence)


def margin(probs: Probs, k: int, context: Context = NO_CONTEXT) -> Chosen:
    """The ``k`` images of each class with the largest margin between their two most probable classes.

    Source: margin sampling (Scheffer, Decomain, Wrobel, IDA 2001), the other way round. Unlike the confidence, the
    margin stays small for an image between two classes however improbable all others are.
    """
    if probs.shape[1] < 2:
        return own_best_class(probs, k)
    first, second = probs.topk(2, dim=1).values.unbind(dim=1)
    return surest(probs, k, first - second)


def surest(probs: Probs, k: int, score: Tensor, trusted: Tensor | None = None) -> Chosen:
    """The ``k`` rows of each class with the highest ``score`` (N,), each row for its most probable class.

    Only rows that ``trusted`` (N,) marks, where it is given.
    """
    confidence, labels = probs.max(dim=1)
    order = score.argsort(descending=True, stable=True)
    if trusted is not None:
        order = order[trusted[order]]
    rank = _rank_within(labels[order], probs.shape[1])
    return _sorted(order[rank < k], labels, confidence)


def balanced(probs: Probs, k: int, context: Context = NO_CONTEXT) -> Chosen:
    """Exactly ``k`` images per class while they last, the most confident (image, class) pairs first.

    The paper's top-K per class, but where several classes want an image confidence decides and not the order of files.
    It is the stable matching of images and classes (Gale and Shapley, 1962): each free image proposes to the most
    probable class that would still accept it, and each class keeps its ``k`` most confident proposals.
    """
    rows, classes = probs.shape
    labels = torch.full((rows,), -1)
    if k < 1:  # a class that accepts nobody would be proposed to for ever
        return _sorted(torch.arange(0), labels, probs.new_zeros(rows))
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
    rank = _rank_within(labels[order], probs.shape[1])
    last = order[rank == k - 1]
    weakest[labels[last]] = probs[last, labels[last]]
    weakest_row[labels[last]] = last
    labels[order[rank >= k]] = -1


def _rank_within(labels: Labels, classes: int) -> Tensor:
    """(n,) how many earlier rows have the same label."""
    by_class = labels.argsort(stable=True)
    counts = torch.bincount(labels, minlength=classes)
    first = (counts.cumsum(0) - counts)[labels[by_class]]
    rank = torch.empty_like(labels)
    rank[by_class] = torch.arange(len(labels)) - first
    return rank


def _sorted(rows: Tensor, labels: Labels, confidence: Tensor) -> Chosen:
    rows = rows.sort().values
    return Chosen(rows, labels[rows], confidence[rows])


def threshold(probs: Probs, k: int, context: Context = NO_CONTEXT) -> Chosen:
    """One threshold on the calibrated confidence for all classes.

    Source: Sohn et al., FixMatch, NeurIPS 2020 (arXiv 2001.07685), and its constant. The context's temperature
    calibrates; without labels it is 1, and the threshold is on CLIP's own confidence.
    """
    confidence, _ = at_temperature(probs, context.temperature).max(dim=1)
    return surest(probs, k, confidence, confidence >= FIXMATCH)


def class_threshold(probs: Probs, k: int, context: Context = NO_CONTEXT) -> Chosen:
    """A threshold for each class, lower for classes that are answered less or with less confidence.

    τ(c) = p̃(c) / max p̃ · τ, with τ the mean confidence of all rows and p̃ their mean probabilities.
    Source: Wang et al., FreeMatch, ICLR 2023 (arXiv 2205.07246), self-adaptive thresholds; exact means over the pool
    stand in the place of its moving averages over batches. FlexMatch (arXiv 2110.08263) has the same aim by counting.
    """
    calibrated = at_temperature(probs, context.temperature)
    confidence, labels = calibrated.max(dim=1)
    if not len(probs):
        return surest(probs, k, confidence)
    mean = calibrated.mean(dim=0)
    thresholds = mean / mean.max() * confidence.mean()
    return surest(probs, k, confidence, confidence >= thresholds[labels])


def everything(probs: Probs, k: int, context: Context = NO_CONTEXT) -> Chosen:
    """All rows, with their calibrated probabilities as soft targets. ``k`` only matters if it is 0: then none.

    Source: soft pseudolabels (Arazo et al., IJCNN 2020, arXiv 1908.02983).
    """
    calibrated = at_temperature(probs, context.soft_temperature)
    confidence, labels = calibrated.max(dim=1)
    rows = slice(len(probs) if k > 0 else 0)
    return Chosen(torch.arange(rows.stop), labels[rows], confidence[rows], calibrated[rows])


def candidate_sets(probs: Probs, k: int, context: Context = NO_CONTEXT) -> Chosen:
    """Several candidate classes per image, for at most ``k`` images with the same best candidate.

    Within an image: its most probable classes until their probabilities sum to the median confidence of all images, so
    a confident image keeps one class and a doubtful one several. Within a class: the most probable 2/C of the images,
    twice its fair share. A class is a candidate where both say so; an image without one is left out. Targets are the
    probabilities of the candidates, normalised, for ``partial_label`` as for any other loss.
    Source: Zhang, Wei, Liu, Feng, Candidate Pseudolabel Learning, ICML 2024 (arXiv 2406.10502): intra- and
    inter-instance selection. There both quantiles are tuned for each data set; here they are fixed.
    """
    if not len(probs):
        return surest(probs, k, probs.new_zeros(0))
    calibrated = at_temperature(probs, context.soft_temperature)
    median = calibrated.max(dim=1).values.median()
    sets = within_images(calibrated, median) & within_classes(calibrated)
    among = calibrated.clamp_min(1e-30).where(sets, 0.0)
    best = among.max(dim=1).values
    chosen = surest(among, k, best, sets.any(dim=1))
    targets = among[chosen.rows]
    return chosen._replace(targets=targets / targets.sum(dim=1, keepdim=True))


def within_images(probs: Probs, enough: Tensor) -> Tensor:
    """(N, C) the fewest most probable classes of each image whose probabilities sum to ``enough``."""
    surest_first, order = probs.sort(dim=1, descending=True, stable=True)
    before = surest_first.cumsum(dim=1) - surest_first
    needed = before < enough
    needed[:, 0] = True
    return torch.zeros_like(needed).scatter(1, order, needed)


def within_classes(probs: Probs) -> Tensor:
    """(N, C) the share 2/C of the images with the highest probability for each class."""
    rows, classes = probs.shape
    share = min(rows, -(-2 * rows // classes))
    order = probs.argsort(dim=0, descending=True, stable=True)[:share]
    return torch.zeros(rows, classes, dtype=torch.bool).scatter(0, order, True)
