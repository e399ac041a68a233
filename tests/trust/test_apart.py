"""Groups that are drawn apart keep each its own promise, whichever images are asked first."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from scipy import stats

from benchmarks.promise_apart import broken
from benchmarks.promise_pools import good, limit_of, never_wrong, waves_of
from clipgrip.errors import DataError
from clipgrip.trust.draw import Draw
from clipgrip.trust.further import further
from clipgrip.trust.planning import more_answers
from clipgrip.trust.promise import Promise, promise
from clipgrip.trust.proof import Null, right_needed
from clipgrip.trust.scope import Answered, Group, Whole, misses_and_overkill, overall, per_class
from clipgrip.trust.sequence import STARTS_APART, AuditSeen, ScopeSequence
from clipgrip.trust.terms import About, Terms

CLASSES, SIZE, DRAWS = 4, 800, 40
GROUPS = per_class("abcd")
NONE = np.zeros(0, np.int64)


def in_order(draw: Draw, *parts: Whole) -> Whole:
    asked = np.isin(draw.order, np.concatenate(parts))
    return draw.order[asked]


def audits(
    pool: Answered,
    truth: Whole,
    groups: tuple[Group, ...],
    terms: Terms,
    seed: int,
    most: int | None = None,
) -> list[tuple[Promise, Whole]]:
    """Sheet after sheet until none pays."""
    draw = Draw(np.random.default_rng(seed).permutation(len(pool)), apart=True)
    rows, found = NONE, []
    while len(found) < 40:
        told = promise(pool, rows, truth[rows], groups, terms, draw=draw)
        found.append((told, rows))
        more = further(told, pool, rows, groups, draw.order, most=most).rows
        if not len(more):
            break
        rows = in_order(draw, rows, more)
    return found


@pytest.mark.parametrize("about", ["delivered", "decided", "source"])
@pytest.mark.parametrize("make", [limit_of, waves_of])
def test_no_class_breaks_its_promise_more_often_than_all_together_may(
    make: object, about: About
) -> None:
    assert callable(make)
    made = partial(make, 0.1, size=SIZE, classes=CLASSES)
    times = 0
    for seed in range(DRAWS):
        pool, truth = made(np.random.default_rng([1, seed]))
        fresh = made(np.random.default_rng([2, seed])) if about == "source" else None
        read = audits(pool, truth, GROUPS, Terms(0.1, 0.9, about), seed)
        times += any(broken(told, pool, truth, GROUPS, fresh) for told, _ in read)
    assert times <= stats.binom.ppf(0.999, DRAWS, 0.1)


def test_misses_and_overkill_are_drawn_apart_too() -> None:
    groups, times = misses_and_overkill(CLASSES, [0]), 0
    for seed in range(DRAWS):
        pool, truth = limit_of(0.15, np.random.default_rng(seed), SIZE, CLASSES)
        read = audits(pool, truth, groups, Terms(0.1, 0.9), seed)
        times += any(broken(told, pool, truth, groups, None) for told, _ in read)
    assert times <= stats.binom.ppf(0.999, DRAWS, 0.1)
    pool, truth = good(np.random.default_rng(0), SIZE, CLASSES)
    told, rows = audits(pool, truth, groups, Terms(0.1), 0)[-1]
    assert told.whole
    assert told.decided.sum() == SIZE - len(rows)


def test_a_class_is_read_the_same_whatever_was_asked_of_the_others() -> None:
    pool, truth = good(np.random.default_rng(3), SIZE, CLASSES)
    draw = Draw(np.random.default_rng(3).permutation(SIZE), apart=True)
    first = draw.within(pool.labels == 0)[:30]
    other = draw.within(pool.labels == 1)[:20]
    terms = Terms(0.1)
    alone = promise(pool, first, truth[first], GROUPS, terms, draw=draw)
    rows = in_order(draw, first, other)
    both = promise(pool, rows, truth[rows], GROUPS, terms, draw=draw)
    assert alone.scopes[0] == both.scopes[0]
    assert both.scopes[1].audited in (0, 20)


def test_fewer_answers_prove_more_than_as_many_drawn_from_all_images_alike() -> None:
    shares, uniform = [], []
    for seed in range(8):
        pool, truth = good(np.random.default_rng(seed), 2000, CLASSES)
        told, rows = audits(pool, truth, GROUPS, Terms(0.05), seed)[-1]
        order = np.random.default_rng(seed).permutation(2000)
        alike = order[: len(rows)]
        terms = Terms(0.05)
        other = promise(pool, alike, truth[alike], GROUPS, terms, draw=Draw(order))
        shares.append(told.decided.mean())
        uniform.append(other.decided.mean())
    assert np.mean(shares) > np.mean(uniform) + 0.1


def test_a_proven_class_hands_its_part_of_the_doubt_on() -> None:
    pool, truth = never_wrong(np.random.default_rng(0), SIZE, CLASSES)
    draw = Draw(np.random.default_rng(0).permutation(SIZE), apart=True)
    terms = Terms(0.1)
    told = promise(pool, NONE, truth[NONE], GROUPS, terms, draw=draw)
    assert told.alpha == pytest.approx(0.05 / 4)
    first = told.wider[0].right
    some = np.concatenate([draw.within(pool.labels == c)[:130] for c in (0, 1, 2)])
    rows = in_order(draw, some)
    told = promise(pool, rows, truth[rows], GROUPS, terms, draw=draw)
    assert [scope.whole for scope in told.scopes] == [True, True, True, False]
    assert told.alpha == pytest.approx(0.05)
    (left,) = told.wider
    assert first is not None
    assert left.right is not None
    assert left.right < first


def test_a_class_too_small_for_any_proof_takes_nothing_from_the_others() -> None:
    labels = np.repeat([0, 1, 2], [200, 200, 6])
    pool = Answered(labels, np.linspace(0.5, 1, len(labels)))
    groups = per_class("abc")
    draw = Draw(np.random.default_rng(0).permutation(len(labels)), apart=True)
    told = promise(pool, NONE, labels[NONE], groups, Terms(0.1), draw=draw)
    assert told.alpha == pytest.approx(0.05 / 2)
    assert {one.group for one in told.wider} == {"a", "b"}
    assert told.scopes[2].threshold is None
    nothing = more_answers(told, pool, NONE, labels[NONE], groups)
    assert nothing["c"] is None


def test_classes_that_err_too_often_are_given_up_before_they_are_eaten_up() -> None:
    labels = np.repeat([0, 1], 300)
    pool = Answered(labels, np.random.default_rng(0).random(600))
    truth = np.where((labels == 1) & (np.arange(600) % 3 == 0), 0, labels)
    told, rows = audits(pool, truth, per_class("ab"), Terms(0.1), 0)[-1]
    right, bad = told.scopes
    assert right.whole
    assert not bad.whole
    assert (labels[rows] == 1).sum() < 120
    assert not any(one.pays for one in told.wider)


def test_of_few_answers_those_that_free_the_most_images_come_first() -> None:
    labels = np.repeat([0, 1, 2], [500, 100, 100])
    pool = Answered(labels, np.ones(700))
    groups = per_class("abc")
    draw = Draw(np.random.default_rng(0).permutation(700), apart=True)
    told = promise(pool, NONE, labels[NONE], groups, Terms(0.1), draw=draw)
    need = {one.group: one.draws for one in told.wider}
    assert need["a"] is not None
    found = further(told, pool, NONE, groups, draw.order, most=need["a"])
    assert found.by_group == {"a": need["a"]}
    assert (labels[found.rows] == 0).all()
    assert found.rows.tolist() == draw.within(labels == 0)[: need["a"]].tolist()


def test_where_a_promise_about_new_images_begins_no_answer_moves() -> None:
    pool, _ = good(np.random.default_rng(5))
    order = np.random.default_rng(5).permutation(len(pool))
    steps = Terms(0.05, about="source")
    right = pool.labels  # nothing is wrong: all that may be promised is
    starts = set()
    for n in (200, 400, 900, 1500):
        few = promise(pool, order[:n], right[order[:n]], overall(4), steps, draw=Draw(order))
        wrong = promise(
            pool, order[:n], (right[order[:n]] + 1) % 4, overall(4), steps, draw=Draw(order)
        )
        assert few.scopes[0].threshold is not None
        assert wrong.scopes[0].threshold is None
        starts.add(tuple(sequence_starts(pool, order, n, right, steps)))
    assert len(starts) == 1
    late = promise(pool, order, right[order], overall(4), steps, draw=Draw(order))
    assert late.scopes[0].audited <= len(pool) / 2  # the others said where it begins


def sequence_starts(pool: Answered, order: Whole, n: int, truth: Whole, terms: Terms) -> list[int]:
    from clipgrip.trust.sequence import AuditSeen, ScopeSequence

    seen = AuditSeen(pool, order[:n], truth[order[:n]], terms, Draw(order), few=True)
    return list(ScopeSequence(seen, overall(4)[0], terms.alpha).starts)


def test_what_decides_is_read_up_to_an_answer_that_sizes_alone_fix() -> None:
    pool, truth = never_wrong(np.random.default_rng(1), SIZE, CLASSES)
    draw = Draw(np.random.default_rng(1).permutation(SIZE), apart=True)
    terms = Terms(0.1, about="decided")
    rows = draw.order
    told = promise(pool, rows, truth[rows], GROUPS, terms, draw=draw)
    assert all(scope.whole for scope in told.scopes)
    assert all(scope.audited <= scope.size / 2 for scope in told.scopes)


def test_answers_that_are_no_beginning_of_their_group_are_refused() -> None:
    pool, truth = never_wrong(np.random.default_rng(0), SIZE, CLASSES)
    draw = Draw(np.arange(SIZE), apart=True)
    gap = draw.within(pool.labels == 0)[1:9]
    with pytest.raises(DataError, match="without a gap"):
        promise(pool, gap, truth[gap], GROUPS, Terms(), draw=draw)
    with pytest.raises(DataError, match="Leave out the plan"):
        Draw(np.arange(4), 2, apart=True)
    with pytest.raises(DataError, match="needs the whole draw"):
        promise(pool, NONE, truth[NONE], GROUPS, Terms(about="source"))


def test_a_plan_begins_strictly_with_most_of_the_doubt_and_hands_it_on() -> None:
    from clipgrip.trust.sequence import LOOSE, AuditSeen, ScopeSequence

    pool, truth = good(np.random.default_rng(2))
    order = np.random.default_rng(2).permutation(len(pool))
    seen = AuditSeen(pool, NONE, truth[NONE], Terms(0.05), Draw(order, 250), few=True)
    sequence = ScopeSequence(seen, overall(4)[0], 0.05)
    (strict, most), (loose, least) = sorted(sequence.starts.items())
    assert strict < loose
    assert (most, least) == (pytest.approx(1 - LOOSE), pytest.approx(LOOSE))
    told = promise(
        pool, order[:250], pool.labels[order[:250]], overall(4), Terms(0.05), draw=Draw(order, 250)
    )
    assert told.whole


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_answer_is_asked_for_that_can_never_count(seed: int) -> None:
    """A promise about new images reads half of each group's order; the rest says where it begins."""
    pool, truth = good(np.random.default_rng(seed), 750, 3)
    draw, groups = Draw(np.random.default_rng(seed).permutation(750), apart=True), per_class("abc")
    rows, asked = NONE, 1
    while asked:
        told = promise(pool, rows, truth[rows], groups, Terms(0.05, about="source"), draw=draw)
        more = further(told, pool, rows, groups, draw.order).rows
        rows, asked = in_order(draw, rows, more), len(more)
    for c in range(3):
        mine = pool.labels == c
        assert mine[rows].sum() <= np.ceil(mine.sum() / 2)


