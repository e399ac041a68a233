"""Copies of an image in a pool: each distinct image takes part once, or it would count as evidence for itself.

An image with copies has only these as nearest neighbours, so its cluster would be itself, and a class whose images
stand there twice would seem twice as frequent.

Copies are found by hashing: three random projections of the embedding name a cell of a grid, and rows in one cell are
copies. Eight shifted grids make sure that rounding does not separate two copies at a cell's edge.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from itertools import product

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipgrip.mapped import gathered
from clipgrip.pseudolabel.refine.chunks import chunk_slices, in_order, put
from clipgrip.seeds import generator
from clipgrip.types import ImageEmbeds, Probs, RowMask

SAME = 1e-5
"""Side of a grid's cell; rounding moves an embedding by a tenth of it."""
DIRECTIONS = 3
"""Random projections per grid: with so many, no two of a million different images share a cell."""
GRIDS = tuple(product((0.0, 0.5), repeat=DIRECTIONS))
"""The grids' shifts, in cells: two rows on either side of an edge in one grid share a cell in another."""
MIX = (-7046029254386353131, 6364136223846793005, -4417276706812531889)
"""Odd multipliers that hash a cell's three coordinates into one number, so that rows are sorted once."""


@dataclass(frozen=True)
class Copies:
    """Which rows show the same image."""

    image_of: Int[Tensor, " N"] = field(repr=False)
    """(N,) the number of the distinct image that each row shows."""
    first: Int[Tensor, " n"] = field(repr=False)
    """(n,) the first row of each distinct image."""

    def representatives(self, labeled: RowMask) -> Int[Tensor, " n"]:
        """(n,) a row of each distinct image: its first labeled row, or its first row."""
        rows = labeled.nonzero().squeeze(1).flip(0)
        chosen = self.first.clone()
        chosen[self.image_of[rows]] = rows
        return chosen

    def on_all(self, answers: Float[Tensor, "n C"], labels: Probs, labeled: RowMask) -> Probs:
        """(N, C) each distinct image's answer (n, C) on all of its rows; labeled rows are those of ``labels``."""
        every = gathered(answers, self.image_of)
        every[labeled] = labels[labeled]
        return every


def copies_among(image_embeds: ImageEmbeds) -> Copies | None:
    """The copies in a pool (N, D); None where all rows are distinct images."""
    drawn = torch.randn(image_embeds.shape[1], DIRECTIONS, generator=generator(0, "copies"))
    places = torch.empty(len(image_embeds), DIRECTIONS)

    def place(rows: slice) -> None:
        places[rows] = image_embeds[rows].float() @ drawn / SAME

    put(place, chunk_slices(len(image_embeds)), over=(image_embeds,))
    pairs = torch.cat(list(in_order(partial(_in_one_cell, places), GRIDS)), dim=1)
    if not pairs.shape[1]:
        return None
    from scipy.sparse import coo_array  # not light, and putting a prompt to work needs none
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(pairs.shape[1], bool), tuple(pairs.numpy())), [len(places)] * 2)
    n_images, found = connected_components(links, directed=False)
    image_of = torch.from_numpy(found).long()
    first = torch.full((n_images,), len(places))
    first = first.scatter_reduce(0, image_of, torch.arange(len(places)), "amin")
    order = first.argsort()
    return Copies(order.argsort()[image_of], first[order])


def _in_one_cell(places: Float[Tensor, "N K"], shift: tuple[float, ...]) -> Int[Tensor, "2 n"]:
    """Pairs of rows that are next to each other in one cell of the shifted grid."""
    mixed = torch.zeros(len(places), dtype=torch.long)
    for column, factor in zip(places.T, zip(shift, MIX, strict=True), strict=True):
        mixed += (column + factor[0]).round().long() * factor[1]
    mixed, order = mixed.sort(stable=True)
    near = (mixed[1:] == mixed[:-1]).nonzero().squeeze(1)
    pairs = torch.stack([order[near], order[near + 1]])
    cells = (places[pairs] + torch.tensor(shift)).round().long()
    return pairs[:, (cells[0] == cells[1]).all(1)]
