"""Does a promise still hold on new images? A bet on every answer of a daily audit, that it is wrong more often.

Null: each new answer is wrong with a probability of at most the promised rate, whatever came before. The wealth does
not grow on average then, so it reaches 1/alpha ever with a probability of at most alpha (Ville): a promise that holds
is withdrawn with at most that probability, however long it is watched. Bets begin at any time, with weights
that sum to 1, since the rate may change late. Sources: Podkopaev & Ramdas (arXiv 2110.06177); Shin, Ramdas & Rinaldo
(arXiv 2203.03532); Fischer & Ramdas (arXiv 2410.16076) for bets that never win more than is needed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Answers = NDArray[np.bool_]
Values = NDArray[np.float64]

TIMES = ((1.75, 0.2), (3.0, 0.55), (6.0, 0.25))
"""How many times the promised rate is bet on, and the weights; together 1."""
AT_ONCE, LATER, FALL = 0.35, 200.0, 0.7
"""Weight of the bets that begin with the first answer; the other starts later than answer n weigh (1 + n / `LATER`) to
the power of -`FALL`."""


def against(wrong: Answers, rate: float, alpha: float) -> Values:
    """(n,) the wealth after each answer of the bets that new answers are wrong more often than ``rate``.

    A factor is a likelihood ratio, q / rate where wrong and (1 - q) / (1 - rate) where right: its mean is 1 at the rate
    itself and less below it. Where one wrong answer would bring more than the 1 / ``alpha`` that withdraws, only so
    much is bet as brings that, and a right answer costs less; what has reached it is bet no more.
    """
    shares = np.array([share for _, share in TIMES])
    right, bad = np.array([ratios(np.array([False, True]), rate, times) for times, _ in TIMES]).T
    goal = (1 + 1e-9) / alpha  # for rounding
    begun, waiting, path = np.zeros(len(TIMES)), 1.0, np.empty(len(wrong))
    for n, (is_wrong, weight) in enumerate(zip(wrong, start_weights(len(wrong)), strict=True)):
        begun, waiting = begun + weight * shares, waiting - weight
        gain = float(begun @ (bad - 1))
        part = np.clip((goal - waiting - begun.sum()) / gain, 0.0, 1.0)
        begun = begun * (1 + part * ((bad if is_wrong else right) - 1))
        path[n] = begun.sum() + waiting
    return path


def ratios(wrong: Answers, rate: float, times: float) -> Values:
    """(n,) factors of the bet that the rate is ``times`` as high, or halfway to 1 where that is less."""
    bet = min(rate * times, (1 + rate) / 2)
    return np.where(wrong, bet / rate, (1 - bet) / (1 - rate))


def start_weights(answers: int) -> Values:
    """(n,) weights of the starts before each answer; all that ever come sum to 1."""
    n = np.arange(answers + 1)
    left = (1 - AT_ONCE) * (1 + n / LATER) ** -FALL
    weights = left[:-1] - left[1:]
    weights[:1] += AT_ONCE
    return np.asarray(weights)


def since(wrong: Answers, rate: float) -> int:
    """Answers before the start that makes the most of the bets: the change by likelihood."""
    rises = np.concatenate([[0.0], np.cumsum(np.log(ratios(wrong, rate, TIMES[1][0])))])
    return int(rises[:-1].argmin()) if len(wrong) else 0
