"""Exact bounds and p-values of a share of wrong answers; nothing is assumed about the model.

Hypergeometric where a finite pool is sampled without replacement, binomial (Clopper and Pearson, Biometrika 1934) where
images come from a source without end. Counts may be numbers or arrays.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Values = NDArray[np.float64]


def pool_p_value(
    wrong: ArrayLike, audited: ArrayLike, size: ArrayLike, allowed: ArrayLike
) -> Values:
    """Probability of at most ``wrong`` in the sample where the pool of ``size`` holds ``allowed + 1`` wrong ones.

    The p-value of "more than ``allowed`` are wrong"; 0 where the pool is too small for that to be.
    """
    wrong, audited, size, allowed = np.broadcast_arrays(
        *map(_whole, (wrong, audited, size, allowed))
    )
    possible = allowed < size
    errors = np.where(possible, allowed + 1, 0)
    below: Any = stats.hypergeom.cdf(wrong, size, errors, audited)
    return np.where(possible, np.nan_to_num(below, nan=1.0), 0.0)


def rate_p_value(wrong: ArrayLike, audited: ArrayLike, rate: float) -> Values:
    """Probability of at most ``wrong`` among ``audited`` at an error rate of ``rate``: the p-value of a higher rate."""
    return np.asarray(stats.binom.cdf(wrong, audited, rate), dtype=float)


def rate_bound(wrong: int, audited: int, alpha: float) -> float:
    """Upper confidence bound of the error rate at level 1 - ``alpha``: Clopper and Pearson, one-sided."""
    if wrong >= audited:
        return 1.0
    return float(stats.beta.ppf(1 - alpha, wrong + 1, audited - wrong))


def most_inside(size: ArrayLike, total: int, counted: ArrayLike) -> NDArray[np.int64]:
    """Most audit answers to expect within a scope of ``size``, if ``counted`` are drawn from ``total`` images.

    Three standard deviations above the mean of the hypergeometric distribution.
    """
    size, counted = _whole(size), _whole(counted)
    share = size / max(1, total)
    spread = np.sqrt(counted * share * (1 - share) * (total - counted) / max(1, total - 1))
    return np.minimum(np.minimum(size, counted), _whole(np.ceil(counted * share + 3 * spread)))


def _whole(value: ArrayLike) -> NDArray[np.int64]:
    return np.asarray(value, dtype=np.int64)


def change_p_value(put_right: int, put_wrong: int) -> float:
    """Two-sided p-value of "both versions are equally good"; 1 if no image changed between right and wrong.

    McNemar's exact test (Psychometrika 1947) on the same images.
    """
    changed = put_right + put_wrong
    if not changed:
        return 1.0
    return float(min(1.0, 2 * stats.binom.cdf(min(put_right, put_wrong), changed, 0.5)))
