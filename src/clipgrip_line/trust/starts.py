"""Bets that may begin at any time: the average over starts.

Source: Shin, Ramdas & Rinaldo (arXiv 2203.03532).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Answers = NDArray[np.bool_]
Values = NDArray[np.float64]


def over_starts(factors: Values, weights: Values) -> Values:
    """(n,) wealth of a bet that may begin at any time: the average, by ``weights`` (n,), over all starting times.

    ``E_t = sum over s <= t of weights_s * product of factors s..t + what of the weights has not started``, in one pass:
    for a change that comes at an unknown time. The weights are fixed before and sum to at most 1.
    """
    started, waiting, path = 0.0, 1.0, np.empty(len(factors))
    for t, (factor, weight) in enumerate(zip(factors.tolist(), weights.tolist(), strict=True)):
        waiting -= weight
        started = factor * (started + weight)
        path[t] = started + waiting
    return path
