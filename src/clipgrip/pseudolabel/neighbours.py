"""Which images look alike: cosine neighbours, in blocks, never as an N x N matrix.

Up to ``EXACT_ROWS`` images each is compared with each. Above, images are first put into cells, and neighbours are
sought within the cell only: an inverted file (Jégou, Douze, Schmid, PAMI 2011) with one probe. Time then grows with N,
and what follows may treat one cell after the other, because no neighbour lies outside.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from clipgrip.pseudolabel.blocks import spans
from clipgrip.seeds import generator
from clipgrip.types import ImageEmbeds

BLOCK = 512
EXACT_ROWS = 30_000
"""Up to so many images each is compared with each; above, with those of its own cell."""
CELL_ROWS = 2000
"""Images per cell, on average."""
MOST_CELL_ROWS = 4000
"""Larger cells are divided again, so that time is linear whatever the images."""
MOST_CENTRES = 128
"""Cells that one division makes at most."""
CENTRE_SAMPLE = 64
"""Random images per centre from which the centres are made."""
CENTRE_STEPS = 5
MOST_DIVISIONS = 4
"""Images that so many divisions leave together are as good as equal; they are cut in order."""


@dataclass(frozen=True)
class Cell:
    """Images whose neighbours are among them, with symmetric weights in compressed sparse rows."""

    rows: Int[Tensor, n]
    """Their positions in the pool."""
    offsets: Int[Tensor, n_and_one] = field(repr=False)
    columns: Int[Tensor, edges] = field(repr=False)
    weights: Float[Tensor, edges] = field(repr=False)

    @property
    def sources(self) -> Int[Tensor, edges]:
        """The image of the cell at which each edge begins; ``columns`` are where they end."""
        return torch.arange(len(self.rows)).repeat_interleave(self.offsets.diff().long())

    def spread(self, values: Float[Tensor, "n C"]) -> Float[Tensor, "n C"]:
        """One step of propagation: for each image of the cell the weighted sum over its neighbours."""
        return F.embedding_bag(
            self.columns,
            values,
            self.offsets,
            mode="sum",
            per_sample_weights=self.weights,
            include_last_offset=True,
        )


@dataclass(frozen=True)
class Graph:
    """Cells that hold each image once."""

    cells: tuple[Cell, ...]


def neighbour_graph(
    image_embeds: ImageEmbeds, k: int = 3, *, exact_rows: int | None = None
) -> Graph:
    """(W + Wᵀ) / 2k, where W holds the cosines, at least 0, of each image's ``k`` nearest others."""
    rows = len(image_embeds)
    most = EXACT_ROWS if exact_rows is None else exact_rows
    every = torch.arange(rows)
    cells = [every] if rows <= most else _divided(image_embeds, every, generator(0, "cells"))
    return Graph(tuple(_cell(image_embeds, cell, max(1, min(k, rows - 1))) for cell in cells))


def _cell(image_embeds: ImageEmbeds, rows: Tensor, k: int) -> Cell:
    """The neighbours of a cell's images among the cell; a small cell has fewer than ``k``."""
    columns, cosines = _nearest(image_embeds[rows].float(), min(k, len(rows) - 1))
    n, found = columns.shape
    source, target = torch.arange(n).repeat_interleave(found), columns.flatten()
    keys = torch.cat([source * n + target, target * n + source])
    edges, position = keys.unique(return_inverse=True)
    entries = (cosines.clamp_min(0).flatten() / (2 * k)).repeat(2)
    weights = torch.zeros(len(edges)).index_add_(0, position, entries)
    offsets = torch.searchsorted(edges, torch.arange(n + 1) * n)
    return Cell(rows, offsets.int(), (edges % max(n, 1)).int(), weights)


def _nearest(images: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """(n, k) positions and cosines of the nearest others."""
    n = len(images)
    positions, cosines = torch.zeros(n, max(k, 0), dtype=torch.long), torch.zeros(n, max(k, 0))
    if k < 1:
        return positions, cosines
    space = torch.empty(min(BLOCK, n), n)
    for part in spans(n, BLOCK):
        similar = torch.mm(images[part], images.T, out=space[: part.stop - part.start])
        similar.diagonal(part.start).fill_(-torch.inf)
        cosines[part], positions[part] = similar.topk(k, dim=1)
    return positions, cosines


def _divided(
    image_embeds: ImageEmbeds, rows: Tensor, draw: torch.Generator, division: int = 0
) -> list[Tensor]:
    """The images by the nearest centre; what is still large once more."""
    if division and len(rows) <= MOST_CELL_ROWS:
        return [rows]
    if division == MOST_DIVISIONS:
        return list(rows.split(CELL_ROWS))
    count = min(max(2, len(rows) // CELL_ROWS), MOST_CENTRES)
    drawn = rows[torch.randperm(len(rows), generator=draw)[: count * CENTRE_SAMPLE]]
    centres = _centres(image_embeds[drawn].float(), count)
    nearest = torch.cat(
        [(image_embeds[rows[part]].float() @ centres.T).argmax(1) for part in spans(len(rows))]
    )
    sizes = torch.bincount(nearest, minlength=count).tolist()
    cells = rows[nearest.argsort(stable=True)].split(sizes)
    return [
        part
        for cell in cells
        if len(cell)
        for part in _divided(image_embeds, cell, draw, division + 1)
    ]


def _centres(sample: Tensor, count: int) -> Tensor:
    """(count, D) spherical k-means (Dhillon, Modha, Machine Learning 2001); one that loses its images stays."""
    centres = sample[:count]
    for _ in range(CENTRE_STEPS):
        nearest = torch.cat([(part @ centres.T).argmax(1) for part in sample.split(BLOCK)])
        sums = (1e-6 * centres).index_add(0, nearest, sample)
        centres = F.normalize(sums, dim=1)
    return centres
