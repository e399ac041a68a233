"""The graph of nearest neighbours by cosine, computed in chunks and never as an N x N matrix; and label propagation.

Up to ``exact_rows`` images each is compared with each. Above, images are first divided into cells, and neighbours are
sought within the cell only: an inverted file (Jégou, Douze, Schmid, PAMI 2011) with one probe. Time is then linear in
N, and whatever walks the graph may treat one cell after the other, because no edge leaves a cell.
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
    """Images whose neighbours are among them: a symmetric weight matrix in compressed sparse rows."""

    rows: Int[Tensor, " n"]
    """The images' positions in the pool."""
    offsets: Int[Tensor, " n_and_one"] = field(repr=False)
    columns: Int[Tensor, " edges"] = field(repr=False)
    weights: Float[Tensor, " edges"] = field(repr=False)

    @cached_property
    def at(self) -> slice | Tensor:
        """The rows as a slice where they are consecutive: indexing with it copies nothing."""
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
        """Where each edge begins, as a position in the cell; ``columns`` says where it ends."""
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
    """Cells that together hold each image once."""

    cells: tuple[Cell, ...]

    def computed(self, work: Callable[[Cell], Made], *arrays: Tensor) -> Iterator[Made]:
        """``work`` of each cell, in order; pages of arrays in files that are sorted by cell are released behind."""
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
    """The same for images that are sorted by cell already (`ordered`); ``sizes`` are the cells' lengths."""
    k = max(1, min(settings.neighbours, len(image_embeds) - 1))
    cells = torch.arange(len(image_embeds)).split(list(sizes))
    return Graph(tuple(_by_cell(partial(_cell, image_embeds, k), cells, sizes, (image_embeds,))))


def _by_cell(
    work: Callable[[Each], Made], cells: Sequence[Each], sizes: Sequence[int], arrays: Files
) -> Iterator[Made]:
    return left_behind(in_order(work, cells, together=1), accumulate(sizes), arrays)


def _cell(image_embeds: ImageEmbeds, k: int, rows: Tensor) -> Cell:
    """The cell of these rows; in a small one an image has fewer than ``k`` neighbours."""
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
    """(n, k) positions of the nearest others, and their cosines."""
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
    """The rows as a slice where they are consecutive."""
    if len(rows) and bool((rows.diff() == 1).all()):
        return slice(int(rows[0]), int(rows[0]) + len(rows))
    return rows


@dataclass(frozen=True)
class Division:
    """Divides images into cells by their nearest k-means centre, and cells that are still too large once more."""

    image_embeds: ImageEmbeds = field(repr=False)
    settings: Refinement = field(repr=False)
    draw: torch.Generator = field(default_factory=lambda: generator(0, "cells"), repr=False)

    def of(self, image_embeds: ImageEmbeds) -> Division:
        """The same division for other images, which continues its sequence of random numbers."""
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
        """How many of the rows are nearest to each centre, and the nearest centre of each row."""
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
    """(count, D) by spherical k-means (Dhillon, Modha, Machine Learning 2001); a centre without images stays put."""
    centres = sample[:count]
    for _ in range(steps):
        nearest = torch.cat([(part @ centres.T).argmax(1) for part in sample.split(CHUNK)])
        sums = (1e-6 * centres).index_add(0, nearest, sample)
        centres = F.normalize(sums, dim=1)
    return centres


def propagate(
    graph: Graph, probs: Probs, labeled: RowMask, settings: Refinement = DEFAULT
) -> Probs:
    """(N, C) after ``propagation_steps`` of F ← α D⁻¹W F + (1 - α) F₀, with labeled rows held fixed.

    The diffusion of Zhou et al. (NeurIPS 2003), from zero-shot answers F₀ instead of labels alone, as in ZLaP (CVPR
    2024, arXiv 2404.04072), which puts the texts into the graph too. α is ``propagation_share``.
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
