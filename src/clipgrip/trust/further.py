"""Which images an audit asks about next, if groups are drawn apart: per group what proves more if all are right."""

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
    """The next images, beyond the answered ``rows`` (n,), of groups where a proof frees more images than it costs.

    At most ``most`` of them, from groups with the most images per answer first.
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
