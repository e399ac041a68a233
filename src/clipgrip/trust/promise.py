"""Automate as much as possible with at most so many errors: risk control from a random audit.

Fixed-sequence testing as in Learn then Test (Angelopoulos et al., arXiv 2110.01052): scopes from strict to wide, each with
an exact p-value, until one fails. Whatever the model's confidence is worth, the promise holds: a bad one only automates
less. The looks at a growing audit share the allowed error probability (alpha spending), so the audit may stop at any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Literal

import numpy as np

from clipgrip.errors import ConfigError, DataError
from clipgrip.trust.bounds import Values, pool_p_value, rate_p_value, spent
from clipgrip.trust.scope import (
    Answered,
    Group,
    Numbers,
    Truths,
    Whole,
    pool_levels,
    source_levels,
)

GROWTH = 1.5
"""How many times as many answers the next look has."""
MOST_WRONG = 1
"""The first scope is so wide that this many wrong answers do not end the sequence."""

About = Literal["pool", "source"]


@dataclass(frozen=True)
class Terms:
    """At most ``max_error`` of the model's decisions are wrong, ``confidence`` sure.

    About the *pool*: share of wrong among the images of this pool that the model decides (those outside the counted
    audit). About the *source*: probability that an answer within the scope is wrong for a new image that comes from
    where the audited ones came from, if the model has learned from none of these.

    Raises:
        ConfigError: a share that is not between 0 and 1.
    """

    max_error: float = 0.02
    confidence: float = 0.95
    about: About = "pool"

    def __post_init__(self) -> None:
        for name in ("max_error", "confidence"):
            if not 0 < getattr(self, name) < 1:
                raise ConfigError(
                    f"{name.replace('_', '-')} is {getattr(self, name)}; it has to lie between 0 and 1, as in 0.02 "
                    "for 2 %."
                )

    @property
    def alpha(self) -> float:
        """Probability with which the promise may fail."""
        return 1 - self.confidence


@dataclass(frozen=True)
class Scope:
    """What is promised for a group: the model decides at and above ``threshold``; None where it decides nothing."""

    group: str
    threshold: float | None
    size: int
    """Images of the pool within the scope, counted audit answers among them."""
    audited: int
    wrong: int
    more: int | None
    """About so many more answers for the whole group, should its error rate stay; None: no number is enough."""


@dataclass(frozen=True)
class Promise:
    """Scopes that hold together, from the first ``counted`` answers of the audit (look number ``look``, 0: none yet)."""

    terms: Terms
    look: int
    counted: int
    next_look: int | None
    scopes: tuple[Scope, ...]
    decided: Truths = field(repr=False)
    """(N,) rows that the model decides."""


def promise(
    pool: Answered, rows: Whole, truth: Whole, groups: Sequence[Group], terms: Terms
) -> Promise:
    """The widest scopes that the audit proves: its drawn ``rows`` (n,) in their order, and the ``truth`` (n,) of each.

    Raises:
        DataError: a row twice or outside the pool.
    """
    _check_audit(pool, rows, truth)
    looks = look_sizes(len(pool), terms, len(groups))
    done = sum(size <= len(rows) for size in looks)
    counted = looks[done - 1] if done else 0
    following = looks[done] if done < len(looks) else None
    seen = _Seen(pool, rows[:counted], truth[:counted], terms, done, len(groups))
    scopes = tuple(_scope(seen, group, looks) for group in groups)
    decided = np.zeros(len(pool), bool)
    for group, scope in zip(groups, scopes, strict=True):
        if scope.threshold is not None:
            decided |= group.members(pool.labels) & (pool.confidence >= scope.threshold)
    decided[rows[:counted]] = False
    return Promise(terms, done, counted, following, scopes, decided)


def look_sizes(size: int, terms: Terms, n_groups: int = 1) -> list[int]:
    """Answers at which the audit is looked at; fixed before it begins, so that stopping at any of them is fair.

    The first is the smallest that can prove anything, if not one answer is wrong. Empty where the pool is too small.
    """
    counts = np.arange(1, size)
    alpha = spent(terms.alpha, 1) / n_groups
    proven = p_values(terms, np.zeros_like(counts), counts, np.full_like(counts, size), counts) <= alpha
    if not proven.any():
        return []
    sizes = [int(counts[proven][0])]
    while sizes[-1] * GROWTH < size:
        sizes.append(int(np.ceil(sizes[-1] * GROWTH)))
    return [n for n in sizes if n < size]


@dataclass(frozen=True)
class _Seen:
    pool: Answered
    rows: Whole
    truth: Whole
    terms: Terms
    look: int
    n_groups: int

    @property
    def alpha(self) -> float:
        return spent(self.terms.alpha, self.look) / self.n_groups if self.look else 0.0


def _scope(seen: _Seen, group: Group, looks: list[int]) -> Scope:
    pool, rows, terms = seen.pool, seen.rows, seen.terms
    inside = group.members(pool.labels)
    confidence = pool.confidence[inside]
    levels = pool_levels(confidence) if terms.about == "pool" else source_levels()
    members = inside[rows]
    level = pool.confidence[rows][members]
    bad = group.wrong[pool.labels[rows], seen.truth][members]
    sizes, audited = _at_least(confidence, levels), _at_least(level, levels)
    wrong = _at_least(level[bad], levels)
    more = _more(seen, len(confidence), len(level), int(bad.sum()), looks)
    passed = _fixed_sequence(seen, sizes, audited, wrong)
    if passed is None or sizes[passed] == 0:
        return Scope(group.name, None, 0, 0, 0, more)
    whole = sizes[passed] == len(confidence)
    counts = int(sizes[passed]), int(audited[passed]), int(wrong[passed])
    return Scope(group.name, float(levels[passed]), *counts, 0 if whole else more)


def _fixed_sequence(seen: _Seen, sizes: Whole, audited: Whole, wrong: Whole) -> int | None:
    """The last level before the first that fails; None where the first already fails."""
    first = _first_level(seen, sizes, audited)
    if first is None:
        return None
    counted = np.full_like(sizes, len(seen.rows))
    passes = p_values(seen.terms, wrong, audited, sizes, counted) <= seen.alpha
    length = len(list(takewhile(bool, passes[first:])))
    return first + length - 1 if length else None


def _first_level(seen: _Seen, sizes: Whole, audited: Whole) -> int | None:
    """Where the sequence begins. No error of the audit has a say, so the level of the tests stays exact.

    About the pool, its sizes are fixed; about the source, only images outside the audit are asked.
    """
    total, counted = len(seen.pool), len(seen.rows)
    if not counted:
        return None
    rest, others = (sizes, total) if seen.terms.about == "pool" else (sizes - audited, total - counted)
    expected = np.floor(rest * counted / max(1, others)).astype(np.int64)
    whole = np.full_like(sizes, counted)
    for mistakes in (MOST_WRONG, 0):
        wide = p_values(seen.terms, np.full_like(sizes, mistakes), expected, sizes, whole)
        enough = (wide <= seen.alpha) & (expected > 0)
        if enough.any():
            return int(enough.argmax())
    return None


def p_values(terms: Terms, wrong: Whole, audited: Whole, sizes: Whole, counted: Whole) -> Values:
    """P-values of "the promise does not hold in this scope".

    About the pool the question is put so that it depends on no draw: the whole scope may hold ``max_error`` times what is
    left of it even if all counted answers fell inside. Then the share among what is left is at most ``max_error``.
    """
    if terms.about == "source":
        return rate_p_value(wrong, audited, terms.max_error)
    left = sizes - np.minimum(sizes, counted)
    return pool_p_value(wrong, audited, sizes, np.floor(terms.max_error * left + 1e-9))


def _more(seen: _Seen, size: int, audited: int, wrong: int, looks: list[int]) -> int | None:
    """Answers beyond those counted until the whole group passes with probability 0.8, at the error rate seen so far."""
    rate, total = (wrong + 0.5) / (audited + 1) if audited else 0.0, len(seen.pool)
    for look, count in enumerate(looks, 1):
        if look <= seen.look:
            continue
        expected = round(count * size / total)
        later = replace(seen, look=look)
        wrongs = np.arange(expected + 1)
        full = np.full_like(wrongs, size)
        values = p_values(
            seen.terms, wrongs, np.full_like(wrongs, expected), full, np.full_like(wrongs, count)
        )
        most = int((values <= later.alpha).sum()) - 1
        if most >= 0 and 1 - float(rate_p_value(most, expected, rate)) <= 0.2:
            return count - len(seen.rows)
    return None


def _at_least(confidence: Numbers, levels: Numbers) -> Whole:
    ordered = np.sort(confidence)
    return (len(ordered) - np.searchsorted(ordered, levels, side="left")).astype(np.int64)


def _check_audit(pool: Answered, rows: Whole, truth: Whole) -> None:
    if len(rows) != len(truth):
        raise DataError(f"{len(rows)} audited images but {len(truth)} answers. Give one for each.")
    if len(np.unique(rows)) != len(rows):
        raise DataError("the audit holds an image twice. Give each once, in the order of the draw.")
    if len(rows) and not (0 <= rows.min() and rows.max() < len(pool)):
        raise DataError(f"the audit holds an image outside the pool of {len(pool)}.")
