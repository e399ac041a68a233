"""Accuracy with its interval from a measuring draw: what the answers say, helped by what confidence predicts.

A line of risk, by doubt, by how often a class is answered and by a second opinion, is fitted to the answers and moved
up and down until the weighted wrong answers no longer fit it: a score interval (Wilson, JASA 1927; for strata, Yan and
Su 2010), centred at the difference estimator, which is the prediction-powered one (Angelopoulos et al., Science 2023).
Only the images that nobody answered are uncertain. The line's own variance and that of the answers around it both
count, so a line of the wrong shape is noticed. Where most answers share one confidence, and none of a few wrong ones
was drawn, the line is too sure: they vary at least as their own count says with one right and one wrong answer more
(Laplace's rule).

Fewer than `COUNTED` wrong answers are no normal sum: one that stands for fifty images says as little as one answer can.
There the pool's interval reaches as far as the exact bound of a weighted count (Fay and Feuer, Stat. Med. 1997;
Garwood's where all weights are alike), and so for right ones. Of classes, most have so few: theirs reaches as far as
that bound at twice the tail (Brown, Cai and DasGupta, Stat. Sci. 2001, 4.1.1) where there are answers enough, and
since the wrong ones of a class are whole images, its ends are whole too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import brentq
from scipy.special import expit, gammaincinv

from clipgrip.trust.measuring import Strata, doubt
from clipgrip.trust.risk import crowding, fitted_risk
from clipgrip.trust.scope import Numbers, Whole

FEWEST = 20
"""Answers below which nothing is said."""
SEEN = 0.85
"""Share of the answers' own variance around the line in the variance that counts, the rest being the line's."""
CLOSEST = 0.7
"""Share of the line's variance that the answers' own is at least: a small class that is always wrong, and so fits the
line exactly, says nothing of a large one of which no wrong answer was drawn."""
WHOLE = 0.25
"""Share of an image by which an end of a class's interval may miss the next whole number of wrong ones and be there."""
ENOUGH = 10
"""Answers of a class from which a few wrong, or right, ones of them are counted."""
FAR = 30.0
"""Log odds beyond which a line is not moved."""
COUNTED = 5
"""Wrong answers, or right ones, from which their weighted sum is nearly normal (Cochran's rule)."""
OF_CLASS = 3
"""The same in a class, whose interval need not be as sure of a few (Brown, Cai and DasGupta)."""
TIED = 20
"""Answers of one confidence from which, where they are most of all, their own count says how uncertain they are."""


@dataclass(frozen=True)
class MeasuredShare:
    """A share of right answers with its 95% interval, by so many answers."""

    value: float
    low: float
    high: float
    answers: int

    @property
    def half_width(self) -> float:
        """Of the interval."""
        return (self.high - self.low) / 2


@dataclass(frozen=True)
class MeasuredAccuracy:
    """Accuracy of a pool, and of each answered class that has an answer, by class position."""

    overall: MeasuredShare
    classes: dict[int, MeasuredShare] = field(default_factory=dict)


def measured(
    made: Strata,
    labels: Whole,
    rows: Whole,
    wrong: NDArray[np.bool_],
    second: Numbers | None = None,
    sure: float = 0.95,
) -> MeasuredAccuracy | None:
    """From the answered ``rows`` (n,), of each stratum the first of its order; None below `FEWEST` of them.

    ``labels`` (N,) are the model's answers, ``second`` (N,) the probability that somebody else gives to each. A stratum
    without an answer counts with its neighbour.
    """
    if len(rows) < min(FEWEST, len(made.of)):
        return None
    moved = _Moved.of(made, labels, rows, wrong.astype(float), second, sure)
    classes = {int(c): moved.of_class(labels == c) for c in np.unique(labels[rows])}
    return MeasuredAccuracy(moved.of_pool(), classes)


