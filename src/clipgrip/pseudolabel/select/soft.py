"""Rules that trust several classes of one image."""

from __future__ import annotations

import torch
from torch import Tensor

from clipgrip.pseudolabel.select.chosen import ALONE, Chosen, Context, at_temperature
from clipgrip.pseudolabel.select.top import surest
from clipgrip.types import Probs


def everything(probs: Probs, k: int, context: Context = ALONE) -> Chosen:
    """All rows, with their calibrated probabilities as targets. ``k`` does not apply, but for 0: nothing.

    Source: soft pseudolabels (Arazo et al., IJCNN 2020, arXiv 1908.02983).
    """
    honest = at_temperature(probs, context.soft_temperature)
    confidence, labels = honest.max(dim=1)
    rows = torch.arange(len(probs) if k > 0 else 0)
    return Chosen(rows, labels[rows], confidence[rows], honest[rows])


def candidate_sets(probs: Probs, k: int, context: Context = ALONE) -> Chosen:
    """The classes that an image may be of, for at most ``k`` images whose best candidate is the same class.

    Within an image: its surest classes until their probabilities sum to at least the median confidence of all images,
    so a sure image keeps one class and a doubtful one several. Within a class: the images that are among its surest
    2/C, twice its fair share. A class is a candidate where both say so; an image without one is left out. Targets are
    the probabilities of the candidates, summing to one, for ``partial_label`` as for any other loss.
    Source: Zhang, Wei, Liu, Feng, Candidate Pseudolabel Learning, ICML 2024 (arXiv 2406.10502): intra- and
    inter-instance selection. There both quantiles are tuned for each data set; here they are these.
    """
    if not len(probs):
        return surest(probs, k, probs.new_zeros(0))
    honest = at_temperature(probs, context.soft_temperature)
    sets = within_images(honest, honest.max(dim=1).values.median()) & within_classes(honest)
    among = honest.clamp_min(1e-30).where(sets, 0.0)
    best = among.max(dim=1).values
    chosen = surest(among, k, best, sets.any(dim=1))
    targets = among[chosen.rows]
    return chosen._replace(targets=targets / targets.sum(dim=1, keepdim=True))


def within_images(probs: Probs, enough: Tensor) -> Tensor:
    """(N, C) the fewest surest classes of each image whose probabilities sum to ``enough``."""
    surest_first, order = probs.sort(dim=1, descending=True, stable=True)
    before = surest_first.cumsum(dim=1) - surest_first
    needed = before < enough
    needed[:, 0] = True
    return torch.zeros_like(needed).scatter(1, order, needed)


def within_classes(probs: Probs) -> Tensor:
    """(N, C) the 2/C images of each class with the highest probability for it."""
    rows, classes = probs.shape
    share = min(rows, -(-2 * rows // classes))
    order = probs.argsort(dim=0, descending=True, stable=True)[:share]
    return torch.zeros(rows, classes, dtype=torch.bool).scatter(0, order, True)
