"""What follows from the sizes of groups before the first answer: which are tested, and how many answers count."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import ceil, inf

import numpy as np

from clipgrip.trust.proof import Null, right_needed
from clipgrip.trust.scope import Answered, Group
from clipgrip.trust.terms import Terms

FEW = 2
"""Up to so many groups all share alpha, whatever their sizes."""
SLACK = 1.5
"""For a group drawn apart, so many times the answers that prove it without an error count for *decided*."""


def provable(pool: Answered, groups: Sequence[Group], terms: Terms) -> list[Group]:
    """The groups that share alpha: of many, as many of the largest as right answers for half their images could prove.

    Sizes depend on no answer of the audit.
    """
    sizes = [int(group.members(pool.labels).sum()) for group in groups]
    if len(groups) <= FEW:
        return [group for group, size in zip(groups, sizes, strict=True) if size]
    order = sorted(range(len(groups)), key=lambda n: -sizes[n])
    for k in range(len(order), 0, -1):
        size = sizes[order[k - 1]]
        if size and size / 2 >= _right_alone(size, terms, terms.alpha / k):
            return [groups[n] for n in sorted(order[:k])]
    return []


def _right_alone(size: int, terms: Terms, alpha: float) -> float:
    """Right answers in a row that prove a group of ``size``; infinite if no number does."""
    error = terms.max_error
    null = Null(None, error) if terms.about == "source" else Null.of_pool(size, error * size)
    right = right_needed(np.zeros(0, bool), null, alpha)
    return inf if right is None else right


@cache
def deciding(size: int, error: float, alpha: float) -> int:
    """Answers that count for *decided* in a group of ``size``: `SLACK` times those that prove the rest, all right."""
    none, few = np.zeros(0, bool), 1
    while few <= size // 2:
        right = right_needed(none, Null.of_pool(size, error * (size - few)), alpha)
        if right is None:
            break
        if SLACK * right <= few:
            return few
        few = max(few + 1, ceil(SLACK * right))
    return size // 2
