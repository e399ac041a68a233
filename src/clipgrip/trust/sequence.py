"""The scopes of one group from strict to wide; each is proven only after the one before, or by a share of its own.

A fixed sequence with fallback (Wiens & Dmitrienko, J. Biopharm. Stat. 2005): parts of alpha begin at starts that no
answer sets; what has proven one scope tests the next, together with the part that begins there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil, inf

import numpy as np

from clipgrip.trust.bounds import most_inside, pool_p_value, rate_p_value
from clipgrip.trust.draw import Draw
from clipgrip.trust.proof import Null, is_proven, right_needed
from clipgrip.trust.scope import (
    Answered,
    Group,
    Numbers,
    Truths,
    Whole,
    pool_levels,
    source_levels,
)
from clipgrip.trust.terms import Terms

LEAST, FEW_GROUPS = 0.4, 2
"""Without a plan the scopes begin with this share of a group; with more groups than these, with all of each."""
HORIZON = 0.2
"""Share of the pool up to which *decided* is read where no size is planned."""
SLACK = 1.5
"""Of a group drawn apart, *decided* is read up to so many times the answers that prove it without an error."""


@dataclass(frozen=True)
class Scope:
    """What is promised for a group: the model decides at and above ``threshold``; None where it decides nothing."""

    group: str
    threshold: float | None
    size: int
    """Images of the pool within the scope, audited ones among them."""
    audited: int
    wrong: int
    whole: bool
    """Whether it holds every answer of the group."""

    @classmethod
    def nothing(cls, group: str) -> Scope:
        """Nothing is promised for a group."""
        return cls(group, None, 0, 0, 0, False)


@dataclass(frozen=True)
class Wider:
    """The next wider scope of a group: what would prove it, and what it would add."""

    group: str
    right: int | None
    """Right answers in a row within it that would; None where no number does."""
    draws: int | None
    """Images of the draw that hold about so many; of a group drawn apart, images of the group."""
    images: int
    """Images that it holds more than the scope proven now; of a group drawn apart, those of them without an answer."""
    pays: bool
    """Whether it adds more images than people would have to answer."""


@dataclass(frozen=True)
class Audited:
    """What is read: the answers (n,) of a draw from a pool, and what is to be promised."""

    pool: Answered
    rows: Whole = field(repr=False)
    truth: Whole = field(repr=False)
    terms: Terms
    draw: Draw
    few: bool
    """Whether there are so few groups that each may begin with a part of its images."""

    @property
    def horizon(self) -> int:
        """Answers of a uniform draw up to which *decided* is read."""
        planned = self.draw.plan
        return ceil(HORIZON * len(self.pool)) if planned is None else planned


class ScopeSequence:
    """The scopes of a group from strict to wide; ``alpha`` is that with which the group begins."""

    def __init__(self, seen: Audited, group: Group, alpha: float) -> None:
        pool, draw = seen.pool, seen.draw
        inside = group.members(pool.labels)
        self.seen, self.group, self.terms, self.alpha = seen, group, seen.terms, alpha
        self.confidence = pool.confidence[inside]
        about = self.terms.about
        self.levels = source_levels() if about == "source" else pool_levels(self.confidence)
        self.sizes = _at_least(self.confidence, self.levels)
        self.total, self.horizon = len(pool), seen.horizon
        if draw.apart:
            self.total = int(inside.sum())
            self.horizon = self._horizon_apart() if about == "decided" else self.total
        counted, self.rest = self._countable(inside)
        members = inside[seen.rows] & counted[seen.rows]
        self.level = pool.confidence[seen.rows][members]
        self.bad = group.wrong[pool.labels[seen.rows], seen.truth][members]
        self.answered = int(inside[seen.rows].sum())
        planned = draw.planned
        self.drawn = None if planned is None else pool.confidence[planned[inside[planned]]]
        self.starts = self._starts()

    def read(self, alpha: float) -> tuple[Scope, Wider | None]:
        """The widest scope proven with ``alpha``, and what would prove the next wider one."""
        passed, level = None, 0.0
        for at in range(len(self.levels)):
            tested = level + alpha * self.starts.get(at, 0.0)
            most = alpha * sum(share for start, share in self.starts.items() if start <= at)
            level = tested if tested and self._proven(at, tested, most) else 0.0
            passed = at if level else passed
        if passed is not None and self.sizes[passed] == 0:
            passed = None
        scope = self._scope(passed)
        return scope, None if scope.whole else self._following(passed, scope, alpha)

    def _scope(self, at: int | None) -> Scope:
        if at is None:
            return Scope.nothing(self.group.name)
        size, wrong = int(self.sizes[at]), self._answers(at)
        counts = size, len(wrong), int(wrong.sum())
        return Scope(self.group.name, float(self.levels[at]), *counts, size == len(self.confidence))

    def _countable(self, inside: Truths) -> tuple[Truths, Whole]:
        """(N,) the rows whose answers count, and those of the group that never do.

        A promise about new images begins where images outside the audit say; so their part is fixed, and at least half.
        """
        draw, n = self.seen.draw, len(self.seen.pool)
        order = draw.within(inside) if draw.apart else draw.order
        limit = self.horizon if draw.apart else n
        if self.terms.about == "source":
            limit = max(draw.plan or 0, ceil(len(order) / 2))
        counted = np.ones(n, bool)
        counted[order[limit:]] = False
        return counted, np.flatnonzero(inside & ~counted)

    def _horizon_apart(self) -> int:
        """Answers within the group up to which *decided* is read."""
        size, error, none = self.total, self.terms.max_error, np.zeros(0, bool)
        for few in range(1, size // 2 + 1):
            right = right_needed(none, Null.of_pool(size, error * (size - few)), self.alpha)
            if right is not None and right <= few:
                return min(ceil(SLACK * few), size // 2)
        return size // 2

    def _answers(self, at: int) -> Truths:
        return self.bad[self.level >= self.levels[at]]

    def _null(self, at: int) -> Null:
        """What has to be refuted; it depends on no draw, so that the first scope that fails is the same in all."""
        error, size = self.terms.max_error, int(self.sizes[at])
        if self.terms.about == "source":
            return Null(None, error)
        return Null.of_pool(size, error * (size - self._left_out(at)))

    def _left_out(self, at: int) -> int:
        """Audited images that a promise of what the model decides may leave out."""
        if self.terms.about != "decided":
            return 0
        return int(most_inside(self.sizes[at], self.total, self.horizon))

    def _planned(self, at: int) -> int | None:
        return None if self.drawn is None else int((self.drawn >= self.levels[at]).sum())

    def _proven(self, at: int, alpha: float, most: float) -> bool:
        """Whether the scope is proven with ``alpha``, and with the ``most`` that it may ever be tested with.

        Counts are whole, so a plan's test with more alpha need not hold what one with less does; asking for both, no
        more than ``most`` is spent.
        """
        null, wrong, planned = self._null(at), self._answers(at), self._planned(at)
        if self.terms.about == "decided":
            allowed = self.terms.max_error * (self.sizes[at] - len(wrong)) + 1e-9
            if null.wrong - 1 - wrong.sum() > allowed:
                return False  # more answers fell inside than the null was put for
        if not is_proven(wrong, null, alpha, planned):
            return False
        return planned is None or alpha == most or is_proven(wrong, null, most, planned)

    def _starts(self) -> dict[int, float]:
        """Where the sequence begins, with shares of alpha; no error of the audit has a say."""
        if not len(self.levels):
            return {}
        least = self.terms.least
        if least is None and self.drawn is not None:
            return self._starts_of_plan()
        share = least or (LEAST if self.seen.few else 1.0)
        sizes = self._unasked() if self.terms.about == "source" else self.sizes
        return {int((sizes >= share * sizes[-1] - 1e-9).argmax()): 1.0}

    def _unasked(self) -> Whole:
        return _at_least(self.seen.pool.confidence[self.rest], self.levels)

    def _starts_of_plan(self) -> dict[int, float]:
        """Where the plan can be expected to prove something: with one wrong answer if half the group suffices."""
        planned, total = self.horizon, self.total
        sizes = self.sizes
        if self.terms.about == "source":
            sizes, total = self._unasked(), total - max(planned, ceil(total / 2))
        expected = np.floor(sizes * planned / max(1, total)).astype(np.int64)
        surely = np.floor(expected - np.sqrt(expected)).astype(np.int64)
        for mistakes, there in ((1, surely), (0, surely), (0, expected)):
            enough = (self._p_values(mistakes, there) <= self.alpha) & (there > mistakes)
            if enough.any() and (not mistakes or sizes[enough.argmax()] <= sizes[-1] / 2):
                return {int(enough.argmax()): 1.0}
        return {len(self.levels) - 1: 1.0}

    def _p_values(self, mistakes: int, answers: Whole) -> Numbers:
        if self.terms.about == "source":
            return rate_p_value(np.full_like(answers, mistakes), answers, self.terms.max_error)
        nulls = np.array([self._null(at).wrong for at in range(len(self.levels))])
        return pool_p_value(mistakes, answers, self.sizes, nulls - 1)

    def _following(self, passed: int | None, scope: Scope, alpha: float) -> Wider | None:
        """What would prove the scope after the last one; where there is none, that start which needs least."""
        if not self.starts:
            return None
        if passed is not None:
            most = sum(share for start, share in self.starts.items() if start <= passed + 1)
            return self._wider(passed + 1, scope, alpha * most)
        found = [self._wider(at, scope, alpha * share) for at, share in self.starts.items()]
        return min(found, key=lambda one: (one.draws is None, one.draws or 0))

    def _wider(self, at: int, scope: Scope, alpha: float) -> Wider:
        wrong, inside, apart = self._answers(at), int(self.sizes[at]), self.seen.draw.apart
        right = right_needed(wrong, self._null(at), alpha, self._planned(at))
        rest, source = inside - len(wrong), self.terms.about == "source"
        left = self.total - (self.answered if apart else len(self.seen.rows))
        images = inside - scope.size - (len(wrong) - scope.audited if apart else 0)
        if not right or (not source and right > rest):
            return Wider(self.group.name, None, None, images, False)
        draws = ceil(right * left / max(1, rest))
        pays = 2 * draws <= images if apart else draws < images
        return Wider(self.group.name, right, draws, images, pays)


def provable(seen: Audited, groups: Sequence[Group]) -> list[Group]:
    """The groups that share alpha: of many, as many as half of their images could prove, the largest first.

    Sizes of groups depend on no answer of the audit.
    """
    sizes = [int(group.members(seen.pool.labels).sum()) for group in groups]
    if len(groups) <= FEW_GROUPS:
        return [group for group, size in zip(groups, sizes, strict=True) if size]
    order = sorted(range(len(groups)), key=lambda n: -sizes[n])
    for k in range(len(order), 0, -1):
        size = sizes[order[k - 1]]
        if size and size / 2 >= _right_alone(size, seen.terms, seen.terms.alpha / k):
            return [groups[n] for n in sorted(order[:k])]
    return []


def _right_alone(size: int, terms: Terms, alpha: float) -> float:
    """Right answers in a row that prove a group of ``size``; infinite where no number does."""
    error = terms.max_error
    null = Null(None, error) if terms.about == "source" else Null.of_pool(size, error * size)
    right = right_needed(np.zeros(0, bool), null, alpha)
    return inf if right is None else right


def _at_least(confidence: Numbers, levels: Numbers) -> Whole:
    ordered = np.sort(confidence)
    return (len(ordered) - np.searchsorted(ordered, levels, side="left")).astype(np.int64)
