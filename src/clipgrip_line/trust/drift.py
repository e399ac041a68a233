"""Do new images still come from where the earlier ones came from? Bets on ranks, that may be read after every image.

Each score of a new image is ranked among all before it (`trust.ranks`): while nothing changes, the ranks are uniform
and independent. A density that is fixed before the next rank makes a wealth that does not grow on average when it is
bet on (a conformal test martingale; Vovk, arXiv 2102.09958). Several are mixed: fixed ones, which need not learn what
a shift of all images or of some looks like, and histograms of the latest ranks, which forget at two speeds and are
coarse or fine (few bins are learned soon, values never seen before need many). Each may begin at any time: the average
over starts, whose weights sum to 1 (an e-detector with a lifetime budget; Shin, Ramdas & Rinaldo, arXiv 2203.03532).

The wealths of different scores are martingales of their own pasts, not of a common one, so they are not averaged:
each rings at a level of its own, 1 / (its share of the budget), and the shares sum to the budget (Bonferroni).
Bets on a class know how often it came, which ranks do not tell: they find it far sooner than bets on ranks do
(`docs/decisions/0071`). Their null is the mixture of all shares by Krichevsky and Trofimov (IEEE Trans. Inf. Theory
1981): an exact martingale in the mean over what the share may be, not for each one share, which simulation covers.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from clipgrip_line.trust.ranks import Codes, Counts, Ranks, Values

DECAYS = np.array([0.98, 0.995])
"""What is left of a rank in the histogram after one image more."""
BINS, FINE, PRIOR = 10, 40, 8.0
"""Bins of the coarse and the fine histogram, and how many ranks the uniform one in them counts for."""
TILTS = np.repeat([-20.0, -3.0, 3.0, 20.0], 3)
PARTS = np.tile([1.0, 0.3, 0.1], 4)
"""Fixed bets on the rank of a score: density exp(tilt * rank), scaled, for a part of the images; the others stay."""
LOST = np.array([0.1, 0.2])
"""Fixed bets that of these shares of the ranks, at either end, all but `LEFT` of the images no longer come, and the
others as before: what bright parts do under a weaker lamp."""
LEFT = 0.05
TIMES = np.array(
    [0.0, 0.25, 0.35, 0.5, 0.65, 0.8, 1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 3.0, 3.5, 4.0, 6.0]
)
"""Fixed bets on a class: so many times as often as it was, or halfway to always where that is less."""
MIXED = np.repeat([0.1, 0.0375], [4, len(TIMES)])
"""(E,) weights of the bets: coarse and fine histograms, then the fixed ones; together 1."""
FIRST = 100.0
"""Images after which 1 / (1 + ln 2), about 60%, of the weight of the starts is left."""
AT_FIRST = 0.85
"""Share of the budget until the first alarm is answered, or of the first promise; the rest is for all later ones."""
LARGEST = 1e200
"""A wealth beyond which nothing is learned."""


@dataclass(frozen=True)
class Monitors:
    """M scores and C class shares as they stand. ``seen`` may hold a reference; bets begin without one.

    The last axis of ``bins`` (K, M, `FINE`) and of ``share_bins`` (K, C, 2) is the histogram, the first the speed of
    forgetting.
    """

    seen: Counts = field(repr=False)
    """(M, 256, 256) how often each value of a score was seen."""
    labels: Counts = field(repr=False)
    """(C,) images of each class, by the model's answers."""
    bins: Values = field(repr=False)
    share_bins: Values = field(repr=False)
    begun: Values = field(repr=False)
    """(E, M + C) wealth of the bets that have begun."""
    images: int = 0
    """Images that were bet on."""

    @classmethod
    def of(cls, seen: Counts, labels: Counts) -> Monitors:
        """Before the first bet."""
        k, m, c = len(DECAYS), len(seen), len(labels)
        return cls(
            seen, labels, np.zeros((k, m, FINE)), np.zeros((k, c, 2)), np.zeros((len(MIXED), m + c))
        )

    def again(self) -> Monitors:
        """The same reference, bets from the beginning."""
        return Monitors.of(self.seen, self.labels)

    @property
    def wealth(self) -> Values:
        """(M + C,) wealth of each monitor: what has begun, and what waits for a later start."""
        return np.asarray(MIXED @ self.begun + waiting(self.images))


@dataclass(frozen=True)
class Course:
    """The monitors after some images, and their wealth (n, M + C) after each."""

    monitors: Monitors
    wealth: Values = field(repr=False)


def waiting(images: int) -> float:
    """The weight of all starts after ``images`` images: 1 / (1 + ln(1 + images / FIRST)). It begins at 1, ends at 0."""
    return float(1 / (1 + np.log1p(images / FIRST)))


