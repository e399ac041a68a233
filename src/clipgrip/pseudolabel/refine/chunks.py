"""How a pool is read: in chunks that stay in the processor's cache; for decisions, an even sample of its rows."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

CHUNK = 1024
"""Rows at a time: 2 MB of float32 at width 512. Larger chunks leave the cache, and each is new memory to be mapped."""


def chunk_slices(rows: int, chunk: int = CHUNK) -> Iterator[slice]:
    """The rows in order, a chunk at a time."""
    for start in range(0, rows, chunk):
        yield slice(start, min(start + chunk, rows))


def even_sample(values: Tensor, rows: int) -> Tensor:
    """Every n-th row: all of less than twice ``rows``, of more between ``rows`` and twice as many."""
    return values[:: max(1, len(values) // rows)]