SURE = 300
"""Images of the one group whose levels are counted exactly."""


def read_of(right: int, *, wrong_first: bool = False, alpha: float = 0.1) -> tuple[int, float]:
    """(images of the widest scope proven, alpha left) after so many answers, the surest images first.

    The order of the draw is that of confidence, so the number of answers within each scope is known.
    """
    pool = Answered(np.zeros(SURE, np.int64), np.linspace(1, 0.5, SURE))
    truth = np.zeros(SURE, np.int64)
    truth[0] = int(wrong_first)
    rows = np.arange(right)
    group = Group("a", np.array([True, False]), ~np.eye(2, dtype=bool))
    draw = Draw(np.arange(SURE), apart=True)
    seen = AuditSeen(pool, rows, truth[rows], Terms(0.1), draw, few=True)
    scope, left = ScopeSequence(seen, group, alpha).read(alpha)
    return scope.size, left


def answers_needed(size: int, alpha: float) -> int:
    """Right answers within a scope of so many images that prove it with ``alpha``."""
    needed = right_needed(np.zeros(0, bool), Null.of_pool(size, 0.1 * size), alpha)
    assert needed is not None
    return needed


@pytest.mark.parametrize("alpha", [0.1, 0.03])
def test_each_start_has_its_part_of_alpha_and_not_one_answer_less(alpha: float) -> None:
    """Were alpha not shared, the whole group would be proven after fewer: a level test at 99.9 % cannot see that."""
    _, part = STARTS_APART[-1]
    whole = next(n for n in range(1, SURE) if read_of(n, alpha=alpha)[0] == SURE)
    assert whole == answers_needed(SURE, part * alpha)
    assert whole > answers_needed(SURE, alpha)


