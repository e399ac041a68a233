"""What a promise is about: groups of answers, each with its own kind of error, and thresholds of confidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from clipgrip_line.trust.scope import group_name as group_name

Whole = NDArray[np.int64]
Numbers = NDArray[np.float64]
Truths = NDArray[np.bool_]

QUANTILES = 40
PER_DECADE, DECADES = 12, 7


@dataclass(frozen=True)
class Answered:
    """The model's answers for a pool: class (N,) and confidence (N,), rows in manifest order."""

    labels: Whole = field(repr=False)
    confidence: Numbers = field(repr=False)

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Group:
    """Answers with a promise of their own."""

    name: str
    called: Truths = field(repr=False)
    """(C,) the answers that belong to the group."""
    wrong: Truths = field(repr=False)
    """(C, C) whether ``wrong[answer, truth]`` is an error."""

    def members(self, labels: Whole) -> Truths:
        """(N,) which answers belong to the group."""
        return self.called[labels]


def overall(n_classes: int) -> tuple[Group, ...]:
    """One group: every answer, wrong where it is not the truth."""
    return (Group("all", np.ones(n_classes, bool), ~np.eye(n_classes, dtype=bool)),)


def per_class(names: Sequence[str]) -> tuple[Group, ...]:
    """A group for each class that can be answered."""
    different, one = ~np.eye(len(names), dtype=bool), np.eye(len(names), dtype=bool)
    return tuple(Group(name, one[c], different) for c, name in enumerate(names))


def misses_and_overkill(n_classes: int, ok: Sequence[int]) -> tuple[Group, Group]:
    """OK answers, wrong where the truth is a defect (miss); defect answers, wrong where it is OK (overkill).

    One defect taken for another is neither.
    """
    good = np.zeros(n_classes, bool)
    good[list(ok)] = True
    apart = good[:, None] != good[None, :]
    return Group("misses", good, apart), Group("overkill", ~good, apart)


def against_all(labels: Whole, groups: Sequence[Group]) -> Whole:
    """(n,) for each answer a truth that makes it an error in its group, to stand for a truth that nobody can tell.

    Not just any other class would do: one defect taken for another is neither a miss nor overkill.
    """
    return np.asarray(_wrong_in(groups).argmax(1)[labels], dtype=np.int64)


def count_every_error(groups: Sequence[Group]) -> bool:
    """Whether every answer that is not the truth is an error; not with groups where one defect may pass for another."""
    wrong = _wrong_in(groups)
    return bool(wrong.sum() == len(wrong) * (len(wrong) - 1))


def _wrong_in(groups: Sequence[Group]) -> Truths:
    """(C, C) whether an answer (row) is an error in its group at a truth (column)."""
    return np.asarray(np.any([group.called[:, None] & group.wrong for group in groups], axis=0))


def pool_levels(confidence: Numbers) -> Numbers:
    """Thresholds from strict to wide at quantiles of this pool; equal confidences are never parted."""
    if len(confidence) == 0:
        return np.zeros(0)
    shares = np.linspace(1, 0, QUANTILES + 1)[1:]
    places = np.floor(shares * (len(confidence) - 1)).astype(np.int64)  # numpy's "lower" quantile
    return np.unique(np.sort(confidence)[places])[::-1]


def source_levels() -> Numbers:
    """Thresholds from strict to wide that depend on no data: 1 - 10^(-x), and 0."""
    steps = np.arange(DECADES * PER_DECADE, -1, -1) / PER_DECADE
    return np.concatenate([[1.0], 1 - 10.0**-steps])
