"""Sequences that lie in memory as columns: each thing is made when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import eq
from typing import TypeVar

Thing = TypeVar("Thing")


class Columns(Sequence[Thing]):
    """Equal to any sequence of equal things."""

    def __iter__(self) -> Iterator[Thing]:
        return (self[place] for place in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(map(eq, self, other))

    __hash__ = None  # type: ignore[assignment]