def follow(monitors: Monitors, codes: Codes, labels: Codes, chances: Values) -> Course:
    """Bet on images in the order in which they came.

    Args:
        codes: (n, M) scores as `ranks.codes_of` makes them.
        labels: (n,) class of each by the model.
        chances: (n, M) uniform numbers that break ties, independent of the images.
    """
    ranks, seen = Ranks(monitors.seen), monitors.labels.copy()
    now = replace(monitors, labels=seen)
    wealth = np.empty((len(codes), codes.shape[1] + len(seen)))
    for i, label in enumerate(labels.tolist()):
        p, shares = ranks.add(codes[i], chances[i]), expected_shares(seen)
        inside = np.zeros(len(seen), dtype=np.int64)
        inside[label] = 1
        seen[label] += 1
        now = bet(now, p, inside, shares)
        wealth[i] = now.wealth
    return Course(replace(now, seen=ranks.counts), wealth)


def expected_shares(seen: Counts) -> Values:
    """(..., C) probability that the next image is of each class, after ``seen`` (..., C) of each.

    That of Krichevsky and Trofimov: the mean over the shares that a class may have, weighted by Jeffreys' prior.
    """
    return np.asarray((seen + 0.5) / (seen.sum(-1, keepdims=True) + 1))


def budgets(scores: int, classes: int, alpha: float) -> Values:
    """(M + C,) the share of ``alpha`` of each monitor: the classes together have that of one score."""
    each = alpha / (scores + 1)
    return np.concatenate([np.full(scores, each), np.full(classes, each / max(classes, 1))])


def period_budget(alpha: float, period: int) -> float:
    """What of a lifetime's ``alpha`` the ``period``-th beginning may use (1, 2, ...); together all use alpha."""
    later = 1 - AT_FIRST
    return alpha * (AT_FIRST if period == 1 else later / (period * (period - 1)))


def ringing(wealth: Values, budget: Values) -> NDArray[np.bool_]:
    """Which of the monitors ring: wealth (..., M + C) at or over 1 / budget."""
    return np.asarray(wealth * budget >= 1)


def densities(bins: Values, widths: Values, chosen: Codes) -> Values:
    """(K, M) the bet's density at the chosen bin (M,), from counts (K, M, B) and widths (M, B) that sum to 1.

    Its mean over a uniform rank is 1, whatever the counts are.
    """
    each = np.arange(bins.shape[1])
    width = widths[each, chosen]
    return np.asarray((PRIOR * width + bins[:, each, chosen]) / ((PRIOR + bins.sum(2)) * width))


def tilted(p: Values) -> Values:
    """(T, M) densities of the fixed bets at ranks (M,); the mean of each over a uniform rank is 1."""
    shifted = np.exp(np.outer(TILTS, p)) * (TILTS / np.expm1(TILTS))[:, None]
    part = 1 + PARTS[:, None] * (shifted - 1)
    lost, rest = LOST[:, None], ((1 - LEFT * LOST) / (1 - LOST))[:, None]
    cut = [np.where(rank < lost, LEFT, rest) for rank in (p, 1 - p)]
    return np.concatenate([part, *cut])


def multiplied(shares: Values, inside: Codes) -> Values:
    """(T, C) factors of the fixed bets on classes with ``shares`` (C,); ``inside`` (C,) is 1 where the image is of it.

    Their mean is 1 where a class comes as often as its share says.
    """
    bets = np.minimum(np.outer(TIMES, shares), (1 + shares) / 2)
    return np.asarray(np.where(inside == 1, bets / shares, (1 - bets) / (1 - shares)))


def bet(now: Monitors, p: Values, inside: Codes, shares: Values) -> Monitors:
    """One image more: p-values (M,) of scores; 1 where it is of a class, else 0 (C,), and `expected_shares` (C,)."""
    fine = np.minimum((p * FINE).astype(np.int64), FINE - 1)
    of_score = [*_of_histograms(now.bins, fine, BINS), *_of_histograms(now.bins, fine, FINE)]
    parted = np.stack([1 - shares, shares], 1)
    of_share = 2 * [*densities(now.share_bins, parted, inside)]
    factor = np.concatenate(
        [[*of_score, *tilted(p)], [*of_share, *multiplied(shares, inside)]], axis=1
    )
    start = waiting(now.images) - waiting(now.images + 1)
    return Monitors(
        now.seen,
        now.labels,
        _remembered(now.bins, fine),
        _remembered(now.share_bins, inside),
        np.minimum((now.begun + start) * factor, LARGEST),
        now.images + 1,
    )


def _of_histograms(bins: Values, fine: Codes, coarse: int) -> Values:
    """(K, M) densities of histograms with so many bins, from fine counts (K, M, `FINE`)."""
    k, m, _ = bins.shape
    counts = bins.reshape(k, m, coarse, FINE // coarse).sum(-1)
    return densities(counts, np.full((m, coarse), 1 / coarse), fine // (FINE // coarse))


def _remembered(bins: Values, chosen: Codes) -> Values:
    new = bins * DECAYS[:, None, None]
    new[:, np.arange(bins.shape[1]), chosen] += 1
    return new
