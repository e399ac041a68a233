"""Images in one order, sorted once for all answers to come: a queue then only leaves out what has been answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from clipgrip.review.states import Ints, Mask

BLOCK = 16_384
"""Rows that are looked at together for the first few of a queue."""


@dataclass(frozen=True, eq=False)
class Order:
    """Rows of all images in one order, and those of each class of the model's answers in the same."""

    rows: Ints = field(repr=False)
    _labels: Ints = field(repr=False)
    """(N,) the class of each row."""

    @classmethod
    def of(cls, keys: np.ndarray, labels: Ints) -> Order:
        """By ascending keys (N,), equal ones by their row; ``labels`` (N,) are class ids."""
        return cls(np.argsort(keys, kind="stable"), labels)

    @cached_property
    def _by_class(self) -> tuple[Ints, Ints]:
        """The rows class by class, and the class of each, ascending: sorted when a class is asked for."""
        by_class = self.rows[np.argsort(self._labels[self.rows], kind="stable")]
        return by_class, self._labels[by_class]

    def among(self, klass: int | None) -> Ints:
        """All rows, or those that the model takes for a class."""
        if klass is None:
            return self.rows
        rows, classes = self._by_class
        first, end = np.searchsorted(classes, [klass, klass + 1])
        return rows[first:end]

    def first(self, wanted: Mask, n: int, klass: int | None = None) -> Ints:
        """The first ``n`` of these that are ``wanted`` (N,): no more rows are looked at than that takes."""
        rows, found, count = self.among(klass), [], 0
        for start in range(0, len(rows), BLOCK):
            block = rows[start : start + BLOCK]
            found.append(block[wanted[block]])
            count += len(found[-1])
            if count >= n:
                break
        return np.concatenate(found)[:n] if found else rows[:0]
