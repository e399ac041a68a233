"""Accuracy with its interval from a stratified draw (`measuring`): a model-assisted estimate from answers and risk.

A logistic risk curve (`risk`) is fitted to the answers: the probability of a wrong answer by doubt, by how often the
class is answered, and by a second opinion. Its height is then shifted up and down until the weighted number of wrong
answers contradicts it. That gives a score interval (Wilson, JASA 1927; for strata, Yan and Su 2010), centred at the
difference estimator, as in prediction-powered inference (Angelopoulos et al., Science 2023). Only images without an
answer are uncertain. The variance under the curve and that of the answers around it both count, so that a curve of the
wrong shape is noticed. Where most answers have one confidence, their variance is at least that of their own count plus
one right and one wrong answer (Laplace's rule of succession): a few wrong ones among them may not have been drawn.

With fewer than `COUNTED` wrong answers, each of which may stand for fifty images, their weighted sum is not normal. The
interval then reaches as far as the exact bound of a weighted count (Fay and Feuer, Stat. Med. 1997; Garwood's for equal
weights), and likewise for right answers. Most classes have so few: their interval reaches as far as that bound at twice
the tail (Brown, Cai and DasGupta, Stat. Sci. 2001, 4.1.1) if there are `ENOUGH` answers, and its ends are whole images.
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
"""Fewest answers for an estimate."""
SEEN = 0.85
"""Weight of the answers' own variance around the curve, against the variance under the curve."""
CLOSEST = 0.7
"""Smallest ratio of the two: a small class that is always wrong fits the curve exactly, which says nothing about a
large class of which no wrong answer was drawn."""
WHOLE = 0.25
"""The ends of a class's interval are rounded inwards to whole images, or outwards if that is at most so far."""
ENOUGH = 10
"""Fewest answers of a class for the bound of a weighted count."""
FAR = 30.0
"""Largest shift of the curve, in log odds."""
COUNTED = 5
"""Wrong answers, or right ones, from which their weighted sum is nearly normal (Cochran's rule)."""
OF_CLASS = 3
"""The same within a class, whose interval may be less conservative (Brown, Cai and DasGupta)."""
TIED = 20
"""Answers of one confidence from which Laplace's rule bounds their variance, if they are more than half of all."""


@dataclass(frozen=True)
class MeasuredShare:
    """A share of right answers with its interval, from so many answers."""

    value: float
    low: float
    high: float
    answers: int

    @property
    def half_width(self) -> float:
        """Half the length of the interval."""
        return (self.high - self.low) / 2


@dataclass(frozen=True)
class MeasuredAccuracy:
    """Accuracy of a pool, and by class position that of each class of which an image was audited."""

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
    """The accuracy by audited ``rows`` (n,) and whether each was ``wrong`` (n,); None with fewer than `FEWEST` rows.

    The rows must be the first of each stratum's order. ``labels`` (N,) are the model's answers, ``second`` (N,) the
    probability that a second opinion gives to each of them, ``sure`` the level of the interval. A stratum without an
    audited row is joined with its neighbour.
    """
    if len(rows) < min(FEWEST, len(made.of)):
        return None
    fit = _CurveFit.of(made, labels, rows, wrong.astype(float), second, sure)
    classes = {int(c): fit.of_class(labels == c) for c in np.unique(labels[rows])}
    return MeasuredAccuracy(fit.of_pool(), classes)


@dataclass(frozen=True)
class _CurveFit:
    """The risk curve fitted to audited images, and these images."""

    logit: Numbers
    """(N,) log odds of a wrong answer by the fitted curve."""
    rows: Whole
    """(n,) the audited images."""
    doubt: Numbers
    """(n,)"""
    wrong: Numbers
    """(n,) 1 where the answer was wrong, else 0."""
    weight: Numbers
    """(n,) how many images of its stratum each stands for."""
    bound: float
    """Standard deviations of the interval's level: 1.96 for 95%."""

    @classmethod
    def of(
        cls,
        made: Strata,
        labels: Whole,
        rows: Whole,
        wrong: Numbers,
        second: Numbers | None,
        sure: float,
    ) -> _CurveFit:
        of = _joined(made, rows)[made.of]
        answered = np.bincount(of[rows], minlength=len(made.order))
        weight = (np.bincount(of, minlength=len(made.order)) / np.maximum(1, answered))[of[rows]]
        other = np.zeros(len(labels)) if second is None else doubt(second)
        own, crowded = made.score[rows], crowding(labels)
        line = fitted_risk(own, wrong > 0, crowded[rows], other[rows])
        bound = float(stats.norm.ppf((1 + sure) / 2))
        return cls(line.logit(made.score, crowded, other), rows, own, wrong, weight, bound)

    def of_pool(self) -> MeasuredShare:
        """The accuracy of the whole pool."""
        size, known, right = len(self.logit), float(self.wrong.sum()), float((1 - self.wrong).sum())
        few, middle, many = self._counts(np.ones(size, dtype=bool), SEEN)
        tail = float(stats.norm.sf(self.bound))
        few = min(few, max(known, self._fewest(self.wrong > 0, COUNTED, tail)))
        many = max(many, size - max(right, self._fewest(self.wrong == 0, COUNTED, tail)))
        return MeasuredShare(1 - middle / size, 1 - many / size, 1 - few / size, len(self.rows))

    def of_class(self, members: NDArray[np.bool_]) -> MeasuredShare:
        """The accuracy of the images that are answered with one class, ``members`` (N,)."""
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
        """Fewest, expected and most wrong answers among ``members`` (N,): known ones, and by the shifted curves."""
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
        """Lower bound (Fay and Feuer) of the images that the answers ``hits`` (n,) stand for.

        Infinite for no hit, and from ``below`` hits on, where the normal interval is good enough.
        """
        weight = self.weight[hits]
        if not 0 < len(weight) < below:
            return np.inf
        total, squares = float(weight.sum()), float((weight**2).sum())
        return squares / total * float(gammaincinv(total**2 / squares, tail))

    def _shifts(self, inside: NDArray[np.bool_], seen: float) -> tuple[float, float, float]:
        """Lower end, best fit and upper end of the curve's shift, by the answers ``inside`` (n,)."""
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
    """(n,) p (1 - p) by Laplace's rule for answers of one confidence, if more than half have it; 0 elsewhere."""
    _, group, many = np.unique(doubt, return_inverse=True, return_counts=True)
    most = (many >= TIED) & (2 * many > len(doubt))
    share = (np.bincount(group, wrong) + 1) / (many + 2)
    found: Numbers = np.where(most, share * (1 - share), 0.0)[group]
    return found


def _root(falling: Callable[[float], float]) -> float:
    """The shift at which a falling function is zero; the end of the range if it is nowhere."""
    if falling(-FAR) <= 0:
        return -FAR
    return FAR if falling(FAR) >= 0 else float(brentq(falling, -FAR, FAR, xtol=1e-6))


def _joined(made: Strata, rows: Whole) -> Whole:
    """(H,) the stratum that each is joined with: itself, or the nearest with an answer, of two the more doubtful."""
    have = np.flatnonzero(np.bincount(made.of[rows], minlength=len(made.order)))
    nearest = [int(have[np.argmin(np.abs(have - h))]) for h in range(len(made.order))]
    return np.array(nearest, dtype=np.int64)
