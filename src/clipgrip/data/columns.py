"""Sequences whose things are made when they are asked for, so that many millions are no objects before."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from operator import eq
from typing import TypeVar, overload

import numpy as np
from numpy.typing import NDArray

Thing = TypeVar("Thing")


class Columns(Sequence[Thing]):
    """Equal to any sequence of equal things. Who derives says how long it is, and what stands at a place."""

    def _one(self, place: int) -> Thing:
        raise NotImplementedError

    def _some(self, places: range) -> Sequence[Thing]:
        return [self._one(place) for place in places]

    @overload
    def __getitem__(self, place: int) -> Thing: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Thing]: ...
    def __getitem__(self, place: int | slice) -> Thing | Sequence[Thing]:
        found = range(len(self))[place]
        return self._one(found) if isinstance(found, int) else self._some(found)

    def __iter__(self) -> Iterator[Thing]:
        return map(self._one, range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(map(eq, self, other))

    __hash__ = None  # type: ignore[assignment]


class Listed(Columns[Thing]):
    """So many things, each made from its place."""

    def __init__(self, count: int, make: Callable[[int], Thing]) -> None:
        self._count, self._make = count, make

    def __len__(self) -> int:
        return self._count

    def _one(self, place: int) -> Thing:
        return self._make(place)


def picked(things: Sequence[Thing], places: NDArray[np.int64]) -> Sequence[Thing]:
    """Some of the things, in the order of the places."""
    if len(places) == len(things):
        return things
    return Listed(len(places), lambda number: things[int(places[number])])


def chained(*groups: Sequence[Thing]) -> Sequence[Thing]:
    """All things of the groups, one group behind the other."""
    filled = [group for group in groups if len(group)]
    if len(filled) < 2:
        return filled[0] if filled else ()
    ends = [0, *accumulate(map(len, filled))]

    def made(place: int) -> Thing:
        number = bisect_right(ends, place) - 1
        return filled[number][place - ends[number]]

    return Listed(ends[-1], made)
