"""How a pool is read: in blocks that stay in the processor's cache; for decisions, an even sample of its rows."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

BLOCK = 1024
"""Rows at a time: 2 MB of float32 at width 512. Larger blocks leave the cache, and each is new memory to be mapped."""
MOST_ROWS = 50_000
"""From twice as many rows on, a decision about the whole pool reads an even sample of at least so many."""


def spans(rows: int, block: int = BLOCK) -> Iterator[slice]:
    """The rows in order, a block at a time."""
    for start in range(0, rows, block):
        yield slice(start, min(start + block, rows))


def even_sample(values: Tensor) -> Tensor:
    """Every n-th row: all of up to 100,000, of more ``MOST_ROWS`` to twice as many."""
    return values[:: max(1, len(values) // MOST_ROWS)]
