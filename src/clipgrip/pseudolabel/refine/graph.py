"""Which images look alike: cosine neighbours, in chunks, never as an N x N matrix; and answers that flow among them.

Up to ``exact_rows`` images each is compared with each. Above, images are first put into cells, and neighbours are
sought within the cell only: an inverted file (Jégou, Douze, Schmid, PAMI 2011) with one probe. Time then grows with N,
and what follows may treat one cell after the other, because no neighbour lies outside.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import accumulate
from typing import TypeVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from clipgrip.mapped import logits_like
from clipgrip.pseudolabel.refine.chunks import chunk_slices, computed, in_order, left_behind, taken
from clipgrip.pseudolabel.refine.settings import DEFAULT, Refinement
from clipgrip.seeds import generator
from clipgrip.types import ImageEmbeds, Probs, RowMask

CHUNK = 512
Each = TypeVar("Each")
Made = TypeVar("Made")
Files = Sequence[Tensor]


@dataclass(frozen=True)
class Cell:
    """Images whose neighbours are among them, with symmetric weights in compressed sparse rows."""

    rows: Int[Tensor, " n"]
    """Their positions in the pool."""
    offsets: Int[Tensor, " n_and_one"] = field(repr=False)
    columns: Int[Tensor, " edges"] = field(repr=False)
    weights: Float[Tensor, " edges"] = field(repr=False)

    @cached_property
    def at(self) -> slice | Tensor:
        """The rows as a slice where they follow each other: then nothing need be gathered."""
        return _consecutive(self.rows)

    def rows_in_parts(self, size: int) -> list[slice | Tensor]:
        """The rows, ``size`` at a time."""
        if isinstance(self.at, slice):
            whole = self.at
            return [
                slice(start, min(start + size, whole.stop))
                for start in range(whole.start, whole.stop, size)
            ]
        return list(self.at.split(size))

    @property
    def sources(self) -> Int[Tensor, " edges"]:
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

    def computed(self, work: Callable[[Cell], Made], *arrays: Tensor) -> Iterator[Made]:
        """What ``work`` makes of each cell, in their order; of arrays in files, in which cells lie one after the other,
        the rows of those behind leave memory."""
        return _by_cell(work, self.cells, [len(cell.rows) for cell in self.cells], arrays)


def neighbour_graph(image_embeds: ImageEmbeds, settings: Refinement = DEFAULT) -> Graph:
    """(W + Wᵀ) / 2k, where W holds the cosines, at least 0, of each image's k nearest others."""
    rows = torch.arange(len(image_embeds))
    exact = len(rows) <= settings.numerics.exact_rows
    cells = [rows] if exact else Division(image_embeds, settings).into_cells(rows)
    k = max(1, min(settings.neighbours, len(rows) - 1))
    sizes = [len(cell) for cell in cells]
    return Graph(tuple(_by_cell(partial(_cell, image_embeds, k), cells, sizes, ())))


def ordered_graph(
    image_embeds: ImageEmbeds, sizes: Sequence[int], settings: Refinement = DEFAULT
) -> Graph:
    """The same of images that lie cell by cell, as many as ``sizes`` say in each."""
    k = max(1, min(settings.neighbours, len(image_embeds) - 1))
    cells = torch.arange(len(image_embeds)).split(list(sizes))
    return Graph(tuple(_by_cell(partial(_cell, image_embeds, k), cells, sizes, (image_embeds,))))


def _by_cell(
    work: Callable[[Each], Made], cells: Sequence[Each], sizes: Sequence[int], arrays: Files
) -> Iterator[Made]:
    return left_behind(in_order(work, cells, together=1), accumulate(sizes), arrays)


def _cell(image_embeds: ImageEmbeds, k: int, rows: Tensor) -> Cell:
    """The neighbours of a cell's images among the cell; a small cell has fewer than ``k``."""
    columns, cosines = _nearest(image_embeds[_consecutive(rows)].float(), min(k, len(rows) - 1))
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
    space = torch.empty(min(CHUNK, n), n)
    for part in chunk_slices(n, CHUNK):
        similar = torch.mm(images[part], images.T, out=space[: part.stop - part.start])
        similar.diagonal(part.start).fill_(-torch.inf)
        cosines[part], positions[part] = similar.topk(k, dim=1)
    return positions, cosines


