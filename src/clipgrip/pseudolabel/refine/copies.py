"""Images that stand in a pool several times are asked once: else they count as evidence for themselves.

Among copies an image's neighbours are only its copies, so that its cluster is itself and a class that was photographed
twice as often seems twice as frequent.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipgrip.pseudolabel.refine.chunks import chunk_slices
from clipgrip.seeds import generator
from clipgrip.types import ImageEmbeds, Probs, RowMask

SAME = 1e-5
"""Embeddings that differ less than this along random directions are one: rounding makes a tenth of it."""
DIRECTIONS = 3
"""Along so many, a million different images have no two alike."""


@dataclass(frozen=True)
class Copies:
    """Which rows show the same image."""

    image_of: Int[Tensor, " N"] = field(repr=False)
    """(N,) the number of the image that each row shows."""
    first: Int[Tensor, " n"] = field(repr=False)
    """(n,) the first row of each image."""

    def representatives(self, labeled: RowMask) -> Int[Tensor, " n"]:
        """(n,) a row of each image: the first that a person labeled, or the first."""
        rows = labeled.nonzero().squeeze(1).flip(0)
        chosen = self.first.clone()
        chosen[self.image_of[rows]] = rows
        return chosen

    def on_all(self, answers: Float[Tensor, "n C"], labels: Probs, labeled: RowMask) -> Probs:
        """(N, C) each image's answers (n, C) on all of its rows; labeled rows keep their ``labels``."""
        every = answers[self.image_of]
        every[labeled] = labels[labeled]
        return every


def copies_among(image_embeds: ImageEmbeds) -> Copies | None:
    """The copies in a pool (N, D); None where every image stands there once."""
    drawn = torch.randn(image_embeds.shape[1], DIRECTIONS, generator=generator(0, "copies"))
    keys = torch.empty(len(image_embeds), DIRECTIONS, dtype=torch.long)
    for rows in chunk_slices(len(image_embeds)):
        keys[rows] = (image_embeds[rows].float() @ drawn / SAME).round().long()
    different, image_of = keys.unique(dim=0, return_inverse=True)
    if len(different) == len(keys):
        return None
    first = torch.full((len(different),), len(keys))
    first = first.scatter_reduce(0, image_of, torch.arange(len(keys)), "amin")
    order = first.argsort()
    return Copies(order.argsort()[image_of], first[order])
