"""Sequences that make each item on access, so that millions of images need no object each until one is read."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from operator import eq
from typing import TypeVar, overload

import numpy as np
from numpy.typing import NDArray

Item = TypeVar("Item")


class LazySequence(Sequence[Item]):
    """A base for sequences stored as columns; equal to any sequence of equal items.

    A subclass gives ``__len__`` and `_item_at`; one that can slice its columns overrides `_items_at` too.
    """

    def _item_at(self, position: int) -> Item:
        raise NotImplementedError

    def _items_at(self, positions: range) -> Sequence[Item]:
        return [self._item_at(position) for position in positions]

    @overload
    def __getitem__(self, position: int) -> Item: ...
    @overload
    def __getitem__(self, position: slice) -> Sequence[Item]: ...
    def __getitem__(self, position: int | slice) -> Item | Sequence[Item]:
        found = range(len(self))[position]  # a range resolves negative positions and IndexError
        return self._item_at(found) if isinstance(found, int) else self._items_at(found)

    def __iter__(self) -> Iterator[Item]:
        return map(self._item_at, range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(map(eq, self, other))

    __hash__ = None  # type: ignore[assignment]


class LazyItems(LazySequence[Item]):
    """``count`` items; ``make`` gives the one at a position."""

    def __init__(self, count: int, make: Callable[[int], Item]) -> None:
        self._count, self._make = count, make

    def __len__(self) -> int:
        return self._count

    def _item_at(self, position: int) -> Item:
        return self._make(position)


def selected(items: Sequence[Item], positions: NDArray[np.int64]) -> Sequence[Item]:
    """Some of the items, in the order of ``positions``, none of which stands twice.

    As many positions as there are items have to be all of them in order; the items themselves are returned then.
    """
    if len(positions) == len(items):
        return items
    return LazyItems(len(positions), lambda number: items[int(positions[number])])


def concatenated(*groups: Sequence[Item]) -> Sequence[Item]:
    """The items of all groups, one group after another."""
    filled = [group for group in groups if len(group)]
    if len(filled) < 2:
        return filled[0] if filled else ()
    ends = [0, *accumulate(map(len, filled))]

    def item(position: int) -> Item:
        number = bisect_right(ends, position) - 1
        return filled[number][position - ends[number]]

    return LazyItems(ends[-1], item)
