"""Automate as much as possible with at most so many errors: risk control from a random audit.

Fixed-sequence testing as in Learn then Test (Angelopoulos et al., arXiv 2110.01052): scopes from strict to wide, in an
order that depends on no answer, are tested one after the other (`clipgrip.trust.proof`) until one is not proven. The
promise holds for any confidence; a poor one only means that less is automated. Every answer counts at once, and the
audit may be read after each of them.

Groups share alpha. One that is proven as a whole hands its part on to the others (Holm, Scand. J. Stat. 1979; Bretz et
al., Stat. Med. 2009). The wealth of the bets does not depend on alpha, so this holds at any time of reading, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from clipgrip.errors import DataError
from clipgrip.sentences import mark
from clipgrip.trust.draw import Draw
from clipgrip.trust.scope import Answered, Group, Truths, Whole
from clipgrip.trust.sequence import AuditSeen, ScopeSequence
from clipgrip.trust.sizes import FEW, provable
from clipgrip.trust.steps import Scope, Wider
from clipgrip.trust.terms import Terms


@dataclass(frozen=True)
class Promise:
    """Scopes that all hold at the stated confidence together, from the first ``counted`` answers of the audit."""

    terms: Terms
    counted: int
    planned: int | None
    """Answers at which the exact test is read, if such a size was fixed before."""
    scopes: tuple[Scope, ...]
    decided: Truths = field(repr=False)
    """(N,) rows that the model decides."""
    apart: bool = False
    """Whether each group was drawn by itself."""
    alpha: float = 0.0
    """The level at which each group that is not promised as a whole is tested now."""
    unproven: tuple[tuple[ScopeSequence, Scope], ...] = field(default=(), repr=False, compare=False)
    """The groups that are tested and not promised as a whole."""

    @cached_property
    def wider(self) -> tuple[Wider, ...]:
        """The next wider scope of each group that is not promised as a whole, and what would prove it."""
        steps = (sequence.following(scope, self.alpha) for sequence, scope in self.unproven)
        return tuple(one for one in steps if one is not None)

    @property
    def whole(self) -> bool:
        """Whether every answer of every group is promised."""
        return all(scope.whole for scope in self.scopes)

    @property
    def paying(self) -> list[Wider]:
        """Steps that add more images than they cost answers, those with the most images per answer first."""
        return sorted((one for one in self.wider if one.pays and one.draws), key=lambda w: -w.worth)

    @property
    def following(self) -> Wider | None:
        """The wider scope that needs the fewest further answers, of those that pay; None where it is best to stop.

        As long as nothing is promised, any pays.
        """
        any_pays = not self.decided.any()
        open_ones = [one for one in self.wider if one.draws and (one.pays or any_pays)]
        return min(open_ones, key=lambda one: one.draws or 0) if open_ones else None


def promise(
    pool: Answered,
    rows: Whole,
    truth: Whole,
    groups: Sequence[Group],
    terms: Terms,
    *,
    draw: Draw | None = None,
) -> Promise:
    """The widest scopes that an audit proves: its ``rows`` (n,) in the order of the draw and their ``truth`` (n,).

    Args:
        draw: the whole draw, whose first rows (in each group, if apart) were answered. With a plan the exact test is
            read there with all of alpha. None: a draw without a plan that begins with ``rows``.

    Raises:
        DataError: a row twice or outside the pool, rows that do not begin the draw, or *source* without a draw.
    """
    _check_audit(pool, rows, truth)
    if draw is None:
        if terms.about == "source":
            raise DataError(
                mark(
                    "a promise about new images needs the whole draw: where it begins is read off images that are "
                    "not asked. Give the draw."
                )
            )
        others = np.ones(len(pool), bool)
        others[rows] = False
        draw = Draw(np.concatenate([rows, np.flatnonzero(others)]).astype(np.int64))
    draw.check(pool, rows, groups)
    seen = AuditSeen(pool, rows, truth, terms, draw, len(groups) <= FEW)
    ends = [len(rows)]
    if terms.about == "decided" and not draw.apart and seen.horizon < len(rows):
        ends.append(seen.horizon)
    read = [_read(replace(seen, rows=rows[:n], truth=truth[:n]), groups) for n in ends]
    # what people answered after the horizon is not left to the model, though the proof at the horizon covers it
    left = [_without(one.decided, rows) for one in read]
    best = max(range(len(read)), key=lambda n: (left[n].sum(), read[n].decided.sum()))
    return replace(read[best], decided=left[best])


def _read(seen: AuditSeen, groups: Sequence[Group]) -> Promise:
    tested = provable(seen.pool, groups, seen.terms)
    alpha = given = seen.terms.alpha / max(1, len(tested))
    left = {group.name: ScopeSequence(seen, group, alpha) for group in tested}
    found: dict[str, Scope] = {}
    while left:
        read = {name: sequence.read(given) for name, sequence in left.items()}
        found |= {name: scope for name, (scope, _) in read.items()}
        free = sum(handed for _, handed in read.values())
        left = {name: one for name, one in left.items() if not found[name].whole}
        if seen.draw.plan is not None or not left or not free:
            break
        given += free / len(left)
    scopes = [found.get(group.name, Scope.nothing(group.name)) for group in groups]
    unproven = tuple((sequence, found[name]) for name, sequence in left.items())
    decided = np.zeros(len(seen.pool), bool)
    for group, scope in zip(groups, scopes, strict=True):
        if scope.threshold is not None:
            inside = group.members(seen.pool.labels)
            decided |= inside & (seen.pool.confidence >= scope.threshold)
    decided = _without(decided, seen.rows)
    counted, plan = len(seen.rows), seen.draw.plan
    return Promise(
        seen.terms, counted, plan, tuple(scopes), decided, seen.draw.apart, given, unproven
    )


def _without(decided: Truths, rows: Whole) -> Truths:
    """(N,) ``decided`` without the answered rows."""
    left = decided.copy()
    left[rows] = False
    return left


def _check_audit(pool: Answered, rows: Whole, truth: Whole) -> None:
    if len(rows) != len(truth):
        raise DataError(
            "{rows} audited images but {answers} answers. Give one for each.",
            rows=len(rows),
            answers=len(truth),
        )
    if len(np.unique(rows)) != len(rows):
        raise DataError(
            mark("the audit holds an image twice. Give each once, in the order of the draw.")
        )
    if len(rows) and not (rows.min() >= 0 and rows.max() < len(pool)):
        raise DataError("the audit holds an image outside the pool of {images}.", images=len(pool))