def _consecutive(rows: Tensor) -> slice | Tensor:
    """The rows as a slice where they follow each other."""
    if len(rows) and bool((rows.diff() == 1).all()):
        return slice(int(rows[0]), int(rows[0]) + len(rows))
    return rows


@dataclass(frozen=True)
class Division:
    """Images put into cells by the nearest centre; what is still large once more."""

    image_embeds: ImageEmbeds = field(repr=False)
    settings: Refinement = field(repr=False)
    draw: torch.Generator = field(default_factory=lambda: generator(0, "cells"), repr=False)

    def of(self, image_embeds: ImageEmbeds) -> Division:
        """The same division of these images, going on with its random numbers."""
        return replace(self, image_embeds=image_embeds)

    def into_cells(self, rows: Tensor, division: int = 0) -> list[Tensor]:
        settings = self.settings
        if division and len(rows) <= settings.numerics.max_cell_rows:
            return [rows]
        if division == settings.numerics.max_divisions:
            return list(rows.split(settings.numerics.cell_rows))
        sizes, nearest = self.nearest(rows)
        cells = rows[nearest.argsort(stable=True)].split(sizes)
        return [part for cell in cells if len(cell) for part in self.into_cells(cell, division + 1)]

    def nearest(self, rows: Tensor) -> tuple[list[int], Tensor]:
        """How many images are nearest to each centre, and to which each row is."""
        settings = self.settings
        count = min(max(2, len(rows) // settings.numerics.cell_rows), settings.numerics.max_centres)
        order = torch.randperm(len(rows), generator=self.draw)
        chosen = rows[order[: count * settings.numerics.centre_sample]]
        sample = taken(self.image_embeds, chosen).float()
        centres = _centres(sample, count, settings.numerics.centre_steps)

        def of(part: slice) -> Tensor:
            return (self.image_embeds[rows[part]].float() @ centres.T).argmax(1)

        parts = computed(of, chunk_slices(len(rows)), over=(self.image_embeds,))
        nearest = torch.cat(list(parts))
        return torch.bincount(nearest, minlength=count).tolist(), nearest


def _centres(sample: Tensor, count: int, steps: int) -> Tensor:
    """(count, D) spherical k-means (Dhillon, Modha, Machine Learning 2001); one that loses its images stays."""
    centres = sample[:count]
    for _ in range(steps):
        nearest = torch.cat([(part @ centres.T).argmax(1) for part in sample.split(CHUNK)])
        sums = (1e-6 * centres).index_add(0, nearest, sample)
        centres = F.normalize(sums, dim=1)
    return centres


def propagate(
    graph: Graph, probs: Probs, labeled: RowMask, settings: Refinement = DEFAULT
) -> Probs:
    """(N, C): each image mixes its neighbours' answers with its own; labeled rows stay.

    The diffusion of Zhou et al. (NeurIPS 2003) from zero-shot answers instead of from labels alone, as in ZLaP (CVPR
    2024, arXiv 2404.04072), which puts the texts into the graph too.
    """
    answers = logits_like(probs)

    def flow(cell: Cell) -> None:
        found = _propagate_in(cell, probs[cell.at].float(), labeled[cell.at], settings)
        answers[cell.at] = found.to(answers.dtype)

    deque(graph.computed(flow, probs, answers), maxlen=0)
    return answers


def _propagate_in(cell: Cell, probs: Probs, labeled: RowMask, settings: Refinement) -> Probs:
    degrees = cell.spread(torch.ones(len(probs), 1)).clamp_min(1e-9)
    answers, share = probs, settings.propagation_share
    for _ in range(settings.numerics.propagation_steps):
        mixed = share * cell.spread(answers) / degrees + (1 - share) * probs
        answers = torch.where(labeled[:, None], probs, mixed)
    return answers / answers.sum(1, keepdim=True).clamp_min(1e-12)
