"""Does a promise still hold on new images? A bet on every answer of a daily audit, that it is wrong more often.

Null: each new answer is wrong with a probability of at most the promised rate, whatever came before. The wealth does
not grow on average then, so it reaches 1/alpha ever with a probability of at most alpha (Ville): a promise that holds
is withdrawn with at most that probability, however long it is watched. Bets begin at any time (`starts.over_starts`),
with weights that sum to 1, since the rate may change late. Sources: Podkopaev & Ramdas (arXiv 2110.06177); Shin, Ramdas
& Rinaldo (arXiv 2203.03532).
"""

from __future__ import annotations

import numpy as np

from clipgrip_line.trust.starts import Answers, Values, over_starts

TIMES = ((1.75, 0.2), (3.0, 0.55), (6.0, 0.25))
"""How many times the promised rate is bet on, and the weights; together 1."""
AT_ONCE, LATER, FALL = 0.35, 200.0, 0.7
"""Weight of the bets that begin with the first answer; the other starts later than answer n weigh (1 + n / `LATER`) to
the power of -`FALL`."""


def against(wrong: Answers, rate: float) -> Values:
    """(n,) the wealth after each answer of the bets that new answers are wrong more often than ``rate``.

    A factor is a likelihood ratio, q / rate where wrong and (1 - q) / (1 - rate) where right: its mean is 1 at the rate
    itself and less below it.
    """
    weights = start_weights(len(wrong))
    return np.sum(
        [share * over_starts(ratios(wrong, rate, times), weights) for times, share in TIMES],
        axis=0,
    )


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
