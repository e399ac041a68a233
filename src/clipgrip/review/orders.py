"""Images in one order, sorted once for all answers to come: a queue then only leaves out what has been answered."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from clipgrip.review.states import Ints, Mask

BLOCK = 16_384
"""Rows that are looked at together for the first few of a queue."""


@dataclass(frozen=True, eq=False)
class Order:
    """Rows of all images in one order, and those of each class of the model's answers in the same."""

    rows: Ints = field(repr=False)
    _by_class: Ints = field(repr=False)
    _classes: Ints = field(repr=False)
    """The class of each of ``_by_class``, ascending."""

    @classmethod
    def of(cls, keys: np.ndarray, labels: Ints) -> Order:
        """By ascending keys (N,), equal ones by their row; ``labels`` (N,) are class ids."""
        rows = np.argsort(keys, kind="stable")
        by_class = rows[np.argsort(labels[rows], kind="stable")]
        return cls(rows, by_class, labels[by_class])

    def among(self, klass: int | None) -> Ints:
        """All rows, or those that the model takes for a class."""
        if klass is None:
            return self.rows
        first, end = np.searchsorted(self._classes, [klass, klass + 1])
        return self._by_class[first:end]

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
