"""How a pool is read: in chunks that stay in the processor's cache; for decisions, an even sample of its rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from clipgrip.mapped import is_mapped, let_go

CHUNK = 1024
"""Rows at a time: 2 MB of float32 at width 512. Larger chunks leave the cache, and each is new memory to be mapped."""


BEHIND = 64
"""Chunks of a file that stay with the process after they were read."""


def chunk_slices(rows: int, chunk: int = CHUNK, *, over: Sequence[Tensor] = ()) -> Iterator[slice]:
    """The rows in order, a chunk at a time; those ``over`` arrays in files leave memory once they are behind."""
    files, behind = [array for array in over if is_mapped(array)], 0
    for start in range(0, rows, chunk):
        if files and start >= behind + BEHIND * chunk:
            leave(files, slice(behind, start))
            behind = start
        yield slice(start, min(start + chunk, rows))
    leave(files, slice(behind, rows))


def leave(arrays: Sequence[Tensor], rows: slice) -> None:
    """These rows of arrays in files need not stay in memory."""
    for array in arrays:
        let_go(array, rows)


def even_sample(values: Tensor, rows: int) -> Tensor:
    """Every n-th row: all of less than twice ``rows``, of more between ``rows`` and twice as many.

    Of a file they are copied, and its pages let go: rows far apart touch all of it.
    """
    sample = values[:: max(1, len(values) // rows)]
    if not is_mapped(values):
        return sample
    sample = sample.clone()
    leave((values,), slice(0, len(values)))
    return sample
