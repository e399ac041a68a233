"""When did a score change? The images before which it most probably did, and between which two: after an alarm.

The posterior of one change point with equal chances beforehand: before it a share of the images in each bin as in the
reference, after it any (Dirichlet-multinomial marginal likelihoods; Barry & Hartigan, J. Am. Stat. Assoc. 1993). That
the alarm decided when to look does not move a posterior. A bet's own largest rise begins too early: while nothing
changes its wealth hardly falls, so it may date a change hundreds of images before it came.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from clipgrip_line.trust.ranks import BLOCK, Codes, Counts, Values

BINS = 10
PRIOR = 0.5
"""What each bin counts for beforehand (Jeffreys)."""
SURE = 0.95
"""Probability that the change lies between the first and the last place that are named."""


@dataclass(frozen=True)
class ChangePoint:
    """Images before the change: most probably, and at least and at most with a probability of `SURE`."""

    likeliest: int
    earliest: int
    latest: int


def change_point(bins: Codes, reference: Counts) -> ChangePoint:
    """Where among images with these ``bins`` (n,), n > 0, the shares of the bins changed.

    ``reference`` (B,): images in each bin that came before all of them.
    """
    each = (bins[:, None] == np.arange(len(reference))).astype(float)
    none = np.zeros((1, len(reference)))
    before = np.concatenate([none, each.cumsum(0)])[:-1]
    after = each[::-1].cumsum(0)[::-1]
    evidence = _log_marginal(reference + before) + _log_marginal(after)
    chances = np.exp(evidence - evidence.max())
    places = np.cumsum(chances / chances.sum())
    tail = (1 - SURE) / 2
    low, high = (int(np.searchsorted(places, share)) for share in (tail, 1 - tail))
    likeliest = int(evidence.argmax())
    return ChangePoint(likeliest, min(low, likeliest), max(min(high, len(bins) - 1), likeliest))


def binned(codes: Codes, seen: Counts) -> tuple[Codes, Counts]:
    """(n,) bins of the values of images, and (`BINS`,) what of the reference lies in each.

    The bins part both together evenly. ``seen``: (256, 256) how often each value came in the reference.
    """
    known = seen.reshape(BLOCK * BLOCK)
    counts = known + np.bincount(codes, minlength=BLOCK * BLOCK)
    middle = (counts.cumsum() - counts / 2) / counts.sum()
    place = np.minimum((BINS * middle).astype(np.int64), BINS - 1)
    return place[codes], np.bincount(place, weights=known, minlength=BINS).astype(np.int64)


def _log_marginal(counts: Values) -> Values:
    """(n,) log probability of images in their order, by the counts (n, B) of their bins."""
    bins = counts.shape[1]
    total = math.lgamma(PRIOR * bins) - _log_gamma(PRIOR * bins + counts.sum(1))
    return np.asarray(total + (_log_gamma(PRIOR + counts) - math.lgamma(PRIOR)).sum(1))


def _log_gamma(values: Values) -> Values:
    """Logarithm of the gamma function; NumPy has none, and the line has no SciPy."""
    return np.asarray(np.frompyfunc(math.lgamma, 1, 1)(values), dtype=np.float64)
