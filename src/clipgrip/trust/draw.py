"""In which order the images of a pool are asked, and which of them may count: fixed before the first answer."""

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

    Of a uniform draw a beginning is answered. Of one that draws *apart*, a beginning within each group, as long as each
    needs: within a group the order is as random, so each group is read by itself.
    """

    order: Whole = field(repr=False)
    plan: int | None = None
    """Answers at which an exact test is read, if that was fixed before; a uniform draw alone has one."""
    apart: bool = False

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
        """The rows of a group (N,), in their order."""
        return self.order[inside[self.order]]

    def check(self, pool: Answered, rows: Whole, groups: Sequence[Group]) -> None:
        """DataError where the answered ``rows`` (n,), in their order, are not the beginning of this draw."""
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
