"""Classes whose labels say that their name does not fit, and the text that their images foretell in its place.

A name that is another class's draws images of both to itself, and where a class has one label nothing can be held out
that would say so. But the images of all labels and the texts of all classes are so many pairs of which nobody doubts
that they do not belong together: they say how a wrong name looks (decision 0081).
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
"""Of the expectation maximisation over two components, which settles in a few."""
FEW_CLASSES = 3
"""Labeled classes from which pairs of others say how a wrong name looks."""
MOST_CLASSES = 4096
"""Labeled classes up to which all pairs are compared: about a gigabyte. Beyond, every name is believed."""


@dataclass(frozen=True)
class Misnamed:
    """The classes that are doubted, and where their labeled images lie."""

    doubted: Bool[Tensor, " C"]
    gaps: Float[Tensor, "C D"] = field(repr=False)
    """What each class's mean image has apart from the labeled classes' middle; zero without a label."""
    pull: float
    """Logits that a right name gains on an image for each unit of such a gap's product with it."""
    times: float

    @classmethod
    def of(
        cls, image_embeds: ImageEmbeds, text: Logits, labels: Labels, settings: HeadSettings
    ) -> Misnamed:
        """Of labeled images (n, D) as the text reads them, their text logits (n, C) and classes (n,)."""
        counts = torch.bincount(labels, minlength=text.shape[1])
        known, doubted = counts > 0, torch.zeros_like(counts, dtype=torch.bool)
        if not settings.foretold or not FEW_CLASSES <= int(known.sum()) <= MOST_CLASSES:
            none = image_embeds.new_zeros(len(counts), image_embeds.shape[1])
            return cls(doubted, none.float(), 0.0, settings.foretold)
        means = _means(image_embeds.float(), labels, counts)
        gaps = torch.where(known[:, None], means - means[known].mean(0), 0.0)
        logits = _means(text.float(), labels, counts)
        doubted[known] = ~_fitting(_leads(logits[known][:, known].double()), settings)
        if int((known & ~doubted).sum()) < 2:  # where nearly no name fits none is a measure
            doubted = torch.zeros_like(known)
        centred = logits - logits[known].mean(0)
        return cls(doubted, gaps, _pull(centred, gaps, known & ~doubted), settings.foretold)

    @property
    def classes(self) -> tuple[int, ...]:
        """The doubted ones."""
        return tuple(self.doubted.nonzero().squeeze(1).tolist())

    def logits(self, image_embeds: ImageEmbeds, text: Logits) -> Logits:
        """(N, C) the text's logits with those of doubted classes as their images foretell them."""
        if not bool(self.doubted.any()):
            return text
        found = text.clone()
        gaps = self.times * self.pull * self.gaps[self.doubted]
        middle = text[:, ~self.doubted].mean(1, keepdim=True)
        found[:, self.doubted] = middle + image_embeds[:, : gaps.shape[1]].float() @ gaps.T
        return found

    def texts(self, class_embeds: ClassEmbeds) -> ClassEmbeds:
        """(C, D) whose scaled products with images are these logits; the foretold are not of unit length."""
        if not bool(self.doubted.any()):
            return class_embeds
        found, gaps = class_embeds.clone(), self.gaps.to(class_embeds)
        pull = _pull(gaps @ class_embeds.T, gaps, gaps.any(1) & ~self.doubted)
        middle = class_embeds[~self.doubted].mean(0)
        found[self.doubted] = middle + self.times * pull * gaps[self.doubted]
        return found


def _means(values: Tensor, labels: Labels, counts: Tensor) -> Tensor:
    """(C, W) each class's mean of values (n, W)."""
    sums = values.new_zeros(len(counts), values.shape[1]).index_add_(0, labels, values)
    return sums / counts.clamp_min(1)[:, None]


def _leads(logits: Float[Tensor, "K K"]) -> Float[Tensor, "K K"]:
    """By class of the images (rows) and name (columns): how far the pair leads all other names and all other images.

    Of logits without what all names share on an image and all images on a name.
    """
    rises = logits - logits.mean(1, keepdim=True)
    rises = rises - rises.mean(0)
    return _lead(rises) + _lead(rises.T).T


def _lead(values: Tensor) -> Tensor:
    """Each value less the highest other of its row."""
    first, second = values.topk(2, dim=1).values.split(1, dim=1)
    return values - torch.where(values == first, second, first)


def _fitting(leads: Float[Tensor, "K K"], settings: HeadSettings) -> Bool[Tensor, " K"]:
    """Classes whose own lead is likelier a right name's than one of a pair that does not belong together.

    Two normal components of the same spread: the mean of the wrong and the spread are those of all such pairs; the
    mean of the right, and the share of the wrong under its Beta prior, are found by expectation maximisation (Efron,
    Large-Scale Inference, Cambridge 2010, chapter 5: local false discovery rates).
    """
    own, same = leads.diagonal(), torch.eye(len(leads), dtype=torch.bool)
    # where two names changed places each class has one other name that does fit
    best = leads.masked_fill(same, -torch.inf).argmax(1, keepdim=True)
    pairs = leads[(~same).scatter(1, best, False)]
    wrong, spread = pairs.mean(), pairs.std().clamp_min(TINY)
    right, (misnamed, named) = torch.maximum(own.median(), wrong), settings.misnamed
    share, fits = misnamed / (misnamed + named), torch.ones_like(own)
    for _ in range(STEPS):
        likelier = (right - wrong) * (own - (right + wrong) / 2) / spread**2
        fits = (likelier + math.log(1 / share - 1)).sigmoid()
        right = torch.maximum((fits * own).sum() / fits.sum().clamp_min(TINY), wrong)
        share = float(((1 - fits).sum() + misnamed) / (len(own) + misnamed + named))
    return fits > 0.5


def _pull(products: Float[Tensor, "C C"], gaps: Float[Tensor, "C D"], fits: Tensor) -> float:
    """Least squares of the texts that fit, apart from their middle, on their classes' gaps.

    ``products`` are those of each gap (rows) with each text (columns), in the unit that is asked for.
    """
    own = products.diagonal() - products[:, fits].mean(1)
    return max(float(own[fits].sum() / gaps[fits].square().sum().clamp_min(TINY)), 0.0)
