"""Sequences whose things are made when they are asked for, so that many millions are no objects before."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import TypeVar, overload

import numpy as np
from numpy.typing import NDArray

Thing = TypeVar("Thing")


class Listed(Sequence[Thing]):
    """So many things, each made from its place."""

    def __init__(self, count: int, make: Callable[[int], Thing]) -> None:
        self._places, self._make = range(count), make

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, place: int) -> Thing: ...
    @overload
    def __getitem__(self, place: slice) -> list[Thing]: ...
    def __getitem__(self, place: int | slice) -> Thing | list[Thing]:
        found = self._places[place]
        return self._make(found) if isinstance(found, int) else [self._make(n) for n in found]


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
