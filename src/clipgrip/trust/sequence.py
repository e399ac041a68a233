"""The scopes of one group from strict to wide, tested one after the other.

A fixed sequence with fallback (Wiens & Dmitrienko, J. Biopharm. Stat. 2005): alpha is split over several starts, which
depend on no answer. A scope is tested with the alpha that proved the one before it, plus the part that starts there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import ceil, inf

import numpy as np

from clipgrip.trust.bounds import most_inside, pool_p_value, rate_p_value
from clipgrip.trust.draw import Draw
from clipgrip.trust.proof import Null, hoped_needed, is_proven, right_needed
from clipgrip.trust.scope import Answered, Group, Numbers, Truths, Whole, pool_levels, source_levels
from clipgrip.trust.sizes import deciding
from clipgrip.trust.steps import Scope, Wider
from clipgrip.trust.terms import Terms

LEAST = 0.4
"""Without a plan the first scope holds this share of a group; with more than a few groups, all of each."""
STARTS_APART = ((0.3, 0.15), (0.6, 0.15), (1.0, 0.7))
"""For groups drawn apart: (share of the group in a scope with a start, share of alpha). Chosen on simulated and real
answers (decision 0034): of a class with too many errors the most confident answers may still be promised."""
LOOSE = 0.2
"""With a plan: share of alpha that starts at the scope which can be proven in spite of one wrong answer."""
HOPE = 0.5
"""For a group drawn apart, more answers pay if they would with so many times the error rate seen so far."""
HORIZON = 0.2
"""Without a plan: share of the pool after which answers no longer count for a promise of *decided*."""


@dataclass(frozen=True)
class AuditSeen:
    """An audit as it is read: the first n answers of a draw from a pool, and the terms of the promise."""

    pool: Answered
    rows: Whole = field(repr=False)
    truth: Whole = field(repr=False)
    terms: Terms
    draw: Draw
    few: bool
    """Whether there are so few groups that the scopes of each may start with a part of its images."""

    @property
    def horizon(self) -> int:
        """Answers of a uniform draw that count for *decided*."""
        planned = self.draw.plan
        n = len(self.pool)
        return ceil(HORIZON * n) if planned is None else min(planned, n)


class ScopeSequence:
    """The scopes of a group from strict to wide; ``alpha`` is that with which the group begins."""

    def __init__(self, seen: AuditSeen, group: Group, alpha: float) -> None:
        pool, draw = seen.pool, seen.draw
        inside = group.members(pool.labels)
        self.seen, self.group, self.terms, self.alpha = seen, group, seen.terms, alpha
        self.confidence = pool.confidence[inside].astype(np.float64, copy=False)
        about = self.terms.about
        self.levels, self.sizes = _levels(self.confidence.tobytes(), about == "source")
        self.total, self.horizon = len(pool), seen.horizon
        if draw.apart:
            self.total = int(inside.sum())
            # fixed by the group's size alone, however many answers come
            fixed = deciding(self.total, self.terms.max_error, alpha)
            self.horizon = fixed if about == "decided" else self.total
        self.nulls = self._nulls()
        counted, self.rest = self._countable(inside)
        members = inside[seen.rows]
        self.answered = int(members.sum())
        members &= counted[seen.rows]
        rows = seen.rows[members]
        self.level = pool.confidence[rows]
        self.bad = group.wrong[pool.labels[rows], seen.truth[members]]
        planned = draw.planned
        self.drawn = None if planned is None else pool.confidence[planned[inside[planned]]]
        self.starts = self._starts()

    def read(self, alpha: float) -> tuple[Scope, float]:
        """The widest scope proven with ``alpha``, and the alpha that other groups may then have.

        0 unless the whole group is proven, and less than ``alpha`` if a stricter scope with a start was not.
        """
        passed, level = None, 0.0
        for at in range(len(self.levels)):
            tested = level + alpha * self.starts.get(at, 0.0)
            proven = tested > 0 and self._proven(at, tested, alpha * self._most(at))
            level = tested if proven else 0.0
            passed = at if level else passed
        if passed is not None and self.sizes[passed] == 0:
            passed = None
        scope = self._scope(passed)
        return scope, level if scope.whole else 0.0

    def _scope(self, at: int | None) -> Scope:
        if at is None:
            return Scope.nothing(self.group.name)
        size, wrong = int(self.sizes[at]), self._answers(at)
        counts = size, len(wrong), int(wrong.sum())
        return Scope(self.group.name, float(self.levels[at]), *counts, size == len(self.confidence))

    def _countable(self, inside: Truths) -> tuple[Truths, Whole]:
        """(N,) the rows whose answers count; and the rows of the group that never do.

        For a promise about new images the starts are read off images whose answers never count, so these are fixed
        before: up to half of the pool.
        """
        draw, counted = self.seen.draw, np.ones(len(self.seen.pool), bool)
        self.limit = self.horizon if draw.apart else self.total
        if self.terms.about == "source":
            self.limit = max(draw.plan or 0, ceil(self.total / 2))
        if self.limit >= self.total:
            return counted, np.zeros(0, np.int64)
        order = draw.within(inside) if draw.apart else draw.order
        counted[order[self.limit :]] = False
        return counted, np.flatnonzero(inside & ~counted)

    def _answers(self, at: int) -> Truths:
        return self.bad[self.level >= self.levels[at]]

    def _nulls(self) -> Whole:
        """(L,) the null of each scope, as a number of wrong images of this pool.

        It must not depend on the draw, so that the first scope whose null is true is the same for every draw. *decided*
        leaves out audited images, of which only the largest likely number is known before.
        """
        of = self.sizes.astype(float)
        if self.terms.about == "decided":
            of -= most_inside(self.sizes, self.total, self.horizon)
        return Null.wrong_of(self.terms.max_error * of)

    def _null(self, at: int) -> Null:
        if self.terms.about == "source":
            return Null(None, self.terms.max_error)
        return Null(int(self.sizes[at]), int(self.nulls[at]))

    def _planned(self, at: int) -> int | None:
        return None if self.drawn is None else int((self.drawn >= self.levels[at]).sum())

    def _proven(self, at: int, alpha: float, most: float) -> bool:
        """Whether the scope is proven with ``alpha``, and with ``most``, the alpha that it may ever be tested with.

        Counts are whole, so with a plan a larger alpha need not prove all that a smaller one does. Asking for both
        makes sure that no more than ``most`` is spent.
        """
        null, wrong, planned = self._null(at), self._answers(at), self._planned(at)
        if self.terms.about == "decided":
            allowed = self.terms.max_error * (self.sizes[at] - len(wrong)) + 1e-9
            if null.wrong - 1 - wrong.sum() > allowed:
                return False  # more audited images fell into the scope than the null allows for
        if not is_proven(wrong, null, alpha, planned):
            return False
        return planned is None or alpha == most or is_proven(wrong, null, most, planned)

    def _starts(self) -> dict[int, float]:
        """The scopes with a start, and the share of alpha at each; independent of the audit's answers."""
        if not len(self.levels):
            return {}
        least = self.terms.least
        if least is None and self.drawn is not None:
            return self._starts_of_plan()
        sizes = self._unasked() if self.terms.about == "source" else self.sizes
        usual = LEAST if self.seen.few else 1.0
        shares: Sequence[tuple[float, float]] = ((least or usual, 1.0),)
        if least is None and self.seen.draw.apart:
            shares = STARTS_APART
        starts: dict[int, float] = {}
        for share, part in shares:
            at = int((sizes >= share * sizes[-1] - 1e-9).argmax())
            starts[at] = starts.get(at, 0.0) + part
        return starts

    def _most(self, at: int) -> float:
        """The largest share of alpha that a scope may ever be tested with."""
        return sum(share for start, share in self.starts.items() if start <= at)

    def _unasked(self) -> Whole:
        return _at_least(self.seen.pool.confidence[self.rest], self.levels)

    def _starts_of_plan(self) -> dict[int, float]:
        """The strictest scope that the plan can prove without an error, and with one if that is at most half the group.

        The stricter start has most of alpha: if errors are common it alone can prove anything, and if they are rare it
        hands its part on.
        """
        planned, total = self.horizon, self.total
        sizes = self.sizes
        if self.terms.about == "source":
            sizes, total = self._unasked(), total - max(planned, ceil(total / 2))
        expected = np.floor(sizes * planned / max(1, total)).astype(np.int64)
        surely = np.floor(expected - np.sqrt(expected)).astype(np.int64)
        strict = self._first(0, surely)
        if strict is None:
            strict = self._first(0, expected)
        if strict is None:
            return {len(self.levels) - 1: 1.0}
        loose = self._first(1, surely)
        if loose is None or loose == strict or sizes[loose] > sizes[-1] / 2:
            return {strict: 1.0}
        return {strict: 1 - LOOSE, loose: LOOSE}

    def _first(self, mistakes: int, answers: Whole) -> int | None:
        """The strictest scope that ``answers`` (L,) within each would prove with so many wrong ones; None if none."""
        enough = (self._p_values(mistakes, answers) <= self.alpha) & (answers > mistakes)
        return int(enough.argmax()) if enough.any() else None

    def _p_values(self, mistakes: int, answers: Whole) -> Numbers:
        if self.terms.about == "source":
            return rate_p_value(np.full_like(answers, mistakes), answers, self.terms.max_error)
        return _pool_p_values(
            mistakes, answers.tobytes(), self.sizes.tobytes(), self.nulls.tobytes()
        )

    def following(self, scope: Scope, alpha: float) -> Wider | None:
        """What would prove a wider scope than ``scope``: of the next one and those with a start, the most worthwhile.

        If the group is drawn apart, also the whole of it; the scopes in between are then proven on the way.
        """
        passed = None if scope.threshold is None else int((self.levels > scope.threshold).sum())
        after, last = -1 if passed is None else passed + 1, len(self.levels) - 1
        parts = {at: share for at, share in self.starts.items() if at > after}
        if passed is not None:
            parts[after] = self._most(after)
            if self.seen.draw.apart:
                parts[last] = self._most(last)
        found = [self._wider(at, scope, alpha * share) for at, share in parts.items()]
        return max(found, key=lambda one: (one.pays, one.worth)) if found else None

    def _wider(self, at: int, scope: Scope, alpha: float) -> Wider:
        wrong, inside, apart = self._answers(at), int(self.sizes[at]), self.seen.draw.apart
        null, there = self._null(at), inside - len(wrong)
        right = right_needed(wrong, null, alpha, self._planned(at))
        rest: float = there
        asked = self.answered if apart else len(self.seen.rows)
        if self.terms.about == "source":
            rest = inf
        elif apart and self.terms.about == "decided":
            rest = min(rest, self.horizon - len(self.level))
        images = inside - scope.size - (len(wrong) - scope.audited if apart else 0)
        if not right or right > rest:
            return Wider(self.group.name, None, None, images, False)
        left = self.total - asked
        draws = ceil(right * left / max(1, there))
        if self.terms.about == "source" and asked + draws > self.limit:
            return Wider(self.group.name, None, None, images, False)  # answers beyond never count
        gain = max(0, round(there * (1 - draws / left)) - (scope.size - scope.audited))
        if not apart:
            return Wider(self.group.name, right, draws, images, draws < images, gain)
        pays = 2 * draws <= images
        if pays and wrong.any():  # with errors to come it takes no fewer
            hoped = hoped_needed(wrong, null, alpha, HOPE * wrong.mean(), there)
            pays = hoped is not None and 2 * ceil(hoped * left / max(1, there)) <= images
        return Wider(self.group.name, right, draws, images, pays, gain)


@lru_cache(maxsize=256)
def _levels(confidence: bytes, of_source: bool) -> tuple[Numbers, Whole]:
    """(L,) thresholds and sizes of a group's scopes, from the bytes of its confidences: the same after every answer."""
    values = np.frombuffer(confidence, np.float64)
    levels = source_levels() if of_source else pool_levels(values)
    sizes = _at_least(values, levels)
    levels.flags.writeable = sizes.flags.writeable = False
    return levels, sizes


def _at_least(confidence: Numbers, levels: Numbers) -> Whole:
    ordered = np.sort(confidence)
    return (len(ordered) - np.searchsorted(ordered, levels, side="left")).astype(np.int64)


@lru_cache(maxsize=64)
def _pool_p_values(mistakes: int, answers: bytes, sizes: bytes, nulls: bytes) -> Numbers:
    """(L,) as `pool_p_value`, of the bytes of whole numbers (L,): the same after every answer of an audit."""
    of, inside, allowed = (np.frombuffer(one, np.int64) for one in (answers, sizes, nulls))
    return pool_p_value(mistakes, of, inside, allowed - 1)
