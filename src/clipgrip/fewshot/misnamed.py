"""Misnamed classes: found by their labeled images, which then predict a class embedding in the name's place.

A wrong name that fits another class attracts images of both; and where a class has one label, nothing can be held out
that would show it. But the images of each class and the names of all others are many pairs that certainly do not belong
together: they show how a wrong name looks (decision 0081).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from clipgrip.fewshot.head import HeadSettings
from clipgrip.fewshot.moments import TINY
from clipgrip.types import ClassEmbeds, ImageEmbeds, Labels, Logits

STEPS = 50
"""Steps of expectation maximisation, which converges in a few."""
FEW_CLASSES = 3
"""Fewest labeled classes: with fewer there are too few wrong pairs."""
MOST_CLASSES = 4096
"""Most labeled classes, whose pairs take about a gigabyte; with more, no name is doubted."""


@dataclass(frozen=True)
class Misnamed:
    """The doubted classes, and the prediction of text logits from labeled images.

    A right name's logit on an image x rises above the other classes' by about ``slope`` · gap · x.
    """

    doubted: Bool[Tensor, " C"]
    gaps: Float[Tensor, "C D"] = field(repr=False)
    """Each class's mean image less the mean of these over the labeled classes; zero without a label."""
    slope: float
    """By least squares over the names that fit."""
    factor: float
    """``HeadSettings.foretold``, on the slope."""

    @classmethod
    def of(
        cls, image_embeds: ImageEmbeds, text: Logits, labels: Labels, settings: HeadSettings
    ) -> Misnamed:
        """From labeled images (n, D) in the text's own bank, their text logits (n, C) and classes (n,)."""
        counts = torch.bincount(labels, minlength=text.shape[1])
        known, doubted = counts > 0, torch.zeros_like(counts, dtype=torch.bool)
        if not settings.foretold or not FEW_CLASSES <= int(known.sum()) <= MOST_CLASSES:
            none = image_embeds.new_zeros(len(counts), image_embeds.shape[1])
            return cls(doubted, none.float(), 0.0, settings.foretold)
        means = _means(image_embeds.float(), labels, counts)
        gaps = torch.where(known[:, None], means - means[known].mean(0), 0.0)
        logits = _means(text.float(), labels, counts)
        doubted[known] = ~_names_that_fit(_margins(logits[known][:, known].double()), settings)
        if int((known & ~doubted).sum()) < 2:  # too few right names are left to fit the slope to
            doubted = torch.zeros_like(known)
        centred = logits - logits[known].mean(0)
        return cls(doubted, gaps, _slope(centred, gaps, known & ~doubted), settings.foretold)

    @property
    def classes(self) -> tuple[int, ...]:
        """The doubted classes."""
        return tuple(self.doubted.nonzero().squeeze(1).tolist())

    def logits(self, image_embeds: ImageEmbeds, text: Logits) -> Logits:
        """(N, C) the text's logits, with predicted ones for the doubted classes."""
        if not bool(self.doubted.any()):
            return text
        found = text.clone()
        gaps = self.factor * self.slope * self.gaps[self.doubted]
        mean_of_others = text[:, ~self.doubted].mean(1, keepdim=True)
        found[:, self.doubted] = mean_of_others + image_embeds[:, : gaps.shape[1]].float() @ gaps.T
        return found

    def texts(self, class_embeds: ClassEmbeds) -> ClassEmbeds:
        """(C, D) class embeddings with the same effect as `logits`; the predicted ones are not of unit length."""
        if not bool(self.doubted.any()):
            return class_embeds
        found, gaps = class_embeds.clone(), self.gaps.to(class_embeds)
        slope = _slope(gaps @ class_embeds.T, gaps, gaps.any(1) & ~self.doubted)
        mean_of_others = class_embeds[~self.doubted].mean(0)
        found[self.doubted] = mean_of_others + self.factor * slope * gaps[self.doubted]
        return found


def _means(values: Tensor, labels: Labels, counts: Tensor) -> Tensor:
    """(C, W) each class's mean of values (n, W); zero without a label."""
    sums = values.new_zeros(len(counts), values.shape[1]).index_add_(0, labels, values)
    return sums / counts.clamp_min(1)[:, None]


def _margins(logits: Float[Tensor, "K K"]) -> Float[Tensor, "K K"]:
    """Margin of each pair of a class's images (row) and a name (column): over other names plus over other classes.

    The logits are double-centred first: some names are above, and some images below, all others.
    """
    centred = logits - logits.mean(1, keepdim=True)
    centred = centred - centred.mean(0)
    return row_margins(centred) + row_margins(centred.T).T


def row_margins(values: Tensor) -> Tensor:
    """(N, C) each value less the highest other value of its row; 0 where there is no other."""
    if values.shape[1] < 2:
        return torch.zeros_like(values)
    first, second = values.topk(2, dim=1).values.split(1, dim=1)
    return values - torch.where(values == first, second, first)


def _names_that_fit(margins: Float[Tensor, "K K"], settings: HeadSettings) -> Bool[Tensor, " K"]:
    """(K,) whether a class's margin with its own name is more probably that of a right name than of a wrong one.

    A mixture of two normal distributions of one spread. The mean of the wrong ones and the spread are those of all
    wrong pairs; the mean of the right ones, and the share of wrong names under its Beta prior, are fitted to the K
    margins by expectation maximisation (local false discovery rates: Efron, Large-Scale Inference, Cambridge 2010,
    chapter 5).
    """
    own, same = margins.diagonal(), torch.eye(len(margins), dtype=torch.bool)
    # where two names are interchanged, each class has one other name that fits: the best other is no wrong pair
    best = margins.masked_fill(same, -torch.inf).argmax(1, keepdim=True)
    pairs = margins[(~same).scatter(1, best, False)]
    wrong, spread = pairs.mean(), pairs.std().clamp_min(TINY)
    right, (prior_wrong, prior_right) = torch.maximum(own.median(), wrong), settings.misnamed
    share, fits = prior_wrong / (prior_wrong + prior_right), torch.ones_like(own)
    for _ in range(STEPS):
        log_ratio = (right - wrong) * (own - (right + wrong) / 2) / spread**2
        fits = (log_ratio + math.log(1 / share - 1)).sigmoid()
        right = torch.maximum((fits * own).sum() / fits.sum().clamp_min(TINY), wrong)
        share = float(((1 - fits).sum() + prior_wrong) / (len(own) + prior_wrong + prior_right))
    return fits > 0.5


def _slope(products: Float[Tensor, "C C"], gaps: Float[Tensor, "C D"], fits: Tensor) -> float:
    """Least-squares slope of a fitting text, less the mean fitting text, on its class's gap; at least 0.

    ``products`` are those of each gap (row) with each text (column), in the unit of the result.
    """
    own = products.diagonal() - products[:, fits].mean(1)
    return max(float(own[fits].sum() / gaps[fits].square().sum().clamp_min(TINY)), 0.0)