@dataclass(frozen=True)
class _Moved:
    """Log odds (N,) of the fitted line; of each answer (n,) its row, doubt, whether wrong, and images it stands for."""

    logit: Numbers
    rows: Whole
    doubt: Numbers
    wrong: Numbers
    weight: Numbers
    bound: float

    @classmethod
    def of(
        cls,
        made: Strata,
        labels: Whole,
        rows: Whole,
        wrong: Numbers,
        second: Numbers | None,
        sure: float,
    ) -> _Moved:
        of = _joined(made, rows)[made.of]
        answered = np.bincount(of[rows], minlength=len(made.order))
        weight = (np.bincount(of, minlength=len(made.order)) / np.maximum(1, answered))[of[rows]]
        other = np.zeros(len(labels)) if second is None else doubt(second)
        own, crowded = made.score[rows], crowding(labels)
        line = fitted_risk(own, wrong > 0, crowded[rows], other[rows])
        bound = float(stats.norm.ppf((1 + sure) / 2))
        return cls(line.logit(made.score, crowded, other), rows, own, wrong, weight, bound)

    def of_pool(self) -> MeasuredShare:
        """Of all images."""
        size, known, right = len(self.logit), float(self.wrong.sum()), float((1 - self.wrong).sum())
        few, middle, many = self._counts(np.ones(size, dtype=bool), SEEN)
        tail = float(stats.norm.sf(self.bound))
        few = min(few, max(known, self._fewest(self.wrong > 0, COUNTED, tail)))
        many = max(many, size - max(right, self._fewest(self.wrong == 0, COUNTED, tail)))
        return MeasuredShare(1 - middle / size, 1 - many / size, 1 - few / size, len(self.rows))

    def of_class(self, members: NDArray[np.bool_]) -> MeasuredShare:
        """Of the images that are answered with one class, ``members`` (N,)."""
        inside, size = members[self.rows], int(members.sum())
        answers, known = int(inside.sum()), float(self.wrong[inside].sum())
        few, middle, many = self._counts(members, 0.0)
        if answers >= ENOUGH:
            tail = 2 * float(stats.norm.sf(self.bound))
            few = min(few, self._fewest(inside & (self.wrong > 0), OF_CLASS, tail))
            many = max(many, size - self._fewest(inside & (self.wrong == 0), OF_CLASS, tail))
        likely = float(np.rint(middle))
        few = max(known, min(float(np.ceil(few - WHOLE)), likely))
        many = min(size - (answers - known), max(float(np.floor(many + WHOLE)), likely))
        middle = min(max(middle, few), many)
        return MeasuredShare(1 - middle / size, 1 - many / size, 1 - few / size, answers)

    def _counts(self, members: NDArray[np.bool_], seen: float) -> tuple[float, float, float]:
        """Fewest, likely and most wrong among ``members`` (N,), the unanswered of them as the moved line predicts."""
        inside = members[self.rows]
        answered = np.zeros(len(members), dtype=bool)
        answered[self.rows] = True
        left, known = self.logit[members & ~answered], float(self.wrong[inside].sum())
        chances = [expit(left + shift) for shift in self._shifts(inside, seen)]
        few, middle, many = (known + float(chance.sum()) for chance in chances)
        low, _, high = (self.bound**2 * float((chance * (1 - chance)).sum()) for chance in chances)
        few = max(known, middle - ((middle - few) ** 2 + low) ** 0.5)
        return few, middle, min(known + len(left), middle + ((many - middle) ** 2 + high) ** 0.5)

    def _fewest(self, hits: NDArray[np.bool_], below: int, tail: float) -> float:
        """The fewest images that the answers ``hits`` (n,) allow by their weights; infinite where they are not few."""
        weight = self.weight[hits]
        if not 0 < len(weight) < below:
            return np.inf
        total, squares = float(weight.sum()), float((weight**2).sum())
        return squares / total * float(gammaincinv(total**2 / squares, tail))

    def _shifts(self, inside: NDArray[np.bool_], seen: float) -> tuple[float, float, float]:
        """Shifts of the line that the answers just allow, below and above the one that they say."""
        logit, wrong = self.logit[self.rows[inside]], self.wrong[inside]
        weight, least = self.weight[inside], _least_variance(self.doubt[inside], wrong)

        def excess(shift: float) -> float:
            return float((weight * (wrong - expit(logit + shift))).sum())

        def spread(shift: float) -> float:
            chance = expit(logit + shift)
            return float((weight**2 * np.maximum(chance * (1 - chance), least)).sum()) ** 0.5

        middle = _root(excess)
        around = float((weight**2 * (wrong - expit(logit + middle)) ** 2).sum())
        ratio = around / max(spread(middle) ** 2, 1e-300) if abs(middle) < FAR else 1.0
        ratio = max(ratio, 1.0 if least.any() else CLOSEST)
        bound = self.bound * (1 - seen + seen * ratio) ** 0.5
        low = _root(lambda shift: excess(shift) - bound * spread(shift))
        high = _root(lambda shift: excess(shift) + bound * spread(shift))
        return low, middle, high


def _least_variance(doubt: Numbers, wrong: Numbers) -> Numbers:
    """(n,) variance that answers of one confidence show by themselves, where they are most of all; 0 elsewhere."""
    _, group, many = np.unique(doubt, return_inverse=True, return_counts=True)
    most = (many >= TIED) & (2 * many > len(doubt))
    share = (np.bincount(group, wrong) + 1) / (many + 2)
    found: Numbers = np.where(most, share * (1 - share), 0.0)[group]
    return found


def _root(falling: Callable[[float], float]) -> float:
    """Where a function of the shift is zero; the end of the range where it is not."""
    if falling(-FAR) <= 0:
        return -FAR
    return FAR if falling(FAR) >= 0 else float(brentq(falling, -FAR, FAR, xtol=1e-6))


def _joined(made: Strata, rows: Whole) -> Whole:
    """(H,) stratum that each counts with: itself, or the nearest that has an answer, the more doubtful first."""
    have = np.flatnonzero(np.bincount(made.of[rows], minlength=len(made.order)))
    nearest = [int(have[np.argmin(np.abs(have - h))]) for h in range(len(made.order))]
    return np.array(nearest, dtype=np.int64)
