"""Which images of each group are asked next, where groups are drawn apart: as many as prove it if all are right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from clipgrip.trust.promise import Promise
from clipgrip.trust.scope import Answered, Group, Whole


@dataclass(frozen=True)
class Further:
    """Rows (n,) to be asked in the order of the draw, and how many of them in each group."""

    rows: Whole = field(repr=False)
    by_group: dict[str, int]


def further(
    promise: Promise,
    pool: Answered,
    rows: Whole,
    groups: Sequence[Group],
    order: Whole,
    *,
    most: int | None = None,
) -> Further:
    """The images beyond the answered ``rows`` (n,) that pay: those that may free more images than they cost.

    With at most so many, first the groups that free the most images per answer.
    """
    called, by_group, taken = {group.name: group.called for group in groups}, {}, []
    left = len(pool) if most is None else most
    answered = np.zeros(len(pool), bool)
    answered[rows] = True
    for one in promise.paying:
        draws = one.draws or 0
        if draws > left:
            continue
        inside = called[one.group][pool.labels]
        taken.append(order[(inside & ~answered)[order]][:draws])
        by_group[one.group] = len(taken[-1])
        left -= len(taken[-1])
    chosen = np.zeros(len(pool), bool)
    for some in taken:
        chosen[some] = True
    return Further(order[chosen[order]], by_group)