@pytest.mark.parametrize("alpha", [0.1, 0.03])
def test_no_more_alpha_is_left_than_has_arrived(alpha: float) -> None:
    """What the stricter starts did not prove yet is not handed on with the part of the last one."""
    strictest = next(size for size in _sizes() if size >= STARTS_APART[0][0] * SURE)
    first = answers_needed(strictest, STARTS_APART[0][1] * alpha)
    for n in range(1, 60):
        size, left = read_of(n, alpha=alpha)
        if size < SURE:
            assert left == 0
        elif n < first:
            assert left == pytest.approx(STARTS_APART[-1][1] * alpha)
        else:
            assert left <= alpha * (1 + 1e-9)
    assert read_of(SURE, alpha=alpha)[1] == pytest.approx(alpha)


def test_an_error_among_the_surest_delays_every_start() -> None:
    clean, marred = (
        next(n for n in range(1, SURE) if read_of(n, wrong_first=wrong)[0] == SURE)
        for wrong in (False, True)
    )
    assert marred > clean
    assert read_of(marred, wrong_first=True)[1] == pytest.approx(0.07)


def _sizes() -> list[int]:
    """Of the scopes, from strict to wide: `QUANTILES` of the group."""
    return [int(np.floor(q * (SURE - 1))) + 1 for q in np.linspace(0, 1, 41)[1:]]
