"""A large pool in the order of its cells, in a file: neighbours then lie side by side, and every pass reads in a row.

Images are put into the cells that `graph` would make in memory. The pool is read in its own order only: its rows are
first sorted by the outermost centres, then within each part, so that no disk ever seeks a single row.
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
Room = Callable[[tuple[int, ...], torch.dtype], Tensor]
"""A new array of this shape and type in a file."""


@dataclass(frozen=True)
class OrderedPool:
    """The images of a pool, cell by cell."""

    images: PoolImages = field(repr=False)
    """Embeddings (n, D) in a file, their graph made."""
    order: Int[Tensor, " n"] = field(repr=False)
    """The row of the pool that each is."""


def ordered(
    image_embeds: ImageEmbeds, rows: Int[Tensor, " n"], settings: Refinement, room: Room
) -> OrderedPool:
    """These ``rows`` of a pool (N, D), ascending, in the order of their cells."""
    division = Division(image_embeds, settings)
    if len(rows) <= settings.numerics.exact_rows:
        sizes, nearest = [len(rows)], torch.zeros(len(rows), dtype=torch.long)
    else:
        sizes, nearest = division.nearest(rows)
    order = nearest.argsort(stable=True)
    parts = _sorted(image_embeds, rows, nearest, sizes, room)
    del nearest
    cells = _cells(parts, sizes, division)
    within = torch.cat(cells) if cells else order
    embeds = _gathered(parts, cells, room)
    lengths = [len(cell) for cell in cells]
    graph = ordered_graph(embeds, lengths, settings)
    return OrderedPool(_with_graph(embeds, graph, settings), rows[order[within]])


def _sorted(
    image_embeds: ImageEmbeds, rows: Tensor, nearest: Tensor, sizes: list[int], room: Room
) -> Float[Tensor, "n D"]:
    """(n, D) by the part that each row belongs to; the pool is read once, in its own order."""
    made = room((len(rows), image_embeds.shape[1]), image_embeds.dtype)
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
    """The rows of ``parts`` in each cell."""
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


def _gathered(parts: Tensor, cells: list[Tensor], room: Room) -> Float[Tensor, "n D"]:
    """(n, D) in the order of the cells."""
    made, behind = room(tuple(parts.shape), parts.dtype), 0
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
    """None of their rows need stay in memory."""
    for array in arrays:
        leave((array,), slice(0, len(array)))


def _with_graph(embeds: Tensor, graph: Graph, settings: Refinement) -> PoolImages:
    """Images whose neighbours are known, and of which none stands there twice."""
    images = PoolImages(embeds, settings)
    images.__dict__.update(graph=graph, copies=None)
    return images
