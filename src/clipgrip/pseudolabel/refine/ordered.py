"""A large pool rewritten to a file in the order of its cells, so that neighbours lie side by side.

The cells are those that `graph` would make in memory. It is an external sort in two passes: by the nearest of the
outermost centres while the pool is read once from front to back, then by cell within each of these parts. So no pass
ever reads single rows scattered over the file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipgrip.pseudolabel.refine.chunks import chunk_slices, in_order, leave
from clipgrip.pseudolabel.refine.graph import Division, Graph, ordered_graph
from clipgrip.pseudolabel.refine.settings import Refinement
from clipgrip.pseudolabel.refine.space import PoolImages
from clipgrip.types import ImageEmbeds

WRITTEN = 16_384
"""Rows that are sorted in memory and written together."""
Allocate = Callable[[tuple[int, ...], torch.dtype], Tensor]
"""Makes a new array of this shape and type in a file."""


@dataclass(frozen=True)
class OrderedPool:
    """The images of a pool, cell by cell."""

    images: PoolImages = field(repr=False)
    """Embeddings (n, D) in a file, with their graph."""
    order: Int[Tensor, " n"] = field(repr=False)
    """The row in the pool of each of them."""


def ordered(
    image_embeds: ImageEmbeds, rows: Int[Tensor, " n"], settings: Refinement, allocate: Allocate
) -> OrderedPool:
    """The given ``rows`` (ascending) of a pool (N, D), in the order of their cells."""
    division = Division(image_embeds, settings)
    if len(rows) <= settings.numerics.exact_rows:
        sizes, nearest = [len(rows)], torch.zeros(len(rows), dtype=torch.long)
    else:
        sizes, nearest = division.nearest(rows)
    order = nearest.argsort(stable=True)
    parts = _sorted(image_embeds, rows, nearest, sizes, allocate)
    del nearest
    cells = _cells(parts, sizes, division)
    within = torch.cat(cells) if cells else order
    embeds = _gathered(parts, cells, allocate)
    lengths = [len(cell) for cell in cells]
    graph = ordered_graph(embeds, lengths, settings)
    return OrderedPool(_with_graph(embeds, graph, settings), rows[order[within]])


def _sorted(
    image_embeds: ImageEmbeds, rows: Tensor, nearest: Tensor, sizes: list[int], allocate: Allocate
) -> Float[Tensor, "n D"]:
    """(n, D) the first pass: rows sorted by their ``nearest`` (n,) centre, to which ``sizes`` of them belong."""
    made = allocate((len(rows), image_embeds.shape[1]), image_embeds.dtype)
    ends = torch.tensor([0, *sizes]).cumsum(0)[:-1]

    def sort(part: slice) -> tuple[Tensor, Tensor]:
        within = nearest[part].argsort(stable=True)
        return image_embeds[rows[part]][within], nearest[part][within]

    parts = list(chunk_slices(len(rows), WRITTEN))
    for number, (some, to) in enumerate(in_order(sort, parts, together=1)):
        counts = torch.bincount(to, minlength=len(sizes))
        starts = counts.cumsum(0) - counts
        made[ends[to] + torch.arange(len(to)) - starts[to]] = some
        ends += counts
        if number % 16 == 15:
            leave_all(made, image_embeds)
    leave_all(made, image_embeds)
    return made


def _cells(parts: Tensor, sizes: list[int], division: Division) -> list[Tensor]:
    """The rows of ``parts`` (n, D) in each cell: each part is divided further, unless there is only one."""
    inner, start = division.of(parts), 0
    found: list[Tensor] = []
    for size in sizes:
        rows = torch.arange(start, start + size)
        if size:
            whole = len(sizes) == 1
            found += [rows] if whole else inner.into_cells(rows, 1)
            leave((parts,), slice(start, start + size))
        start += size
    return found


def _gathered(parts: Tensor, cells: list[Tensor], allocate: Allocate) -> Float[Tensor, "n D"]:
    """(n, D) the second pass: the rows of ``parts`` in the order of the cells."""
    made, behind = allocate(tuple(parts.shape), parts.dtype), 0
    starts = accumulate((len(cell) for cell in cells), initial=0)

    def gather(of: tuple[int, Tensor]) -> int:
        start, cell = of
        made[start : start + len(cell)] = parts[cell]
        return start

    for start in in_order(gather, list(zip(starts, cells, strict=False)), together=1):
        if start - behind >= 16 * WRITTEN:
            leave_all(made, parts)
            behind = start
    leave_all(made, parts)
    return made


def leave_all(*arrays: Tensor) -> None:
    """Tell the system that no row of these arrays needs to stay in memory."""
    for array in arrays:
        leave((array,), slice(0, len(array)))


def _with_graph(embeds: Tensor, graph: Graph, settings: Refinement) -> PoolImages:
    """The images with their graph, and without copies: both are cached properties that need not be computed again."""
    images = PoolImages(embeds, settings)
    images.__dict__.update(graph=graph, copies=None)
    return images
