"""Which images look alike: cosine neighbours, in blocks, never as an N x N matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from clipgrip.seeds import generator
from clipgrip.types import ImageEmbeds

if TYPE_CHECKING:
    from scipy.sparse import csr_array

BLOCK = 4096
EXACT_ROWS = 30_000
"""Up to so many images each is compared with each; above, with those of its own cell."""
CELL_ROWS = 2000
"""Images per cell, on average."""


@dataclass(frozen=True)
class Graph:
    """Symmetric weights between neighbours; ``spread`` is one step of propagation."""

    weights: csr_array

    def spread(self, values: Tensor) -> Tensor:
        """(N, C): for each image the weighted sum over its neighbours."""
        return torch.from_numpy(np.asarray(self.weights @ values.numpy()))


def neighbour_graph(
    image_embeds: ImageEmbeds, k: int = 3, *, exact_rows: int = EXACT_ROWS
) -> Graph:
    """(W + Wᵀ) / 2k, where W holds the cosines, at least 0, of each image's ``k`` nearest others."""
    from scipy.sparse import coo_array  # not light, and putting a prompt to work needs none

    rows = len(image_embeds)
    k = max(1, min(k, rows - 1))
    cells = [torch.arange(rows)] if rows <= exact_rows else _cells(image_embeds)
    nearest = torch.zeros(rows, k, dtype=torch.long)
    cosines = torch.zeros(rows, k)
    for cell in cells:
        _within(image_embeds, cell, k, nearest, cosines)
    source = np.repeat(np.arange(rows), k)
    entries = cosines.clamp_min(0).flatten().numpy() / (2 * k)
    one_way = coo_array((entries, (source, nearest.flatten().numpy())), (rows, rows)).tocsr()
    return Graph((one_way + one_way.T).tocsr())


def _within(
    image_embeds: ImageEmbeds, cell: Tensor, k: int, nearest: Tensor, cosines: Tensor
) -> None:
    """Neighbours of a cell's images among the cell; a small cell leaves the rest at weight 0."""
    members = image_embeds[cell].float()
    found = min(k, len(cell) - 1)
    if found < 1:
        return
    for start in range(0, len(cell), BLOCK):
        part = slice(start, min(start + BLOCK, len(cell)))
        similar = members[part] @ members.T
        similar[torch.arange(len(similar)), torch.arange(part.start, part.stop)] = -torch.inf
        values, columns = similar.topk(found, dim=1)
        nearest[cell[part], :found] = cell[columns]
        cosines[cell[part], :found] = values


def _cells(image_embeds: ImageEmbeds) -> list[Tensor]:
    """Images by the nearest of a random sample of images: an inverted file with one probe."""
    rows = len(image_embeds)
    drawn = torch.randperm(rows, generator=generator(0, "cells"))[: max(2, rows // CELL_ROWS)]
    centres = image_embeds[drawn].float()
    nearest = torch.cat(
        [(part.float() @ centres.T).argmax(1) for part in image_embeds.split(4 * BLOCK)]
    )
    order = nearest.argsort(stable=True)
    sizes = torch.bincount(nearest, minlength=len(centres))
    return [cell for cell in order.split(sizes.tolist()) if len(cell)]
