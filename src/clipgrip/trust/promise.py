"""Automate as much as possible with at most so many errors: risk control from a random audit.

Fixed-sequence testing as in Learn then Test (Angelopoulos et al., arXiv 2110.01052): scopes from strict to wide, each
with an exact p-value, until one fails. Whatever the model's confidence is worth, the promise holds: a bad one only
automates less. Looks at a growing audit share the allowed error probability in equal parts (alpha
spending), so it may stop at any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import takewhile
from typing import Literal

import numpy as np

from clipgrip.errors import ConfigError, DataError
from clipgrip.trust.bounds import Values, most_inside, pool_p_value, rate_p_value
from clipgrip.trust.scope import (
    Answered,
    Group,
    Numbers,
    Truths,
    Whole,
    pool_levels,
    source_levels,
)

GROWTH = 2
"""How many times as many answers the next look has."""
MOST_LOOKS = 6
"""For one group; one more each time that the number of groups doubles."""
AT_A_TIME = 1024
"""Sizes of an audit that are tried at once when the first look is sought: of 100,000, a few hundred are enough."""

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
    whole: bool
    """Whether it holds every answer of the group."""


@dataclass(frozen=True)
class Promise:
    """Scopes that hold together, from the first ``counted`` answers of the audit (look ``look``, 0: none yet)."""

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
    alpha = terms.alpha / max(1, len(looks)) / max(1, len(groups))
    seen = _Seen(pool, rows[:counted], truth[:counted], terms, alpha)
    scopes = tuple(_scope(seen, group) for group in groups)
    decided = np.zeros(len(pool), bool)
    for group, scope in zip(groups, scopes, strict=True):
        if scope.threshold is not None:
            decided |= group.members(pool.labels) & (pool.confidence >= scope.threshold)
    decided[rows[:counted]] = False
    return Promise(terms, done, counted, following, scopes, decided)


@cache
def look_sizes(size: int, terms: Terms, n_groups: int = 1) -> tuple[int, ...]:
    """Answers at which the audit is looked at; fixed before it begins, so that stopping at any of them is fair.

    The first is the smallest that can prove anything, if not one answer is wrong; each has twice as many as the one
    before. Many groups get more looks, since each holds a part of the answers only. Empty where the pool is too small.
    """
    sizes: list[int] = []
    for n_looks in range(1, MOST_LOOKS + (n_groups - 1).bit_length() + 1):
        first = _first_proof(size, terms, terms.alpha / n_looks / n_groups)
        if first is None or first * GROWTH ** (n_looks - 1) >= size:
            break
        sizes = [first * GROWTH**look for look in range(n_looks)]
    return tuple(sizes)


def _first_proof(size: int, terms: Terms, alpha: float) -> int | None:
    """The fewest answers, none of them wrong, that prove all ``size`` images; None where not even all do."""
    for start in range(1, size, AT_A_TIME):
        counts = np.arange(start, min(start + AT_A_TIME, size))
        whole, zero = np.full_like(counts, size), np.zeros_like(counts)
        proven = p_values(terms, zero, counts, whole, counted=counts, total=size) <= alpha
        if proven.any():
            return int(counts[proven.argmax()])
    return None


def more_answers(
    told: Promise,
    pool: Answered,
    rows: Whole,
    truth: Whole,
    groups: Sequence[Group],
    *,
    power: float = 0.8,
) -> dict[str, int | None]:
    """By group: answers beyond ``rows`` (n,) until all of it is promised with probability ``power``.

    Should its error rate stay as it is seen in all answers given; 0 where it is promised already, None where no size
    of audit is enough.
    """
    looks = look_sizes(len(pool), told.terms, len(groups))
    alpha = told.terms.alpha / max(1, len(looks)) / len(groups)
    needed: dict[str, int | None] = {}
    for group, scope in zip(groups, told.scopes, strict=True):
        inside = group.members(pool.labels)
        members = inside[rows]
        wrong = int(group.wrong[pool.labels[rows], truth][members].sum())
        rate = (wrong + 0.5) / (members.sum() + 1) if members.any() else 0.0
        size = int(inside.sum())
        chances = (
            (count, passing_chance(told.terms, alpha, count, (size, len(pool)), rate))
            for count in looks[told.look :]
        )
        enough = next((count for count, chance in chances if chance >= power), None)
        needed[group.name] = 0 if scope.whole else None if enough is None else enough - len(rows)
    return needed


def passing_chance(
    terms: Terms, alpha: float, count: int, sizes: tuple[int, int], rate: float
) -> float:
    """Probability that a group of ``sizes[0]`` among ``sizes[1]`` images passes as a whole with ``count`` answers."""
    size, total = sizes
    expected = round(count * size / total)
    wrong = np.arange(expected + 1)
    audited, whole = np.full_like(wrong, expected), np.full_like(wrong, size)
    values = p_values(terms, wrong, audited, whole, counted=count, total=total)
    passing = int((values <= alpha).sum())
    return float(rate_p_value(passing - 1, expected, rate)) if passing else 0.0


@dataclass(frozen=True)
class _Seen:
    pool: Answered
    rows: Whole
    truth: Whole
    terms: Terms
    alpha: float


def _scope(seen: _Seen, group: Group) -> Scope:
    pool, rows, terms = seen.pool, seen.rows, seen.terms
    inside = group.members(pool.labels)
    confidence = pool.confidence[inside]
    levels = pool_levels(confidence) if terms.about == "pool" else source_levels()
    members = inside[rows]
    level = pool.confidence[rows][members]
    bad = group.wrong[pool.labels[rows], seen.truth][members]
    sizes, audited = _at_least(confidence, levels), _at_least(level, levels)
    wrong = _at_least(level[bad], levels)
    passed = _fixed_sequence(seen, sizes, audited, wrong)
    if passed is None or sizes[passed] == 0:
        return Scope(group.name, None, 0, 0, 0, False)
    whole = bool(sizes[passed] == len(confidence))
    counts = int(sizes[passed]), int(audited[passed]), int(wrong[passed])
    return Scope(group.name, float(levels[passed]), *counts, whole)


def _fixed_sequence(seen: _Seen, sizes: Whole, audited: Whole, wrong: Whole) -> int | None:
    """The last level before the first that fails; None where the first already fails."""
    counts = {"counted": len(seen.rows), "total": len(seen.pool)}
    flawless = p_values(seen.terms, np.zeros_like(wrong), audited, sizes, **counts)
    first = _first_level(seen, sizes, audited) if (flawless <= seen.alpha).any() else None
    if first is None:
        return None
    passes = p_values(seen.terms, wrong, audited, sizes, **counts) <= seen.alpha
    length = len(list(takewhile(bool, passes[first:])))
    return first + length - 1 if length else None


def _first_level(seen: _Seen, sizes: Whole, audited: Whole) -> int | None:
    """Where the sequence begins: the strictest scope that can pass, with one wrong answer if half the group suffices.

    No error of the audit has a say, so the level of the tests stays exact.
    About the pool, its sizes are fixed; about the source, only images outside the audit are asked.
    """
    total, counted = len(seen.pool), len(seen.rows)
    if not counted:
        return None
    rest, others = (
        (sizes, total) if seen.terms.about == "pool" else (sizes - audited, total - counted)
    )
    expected = np.floor(rest * counted / max(1, others)).astype(np.int64)
    surely = np.floor(expected - np.sqrt(expected)).astype(np.int64)
    for mistakes, there in ((1, surely), (0, surely), (0, expected)):
        few = np.full_like(sizes, mistakes)
        values = p_values(seen.terms, few, there, sizes, counted=counted, total=total)
        enough = (values <= seen.alpha) & (there > mistakes)
        if enough.any() and (not mistakes or rest[enough.argmax()] <= rest[-1] / 2):
            return int(enough.argmax())
    return None


def p_values(
    terms: Terms, wrong: Whole, audited: Whole, sizes: Whole, *, counted: int | Whole, total: int
) -> Values:
    """P-values of "the promise does not hold in this scope".

    About the pool the question depends on no draw: the scope may hold ``max_error`` times what is left of it where the
    most audit answers that can be expected fell inside. Fell in more, it does not pass. So what passes rightly has a
    share of wrong among what is left of at most ``max_error``.
    """
    if terms.about == "source":
        return rate_p_value(wrong, audited, terms.max_error)
    most = most_inside(sizes, total, counted)
    values = pool_p_value(wrong, audited, sizes, np.floor(terms.max_error * (sizes - most) + 1e-9))
    return np.where(audited > most, 1.0, values)


def _at_least(confidence: Numbers, levels: Numbers) -> Whole:
    ordered = np.sort(confidence)
    return (len(ordered) - np.searchsorted(ordered, levels, side="left")).astype(np.int64)


def _check_audit(pool: Answered, rows: Whole, truth: Whole) -> None:
    if len(rows) != len(truth):
        raise DataError(f"{len(rows)} audited images but {len(truth)} answers. Give one for each.")
    if len(np.unique(rows)) != len(rows):
        raise DataError("the audit holds an image twice. Give each once, in the order of the draw.")
    if len(rows) and not (rows.min() >= 0 and rows.max() < len(pool)):
        raise DataError(f"the audit holds an image outside the pool of {len(pool)}.")
