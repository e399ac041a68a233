"""Sufficient statistics of labeled images for the linear classifiers, summed in one pass."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from clipgrip.types import ImageEmbeds, Labels

BLOCK = 8192
TINY = 1e-9


def centred(image_embeds: ImageEmbeds, mean: Float[Tensor, " D"]) -> Float[Tensor, "N D"]:
    """Embeddings less ``mean``, normalised, in float64.

    CLIP's embeddings lie in a narrow cone, so what tells images apart is their direction from the cone's axis.
    """
    return F.normalize(image_embeds.double() - mean.double(), dim=1)


def middle_of_classes(image_embeds: ImageEmbeds, labels: Labels) -> Float[Tensor, " D"]:
    """The mean of the class means of images (n, D), in float64.

    The mean of all images would lie within a class that has most of them, whose directions from there mean nothing.
    """
    present, class_of = labels.unique(return_inverse=True)
    sums = torch.zeros(len(present), image_embeds.shape[1], dtype=torch.float64)
    for begin in range(0, len(labels), BLOCK):
        block = slice(begin, begin + BLOCK)
        sums.index_add_(0, class_of[block], image_embeds[block].double())
    return (sums / class_of.bincount()[:, None]).mean(0)


@dataclass(frozen=True)
class Moments:
    """Class counts, class sums and the scatter Σ w x xᵀ of labeled images, `centred`, in float64."""

    counts: Float[Tensor, " C"]
    sums: Float[Tensor, "C D"] = field(repr=False)
    scatter: Float[Tensor, "D D"] = field(repr=False)

    @classmethod
    def of(
        cls,
        image_embeds: ImageEmbeds,
        labels: Labels,
        n_classes: int,
        mean: Float[Tensor, " D"],
        weights: Float[Tensor, " n"] | None = None,
    ) -> Moments:
        """Of images (n, D) and their classes (n,), none of them -1, each counted once or ``weights`` times."""
        width = image_embeds.shape[1]
        weights = torch.ones(len(labels)) if weights is None else weights
        weights = weights.double()
        counts = torch.bincount(labels, weights, minlength=n_classes)
        sums = torch.zeros(n_classes, width, dtype=torch.float64)
        scatter = torch.zeros(width, width, dtype=torch.float64)
        for begin in range(0, len(labels), BLOCK):
            block = slice(begin, begin + BLOCK)
            images = centred(image_embeds[block], mean)
            weighted = weights[block, None] * images
            sums.index_add_(0, labels[block], weighted)
            scatter += images.T @ weighted
        return cls(counts, sums, scatter)

    @property
    def total(self) -> float:
        """How many images, by their weights."""
        return float(self.counts.sum())

    @property
    def means(self) -> Float[Tensor, "C D"]:
        """The mean of each class; zero where it has no image."""
        return self.sums / self.counts.clamp_min(TINY)[:, None]

    @property
    def present(self) -> Int[Tensor, " K"]:
        """The classes that have an image."""
        return (self.counts > 0).nonzero().squeeze(1)
