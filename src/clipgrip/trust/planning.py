"""How many answers a promise needs: before an audit (`plan_size`), and during it (`more_answers`)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cache
from math import ceil

import numpy as np
from scipy import stats

from clipgrip.sentences import mark
from clipgrip.trust.bounds import most_inside, pool_p_value, rate_p_value
from clipgrip.trust.promise import Promise
from clipgrip.trust.proof import Null, proof
from clipgrip.trust.scope import Answered, Group, Truths, Whole
from clipgrip.trust.terms import Terms

POWER = 0.8
"""Probability with which a plan succeeds."""
MOST_WRONG = 400
"""Most wrong answers that a plan allows for."""
GROWTH = 1.1
"""Step of the searches: each size tried is so many times the one before."""
WORTH = 0.5
"""Share of the images that the usual plan can prove."""


@cache
def plan_size(
    size: int,
    terms: Terms,
    *,
    share: float = 1.0,
    error: float = 0.0,
    power: float = POWER,
) -> int | None:
    """The fewest planned answers that prove ``share`` of ``size`` images with probability ``power``; None if none do.

    A share ``error`` of these is assumed to be wrong. The exact test is read once, with all of alpha.
    """
    scope, alpha = max(1, round(share * size)), terms.alpha
    for most in _counts():
        answers = _fewest(scope, size, terms, alpha, most)
        if answers is None:
            return None
        if float(stats.binom.cdf(most, answers, error)) >= power:
            drawn = ceil(answers * size / scope)
            return drawn if drawn < size else None
    return None


HALF = mark(
    " {n} answers can promise half of the images at these terms, if none is wrong; each answer more leaves one image "
    "less to the model."
)
NONE_PROVES = mark(" At these terms no number of answers proves anything: allow more errors.")


def usual_plan(size: int, terms: Terms) -> int | None:
    """The planned answers if nobody says how many: enough to promise half of the images, if none is wrong."""
    return plan_size(size, terms, share=WORTH) or plan_size(size, terms)


def more_answers(
    promise: Promise, pool: Answered, rows: Whole, truth: Whole, groups: Sequence[Group]
) -> dict[str, int | None]:
    """By group: answers beyond ``rows`` (n,) until the whole group is promised with probability `POWER`.

    The group's error rate is assumed to stay that of the answers so far. 0 if it is promised already, None if no size
    of audit is enough.
    """
    needed: dict[str, int | None] = {}
    tested = {one.group for one in promise.wider}
    for group, scope in zip(groups, promise.scopes, strict=True):
        inside = group.members(pool.labels)
        members = inside[rows]
        wrong = group.wrong[pool.labels[rows], truth][members]
        size = int(inside.sum())
        inner = (
            None
            if group.name not in tested
            else _further(wrong, size, promise.terms, promise.alpha)
        )
        rest = size - len(wrong)
        left = rest if promise.apart else len(pool) - len(rows)
        needed[group.name] = (
            0 if scope.whole else None if inner is None else ceil(inner * left / max(1, rest))
        )
    return needed


def _further(wrong: Truths, size: int, terms: Terms, alpha: float) -> int | None:
    """Further answers within a group of ``size`` until the bets prove it; wrong ones to come are spread evenly."""
    null = (
        Null(None, terms.max_error)
        if terms.about == "source"
        else Null.of_pool(size, terms.max_error * size)
    )
    rate = (wrong.sum() + 0.5) / (len(wrong) + 1) if len(wrong) else 0.0
    more = 1
    while len(wrong) + more <= size:
        errors = int(stats.binom.ppf(POWER, more, rate))
        coming = np.diff(np.floor(np.linspace(0, errors, more + 1) + 1e-9)) > 0
        if proof(np.concatenate([wrong, coming]), null, alpha).max() >= 1:
            return more
        more = ceil(more * GROWTH) if more > 1 else 2
    return None


def _counts() -> Iterator[int]:
    most = 0
    while most <= MOST_WRONG:
        yield most
        most = max(most + 1, int(most * GROWTH))


def _fewest(scope: int, size: int, terms: Terms, alpha: float, most: int) -> int | None:
    """The fewest answers within the scope at which the exact test still passes with ``most`` wrong ones."""

    def passes(answers: int) -> bool:
        if terms.about == "source":
            return float(rate_p_value(most, answers, terms.max_error)) <= alpha
        drawn = min(size, ceil(answers * size / scope))
        out = int(most_inside(scope, size, drawn)) if terms.about == "decided" else 0
        allowed = int(np.floor(terms.max_error * (scope - out) + 1e-9))
        return float(pool_p_value(most, answers, scope, allowed)) <= alpha

    low = high = most + 1
    while not passes(high):
        low, high = high + 1, ceil(high * GROWTH) + 1
        if high >= scope:
            return None
    return low + bisect_left(range(low, high), True, key=passes)
