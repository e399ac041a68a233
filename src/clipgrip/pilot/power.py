"""How many answers a pilot needs, and how likely each judgement is when the truth is known.

Exact by the binomial distribution; the normal approximation stands beside it, for it is what most tables give.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from clipgrip.errors import ConfigError
from clipgrip.pilot.criteria import Criterion, Rule
from clipgrip.trust.audit import audit_size
from clipgrip.trust.bounds import rate_bound

Z = 1.959964
"""Standard normal quantile of a two-sided 95% interval."""
POWER = 0.8
MOST = 20_000
"""Answers beyond which no pilot goes."""

Whole = NDArray[np.int64]


@dataclass(frozen=True)
class Chance:
    """Probability of each judgement from ``answers`` answers when the true share is ``truth``.

    ``normal`` is the probability of yes by the normal approximation.
    """

    truth: float
    answers: int
    yes: float
    conditions: float
    no: float
    normal: float


def chance(criterion: Criterion, rule: Rule, answers: int, truth: float) -> Chance:
    """The chances of a criterion that a sample decides; exact, by the binomial distribution.

    ConfigError: a truth that is no share.
    """
    if not 0 <= truth <= 1:
        raise ConfigError(
            "the assumed truth is {truth}; it has to be a share from 0 to 1.", truth=f"{truth:g}"
        )
    yes = _probability(criterion, yes_counts(criterion, rule, answers), answers, truth)
    at_least = _probability(criterion, _edge_counts(criterion, answers), answers, truth)
    passed = max(yes, at_least)
    return Chance(
        truth, answers, yes, passed - yes, 1 - passed, _normal(criterion, rule, answers, truth)
    )


def yes_counts(criterion: Criterion, rule: Rule, answers: ArrayLike) -> Whole:
    """How many of ``answers`` (right ones, misses or overkill) just give a yes; ``n + 1`` or -1 where none does.

    The end of Wilson's interval reaches the limit L where the count is ``n L ± z sqrt(n L (1 - L))`` (score test).
    """
    n = np.asarray(answers, dtype=np.int64)
    limit = criterion.limit
    margin = Z * np.sqrt(n * limit * (1 - limit)) if rule == "proven" else np.zeros(n.shape)
    if criterion.higher:
        return np.minimum(_up(n * limit + margin), n + 1)
    return np.maximum(_down(n * limit - margin), -1)


def answers_for_yes(criterion: Criterion, rule: Rule, truth: float) -> int | None:
    """Answers from which on yes has a probability of `POWER`; None where no number up to ``MOST`` is enough.

    The exact chance is a saw: the number returned holds for the following tenth as well.
    """
    tried = np.arange(1, MOST)
    counts = yes_counts(criterion, rule, tried)
    share: Any = (
        stats.binom.sf(counts - 1, tried, truth)
        if criterion.higher
        else stats.binom.cdf(counts, tried, truth)
    )
    failing = np.flatnonzero(share < POWER)
    if len(failing) == 0:
        return 1
    gaps = np.append(failing[1:], len(tried))
    for last, following in zip(failing.tolist(), gaps.tolist(), strict=True):
        answers = int(tried[last]) + 1
        if following >= 1.1 * answers:
            return answers
    return None


@dataclass(frozen=True)
class Precision:
    """Answers for a half width of the 95% interval: by the normal approximation, and exact (Clopper and Pearson)."""

    half_width: float
    expected: float
    normal: int
    exact: int

    @property
    def answers(self) -> int:
        """The larger of the two."""
        return max(self.normal, self.exact)


def answers_for_precision(half_width: float, expected: float) -> Precision:
    """Answers until the share is known ± ``half_width``, if it comes out as ``expected``.

    ConfigError: a half width that is not above 0 and below one half.
    """
    if not 0 < half_width < 0.5:
        raise ConfigError(
            "precision is {half_width}; the half width of an interval lies between 0 and 0.5, as "
            "in 0.05 for ±5 points.",
            half_width=f"{half_width:g}",
        )
    normal = audit_size(half_width, error=1 - expected)
    exact = _smallest(1, lambda answers: exact_half_width(answers, expected) <= half_width)
    return Precision(half_width, expected, normal, exact)


def exact_half_width(answers: int, expected: float) -> float:
    """Half width of the two-sided exact 95% interval (Clopper and Pearson, 1934) of a share seen as ``expected``."""
    wrong = round(answers * (1 - expected))
    high = rate_bound(wrong, answers, 0.025)
    low = 1 - rate_bound(answers - wrong, answers, 0.025)
    return (high - low) / 2


def draw_size(wanted: int, share: float) -> int:
    """Images to draw at random until ``wanted`` of a kind with that share are among them, with probability `POWER`.

    Smallest n with P(Binomial(n, share) >= wanted) >= POWER.
    """
    return _smallest(wanted, lambda n: bool(stats.binom.sf(wanted - 1, n, share) >= POWER))


def _smallest(low: int, is_enough: Callable[[int], bool]) -> int:
    """The smallest number from ``low`` on that is enough, as all above it are."""
    high = max(2 * low, 2)
    while not is_enough(high):
        low, high = high, 2 * high
    return low + bisect_left(range(low, high), True, key=is_enough)


def _edge_counts(criterion: Criterion, answers: int) -> Whole:
    edge = np.asarray(answers * criterion.edge)
    return _up(edge) if criterion.higher else _down(edge)


def _probability(criterion: Criterion, count: Whole, answers: int, truth: float) -> float:
    if criterion.higher:
        return float(stats.binom.sf(int(count) - 1, answers, truth))
    return float(stats.binom.cdf(int(count), answers, truth))


def _normal(criterion: Criterion, rule: Rule, answers: int, truth: float) -> float:
    """P(yes) with the estimate ~ N(truth, truth (1 - truth) / n), Wald's interval where it has to be proven."""
    spread = (truth * (1 - truth) / answers) ** 0.5
    ahead = truth - criterion.limit if criterion.higher else criterion.limit - truth
    if spread == 0:
        return float(ahead >= 0)
    return float(stats.norm.cdf(ahead / spread - (Z if rule == "proven" else 0.0)))


def _up(value: NDArray[np.float64]) -> Whole:
    return np.ceil(value - 1e-9).astype(np.int64)


def _down(value: NDArray[np.float64]) -> Whole:
    return np.floor(value + 1e-9).astype(np.int64)
