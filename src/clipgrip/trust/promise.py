"""Automate as much as possible with at most so many errors: risk control from a random audit.

Fixed-sequence testing as in Learn then Test (Angelopoulos et al., arXiv 2110.01052): scopes from strict to wide, in an
order that no answer sets, each with its own wealth of bets (`clipgrip.trust.proof`), until one is not proven. Whatever
the model's confidence is worth, the promise holds: a bad one only automates less. Every answer counts at once, and
reading the audit as often as one likes costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil

import numpy as np

from clipgrip.errors import DataError
from clipgrip.trust.bounds import most_inside, pool_p_value, rate_p_value
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


@dataclass(frozen=True)
class Wider:
    """The next wider scope of a group: what would prove it, and what it would add."""

    group: str
    right: int | None
    """Right answers in a row within it that would; None where no number does."""
    draws: int | None
    """Images of the draw that hold about so many."""
    images: int
    """Images that it holds more than the scope proven now."""

    @property
    def pays(self) -> bool:
        """Whether it adds more images than people would have to answer."""
        return self.draws is not None and self.draws < self.images


@dataclass(frozen=True)
class Promise:
    """Scopes that hold together, from the first ``counted`` answers of the audit."""

    terms: Terms
    counted: int
    planned: int | None
    """Answers at which the exact test is read, if such a size was fixed before."""
    scopes: tuple[Scope, ...]
    wider: tuple[Wider, ...]
    """For each group that is not promised as a whole."""
    decided: Truths = field(repr=False)
    """(N,) rows that the model decides."""

    @property
    def whole(self) -> bool:
        """Whether every answer of every group is promised."""
        return all(scope.whole for scope in self.scopes)

    @property
    def following(self) -> Wider | None:
        """The next wider scope that needs the fewest further answers; None where no number proves any."""
        open_ones = [one for one in self.wider if one.draws is not None]
        return min(open_ones, key=lambda one: one.draws or 0) if open_ones else None


def promise(
    pool: Answered,
    rows: Whole,
    truth: Whole,
    groups: Sequence[Group],
    terms: Terms,
    *,
    planned: Whole | None = None,
) -> Promise:
    """The widest scopes that the audit proves: its drawn ``rows`` (n,) in their order, and the ``truth`` (n,) of each.

    Args:
        planned: the rows of the whole draw that was planned before the first answer, in their order. The exact test is
            then read at its end with all of alpha. ``rows`` are its beginning, or go on from it.

    Raises:
        DataError: a row twice or outside the pool, or rows that are not those planned.
    """
    _check_audit(pool, rows, truth, planned)
    horizon = _horizon(pool, planned)
    alpha = terms.alpha / max(1, len(groups))
    ends = [len(rows)]
    if terms.about == "decided" and horizon < len(rows):
        ends.append(horizon)
    found = [
        _told(_Seen(pool, rows[:n], truth[:n], terms, alpha, planned, horizon), groups)
        for n in ends
    ]
    return max(found, key=lambda one: int(one.decided.sum()))


@dataclass(frozen=True)
class _Seen:
    pool: Answered
    rows: Whole
    truth: Whole
    terms: Terms
    alpha: float
    planned: Whole | None
    horizon: int


def _told(seen: _Seen, groups: Sequence[Group]) -> Promise:
    decided, scopes, wider = np.zeros(len(seen.pool), bool), [], []
    for group in groups:
        scope, following = _Sequence(seen, group, len(groups)).read()
        scopes.append(scope)
        wider += [] if following is None else [following]
        if scope.threshold is not None:
            inside = group.members(seen.pool.labels)
            decided |= inside & (seen.pool.confidence >= scope.threshold)
    decided[seen.rows] = False
    planned = None if seen.planned is None else len(seen.planned)
    return Promise(seen.terms, len(seen.rows), planned, tuple(scopes), tuple(wider), decided)


class _Sequence:
    """The scopes of a group from strict to wide."""

    def __init__(self, seen: _Seen, group: Group, n_groups: int) -> None:
        pool, rows, terms = seen.pool, seen.rows, seen.terms
        inside = group.members(pool.labels)
        self.seen, self.group, self.terms = seen, group, terms
        self.confidence = pool.confidence[inside]
        self.levels = source_levels() if terms.about == "source" else pool_levels(self.confidence)
        self.sizes = _at_least(self.confidence, self.levels)
        members = inside[rows]
        self.level = pool.confidence[rows][members]
        self.bad = group.wrong[pool.labels[rows], seen.truth][members]
        self.drawn: Numbers | None = None
        if seen.planned is not None:
            self.drawn = pool.confidence[seen.planned[inside[seen.planned]]]
        self.few = n_groups <= FEW_GROUPS

    def read(self) -> tuple[Scope, Wider | None]:
        """The last scope before the first that is not proven, and what would prove that one."""
        start, passed = self._start(), None
        at = start
        while at < len(self.levels) and self._proven(at):
            passed, at = at, at + 1
        if passed is not None and self.sizes[passed] == 0:
            passed = None
        size = 0 if passed is None else int(self.sizes[passed])
        whole = size == len(self.confidence) > 0
        following = None if whole or at >= len(self.levels) else self._wider(at, size)
        if passed is None:
            return Scope(self.group.name, None, 0, 0, 0, False), following
        wrong = self._answers(passed)
        counts = size, len(wrong), int(wrong.sum())
        threshold = float(self.levels[passed])
        return Scope(self.group.name, threshold, *counts, whole), following

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
        return int(most_inside(self.sizes[at], len(self.seen.pool), self.seen.horizon))

    def _planned(self, at: int) -> int | None:
        return None if self.drawn is None else int((self.drawn >= self.levels[at]).sum())

    def _proven(self, at: int) -> bool:
        null, wrong = self._null(at), self._answers(at)
        if self.terms.about == "decided":
            allowed = self.terms.max_error * (self.sizes[at] - len(wrong)) + 1e-9
            if null.wrong - 1 - wrong.sum() > allowed:
                return False  # more answers fell inside than the null was put for
        return is_proven(wrong, null, self.seen.alpha, self._planned(at))

    def _start(self) -> int:
        """The strictest scope of the sequence; no error of the audit has a say."""
        if not len(self.levels):
            return 0
        least = self.terms.least
        if least is None and self.drawn is not None:
            return self._start_of_plan()
        share = least or (LEAST if self.few else 1.0)
        sizes = self._unasked() if self.terms.about == "source" else self.sizes
        return int((sizes >= share * sizes[-1] - 1e-9).argmax())

    def _unasked(self) -> Whole:
        """About new images only those outside the audit are asked how many a threshold holds."""
        asked = self.level if self.drawn is None else self.drawn
        return self.sizes - _at_least(asked, self.levels)

    def _start_of_plan(self) -> int:
        """Where the plan can be expected to prove something: with one wrong answer if half the group suffices."""
        planned, total = self.seen.horizon, len(self.seen.pool)
        sizes = self.sizes
        if self.terms.about == "source":
            sizes, total = self._unasked(), total - planned
        expected = np.floor(sizes * planned / max(1, total)).astype(np.int64)
        surely = np.floor(expected - np.sqrt(expected)).astype(np.int64)
        for mistakes, there in ((1, surely), (0, surely), (0, expected)):
            enough = (self._p_values(mistakes, there) <= self.seen.alpha) & (there > mistakes)
            if enough.any() and (not mistakes or sizes[enough.argmax()] <= sizes[-1] / 2):
                return int(enough.argmax())
        return len(self.levels) - 1

    def _p_values(self, mistakes: int, answers: Whole) -> Numbers:
        if self.terms.about == "source":
            return rate_p_value(np.full_like(answers, mistakes), answers, self.terms.max_error)
        nulls = np.array([self._null(at).wrong for at in range(len(self.levels))])
        return pool_p_value(mistakes, answers, self.sizes, nulls - 1)

    def _wider(self, at: int, size: int) -> Wider:
        wrong, inside = self._answers(at), int(self.sizes[at])
        right = right_needed(wrong, self._null(at), self.seen.alpha, self._planned(at))
        rest, left = inside - len(wrong), len(self.seen.pool) - len(self.seen.rows)
        if not right or (self.terms.about != "source" and right > rest):
            return Wider(self.group.name, None, None, inside - size)
        draws = ceil(right * left / max(1, rest))
        return Wider(self.group.name, right, draws, inside - size)


def _horizon(pool: Answered, planned: Whole | None) -> int:
    return ceil(HORIZON * len(pool)) if planned is None else len(planned)


def _at_least(confidence: Numbers, levels: Numbers) -> Whole:
    ordered = np.sort(confidence)
    return (len(ordered) - np.searchsorted(ordered, levels, side="left")).astype(np.int64)


def _check_audit(pool: Answered, rows: Whole, truth: Whole, planned: Whole | None) -> None:
    if len(rows) != len(truth):
        raise DataError(f"{len(rows)} audited images but {len(truth)} answers. Give one for each.")
    if len(np.unique(rows)) != len(rows):
        raise DataError("the audit holds an image twice. Give each once, in the order of the draw.")
    if len(rows) and not (rows.min() >= 0 and rows.max() < len(pool)):
        raise DataError(f"the audit holds an image outside the pool of {len(pool)}.")
    both = 0 if planned is None else min(len(planned), len(rows))
    if planned is not None and (planned[:both] != rows[:both]).any():
        raise DataError(
            "the answers are not those of the planned draw. Give its rows in their order."
        )
