"""The order in which an audit asks about the images of a pool, fixed before the first answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from clipgrip.errors import DataError
from clipgrip.sentences import mark
from clipgrip.trust.scope import Answered, Group, Truths, Whole


@dataclass(frozen=True)
class Draw:
    """Rows (N,) of a pool in a random order that depends on no answer.

    The answered rows are the first of the order. If groups are drawn *apart*, they are the first of the order within
    each group, as many as each group needs; within a group the order is random too, so each is a sample of its own.
    """

    order: Whole = field(repr=False)
    plan: int | None = None
    """Answers at which an exact test is read, if that was fixed before; only without *apart*."""
    apart: bool = False
    """Whether each group is drawn by itself."""

    def __post_init__(self) -> None:
        if self.apart and self.plan is not None:
            raise DataError(
                mark("a draw for each group apart has no planned size. Leave out the plan.")
            )

    @property
    def planned(self) -> Whole | None:
        """The rows up to the plan."""
        return None if self.plan is None else self.order[: self.plan]

    def within(self, inside: Truths) -> Whole:
        """The rows of a group ``inside`` (N,), in the order of the draw."""
        return self.order[inside[self.order]]

    def check(self, pool: Answered, rows: Whole, groups: Sequence[Group]) -> None:
        """DataError unless the answered ``rows`` (n,) are the first of this draw in its order, or of each group."""
        insides = (
            [g.members(pool.labels) for g in groups] if self.apart else [np.ones(len(pool), bool)]
        )
        for inside in insides:
            answered = rows[inside[rows]]
            if (self.within(inside)[: len(answered)] != answered).any():
                raise DataError(
                    mark(
                        "the answers are not those of the planned draw. Give its rows in their order, without a gap."
                    )
                )
