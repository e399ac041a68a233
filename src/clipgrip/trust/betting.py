"""Tests by betting: wealth processes that do not grow on average under the null, so they may be read at any time.

A wealth that starts at 1 and whose factors have a mean of at most 1 under the null (a nonnegative supermartingale) ever
reaches 1/alpha with a probability of at most alpha (Ville 1939). No time of reading has to be fixed before, and a
weighted mean of such wealths is one, too. Source: Waudby-Smith & Ramdas (arXiv 2010.09686; without replacement
2006.04347).

Answers are (n,) booleans in the order of the draw, true where wrong. A *chance* is the smallest probability that the
next answer is wrong under the null.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Answers = NDArray[np.bool_]
Values = NDArray[np.float64]

MIXTURE = ((0.0, 0.4), (0.1, 0.15), (0.25, 0.2), (0.5, 0.15), (0.7, 0.1))
"""Bets (the factor on the wealth after a wrong answer) and their weights, which sum to 1."""


def pool_chances(wrong: Answers, size: int, null: int) -> Values:
    """(n,) ``(null - wrong before) / (size - answers before)``, for draws without replacement from a pool.

    The null is that ``null`` of its ``size`` images are wrong. Above 1 it is refuted: more wrong ones would have to be
    left than images are.
    """
    before: Any = np.cumsum(wrong) - wrong
    return np.asarray((null - before) / (size - np.arange(len(wrong))), dtype=float)


def stream_chances(answers: int, rate: float) -> Values:
    """(n,) a constant chance, for new images of a source whose error rate is ``rate`` under the null."""
    return np.full(answers, float(rate))


def factors(wrong: Answers, chances: Values, bet: float | Values) -> Values:
    """(n,) ``bet`` where wrong, ``(1 - bet m) / (1 - m)`` where right, at a chance m; infinite where m is 1 or more.

    The mean is 1 at the chance itself and less above it, for every bet in [0, 1). Of bets (B, 1) it is (B, n).
    """
    left = np.clip(1 - chances, 0.0, 1.0)
    with np.errstate(divide="ignore"):
        right = (1 - bet * (1 - left)) / left
    return np.where(wrong & (chances < 1 + 1e-12), bet, right)


def wealth(
    wrong: Answers, chances: Values, mixture: tuple[tuple[float, float], ...] = MIXTURE
) -> Values:
    """(n,) the wealth after each answer: ``sum of weight * product of factors(bet)`` over the mixture."""
    bets, weights = np.array(mixture).T[:, :, None]
    return np.asarray((weights * _products(factors(wrong, chances, bets))).sum(0))


def critical(size: int | None, null: float, planned: int, alpha: float) -> tuple[int, float]:
    """Most wrong ones with which the exact test of ``planned`` answers rejects, and the test's true level.

    Hypergeometric with ``null`` wrong ones in a pool of ``size``; where that is None, binomial at the rate ``null``.
    (-1, 0) where no count rejects.
    """
    if size is not None and null > size:
        return planned, 0.0
    mean = planned * (null if size is None else null / size)
    highest = planned if alpha >= 0.5 else min(planned, int(mean) + 1)  # the median is lower
    counts = np.arange(highest + 1)
    levels: Any = (
        stats.binom.cdf(counts, planned, null)
        if size is None
        else stats.hypergeom.cdf(counts, size, int(null), planned)
    )
    most = int(np.searchsorted(levels, alpha * (1 + 1e-9), side="right")) - 1
    return most, float(levels[most]) if most >= 0 else 0.0


def deadline(wrong: Answers, size: int | None, null: float, planned: int, most: int) -> Values:
    """(n,) probability under the null, after each answer, that the exact test of ``planned`` answers will reject.

    ``P(wrong so far + those to come <= most)``: Doob's martingale of the test, which starts at its level and ends at 1
    where it rejects, else at 0. It stays there when answers go on beyond the plan.
    """
    n = min(len(wrong), planned)
    so_far, left = np.cumsum(wrong[:n]), planned - np.arange(1, n + 1)
    if size is None:
        path: Any = stats.binom.cdf(most - so_far, left, null)
    else:
        rest, wrong_left = size - np.arange(1, n + 1), int(null) - so_far
        possible = (wrong_left >= 0) & (wrong_left <= rest)
        path = stats.hypergeom.cdf(most - so_far, rest, np.where(possible, wrong_left, 0), left)
        path = np.where(wrong_left < 0, so_far <= most, np.where(wrong_left > rest, 1.0, path))
    path = np.where(so_far > most, 0.0, path)
    last = path[-1] if n else 0.0
    return np.concatenate([path, np.full(len(wrong) - n, last)])


def _products(factors: Values) -> Values:
    """(..., n) running products; once 0 they stay 0, even if a later factor is infinite."""
    with np.errstate(invalid="ignore", over="ignore"):
        found = np.cumprod(factors, axis=-1)
    return np.where(np.isnan(found), 0.0, found)
