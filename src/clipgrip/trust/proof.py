"""The proof that a scope keeps what is promised: bets alone, or an exact test at a planned size with bets beside it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from clipgrip.trust.betting import (
    Answers,
    Values,
    critical,
    deadline,
    pool_chances,
    stream_chances,
    wealth,
)

FARTHEST = 5000
"""Most right answers in a row that `right_needed` looks ahead."""
STEP = 250
"""Answers that it looks ahead first; then twice as many each time."""
REMEMBERED, LONGEST = 512, 10_000
"""Wealths that are cached, as one more answer changes those of few groups and scopes; and the most answers of a cached
one. Together at most 50 MB."""


@dataclass(frozen=True)
class Null:
    """At least ``wrong`` of ``size`` images are wrong; without a size, the error rate is at least ``wrong``."""

    size: int | None
    wrong: float

    @classmethod
    def of_pool(cls, size: int, allowed: float) -> Null:
        """The null that more than ``allowed`` of ``size`` images are wrong."""
        return cls(size, int(cls.wrong_of(np.array(allowed))))

    @staticmethod
    def wrong_of(allowed: Values) -> NDArray[np.int64]:
        """(...) the smallest whole number above ``allowed``, with a tolerance of 1e-9 for rounding."""
        return np.floor(allowed + 1e-9).astype(np.int64) + 1


def proof(wrong: Answers, null: Null, alpha: float, planned: int | None = None) -> Values:
    """(n,) alpha times a test martingale after each answer: the null is refuted once this has ever reached 1.

    Without a plan it is ``alpha`` times the wealth of the mixture of bets. With one, it is the probability that the
    exact test of ``planned`` answers will reject (`deadline`), plus the bets with the part of alpha that the test
    leaves unused, since counts are whole. So at the plan the exact test has its full power, the proof may stand before
    it, and may go on after it. The sum starts at alpha at most and does not grow on average under the null (Ville).
    """
    bets = (_known_bets if len(wrong) <= LONGEST else _bets)(wrong.tobytes(), null)
    if planned is None:
        return alpha * bets
    most, level = _critical(null, planned, alpha)
    if most < 0:
        return alpha * bets
    tested = deadline(wrong, null.size, null.wrong, planned, most)
    return tested + max(0.0, alpha - level) * bets


def is_proven(wrong: Answers, null: Null, alpha: float, planned: int | None = None) -> bool:
    """Whether the proof stands after these answers, or stood after some of them."""
    if planned is not None and len(wrong) >= planned:  # mostly decides, without the whole path
        most, _ = _critical(null, planned, alpha)
        if wrong[:planned].sum() <= most:
            return True
    path = proof(wrong, null, alpha, planned)
    return bool(len(path) and path.max() >= 1 - 1e-9)


def right_needed(
    wrong: Answers, null: Null, alpha: float, planned: int | None = None
) -> int | None:
    """The fewest right answers in a row that would complete the proof; None if no number would."""
    left = FARTHEST if null.size is None else min(FARTHEST, null.size - len(wrong))
    return _needed(wrong, np.zeros(max(0, left), bool), null, alpha, planned)


def hoped_needed(wrong: Answers, null: Null, alpha: float, rate: float, left: int) -> int | None:
    """Answers until the bets prove it, if a share ``rate`` of the next ``left`` is wrong, evenly; None if never."""
    coming = np.diff(np.floor(np.arange(left + 1) * rate + 0.5)) > 0
    return _needed(wrong, coming, null, alpha)


def _needed(
    wrong: Answers, coming: Answers, null: Null, alpha: float, planned: int | None = None
) -> int | None:
    """How many of the ``coming`` answers complete the proof; 0 where it stood before, None where all do not."""
    n = min(STEP, len(coming))
    while True:
        path = proof(np.concatenate([wrong, coming[:n]]), null, alpha, planned)
        reached = path >= 1 - 1e-9
        if reached.any():
            return max(0, int(reached.argmax()) + 1 - len(wrong))
        if n == len(coming):
            return None
        n = min(2 * n, len(coming))


def _bets(answers: bytes, null: Null) -> Values:
    """(n,) wealth of the mixture of bets, which depends on no level. ``answers`` are the bytes of (n,) booleans."""
    wrong = np.frombuffer(answers, dtype=bool)
    chances = (
        stream_chances(len(wrong), null.wrong)
        if null.size is None
        else pool_chances(wrong, null.size, int(null.wrong))
    )
    found = wealth(wrong, chances)
    found.flags.writeable = False
    return found


_known_bets = lru_cache(maxsize=REMEMBERED)(_bets)


@lru_cache(maxsize=REMEMBERED)
def _critical(null: Null, planned: int, alpha: float) -> tuple[int, float]:
    return critical(null.size, null.wrong, planned, alpha)
