"""A promise is kept, whatever the model is like."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchmarks.promise_pools import MODELS, at_the_limit, good, never_wrong
from clipgrip.errors import ConfigError, DataError
from clipgrip.trust.audit import audit_id, audit_order, audit_size
from clipgrip.trust.bounds import pool_bound, pool_p_value, rate_bound
from clipgrip.trust.promise import About, Promise, Terms, look_sizes, more_answers, promise
from clipgrip.trust.scope import (
    Answered,
    Group,
    Whole,
    misses_and_overkill,
    overall,
    per_class,
    pool_levels,
)

DRAWS = 60


def audited(
    pool: Answered, truth: Whole, n: int, groups: tuple[Group, ...], terms: Terms, seed: int = 0
) -> Promise:
    rows = np.random.default_rng(seed).permutation(len(pool))[:n]
    return promise(pool, rows, truth[rows], groups, terms)


def is_broken(told: Promise, pool: Answered, truth: Whole, groups: tuple[Group, ...]) -> bool:
    for group in groups:
        inside = group.members(pool.labels) & told.decided
        wrong = group.wrong[pool.labels, truth][inside]
        if inside.any() and wrong.mean() > told.terms.max_error:
            return True
    return False


@pytest.mark.parametrize("name", MODELS)
def test_a_promise_at_any_look_is_broken_at_most_as_often_as_it_says(name: str) -> None:
    terms, broken = Terms(0.05, 0.9), 0
    for seed in range(DRAWS):
        pool, truth = MODELS[name](np.random.default_rng([1, seed]))
        groups = overall(100)
        looks = [n for n in look_sizes(len(pool), terms) if n < 400]
        told = [audited(pool, truth, n, groups, terms, seed) for n in looks]
        broken += any(is_broken(one, pool, truth, groups) for one in told)
    assert broken <= stats.binom.ppf(0.999, DRAWS, 0.1)


def test_a_promise_for_each_group_holds_for_each() -> None:
    terms, broken = Terms(0.05, 0.9), 0
    for seed in range(DRAWS):
        pool, truth = MODELS["in waves"](np.random.default_rng([2, seed]))
        for groups in (per_class("abcd"), misses_and_overkill(4, [0])):
            told = audited(
                pool, truth, look_sizes(2000, terms, len(groups))[-1], groups, terms, seed
            )
            broken += is_broken(told, pool, truth, groups)
    assert broken <= stats.binom.ppf(0.999, 2 * DRAWS, 0.1)


@pytest.mark.parametrize("about", ["pool", "source"])
def test_a_model_that_errs_seldom_decides_most_and_one_without_errors_all(about: About) -> None:
    terms = Terms(0.02, about=about)
    pool, truth = never_wrong(np.random.default_rng(0))
    first = look_sizes(len(pool), terms)[0]
    told = audited(pool, truth, first, overall(4), terms)
    assert told.scopes[0].whole
    assert told.decided.sum() == len(pool) - first
    shares = []
    for seed in range(10):
        pool, truth = good(np.random.default_rng(seed))
        third = look_sizes(len(pool), terms)[2]
        shares.append(audited(pool, truth, third, overall(4), terms).decided.mean())
    assert np.mean(shares) > 0.2


def test_naive_thresholds_break_what_the_promise_keeps() -> None:
    naive = kept = 0
    for seed in range(DRAWS):
        pool, truth = at_the_limit(np.random.default_rng([3, seed]))
        rows = np.random.default_rng(seed).permutation(len(pool))[:434]
        naive += (pool.labels != truth)[rows].mean() <= 0.02 < (pool.labels != truth).mean()
        kept += not is_broken(
            audited(pool, truth, 434, overall(4), Terms(), seed), pool, truth, overall(4)
        )
    assert naive > DRAWS / 5
    assert kept >= DRAWS - stats.binom.ppf(0.999, DRAWS, 0.05)


def test_no_answers_promise_nothing_and_all_answers_leave_nothing() -> None:
    pool, truth = never_wrong(np.random.default_rng(0), 300)
    told = audited(pool, truth, 0, overall(4), Terms(0.05))
    assert (told.look, told.counted, told.decided.sum()) == (0, 0, 0)
    assert told.scopes[0].threshold is None
    told = audited(pool, truth, 300, overall(4), Terms(0.05))
    assert told.counted < 300
    assert not told.decided[np.random.default_rng(0).permutation(300)[: told.counted]].any()


def test_a_pool_too_small_for_any_proof_goes_to_people() -> None:
    pool, truth = never_wrong(np.random.default_rng(0), 10)
    assert look_sizes(10, Terms()) == ()
    told = audited(pool, truth, 9, overall(4), Terms())
    assert told.decided.sum() == 0
    assert more_answers(told, pool, np.arange(9), truth[:9], overall(4)) == {"all": None}


def test_equal_confidences_are_never_parted() -> None:
    confidence = np.repeat([0.5, 0.9, 1.0], [10, 20, 70])
    levels = pool_levels(confidence)
    assert levels.tolist() == [1.0, 0.9, 0.5]


def test_only_counted_answers_change_a_promise() -> None:
    pool, truth = good(np.random.default_rng(4))
    look = look_sizes(len(pool), Terms())[0]
    first, later = (audited(pool, truth, n, overall(4), Terms(), 5) for n in (look, look + 20))
    assert first.scopes == later.scopes
    assert (first.decided == later.decided).all()
    assert later.next_look == look_sizes(len(pool), Terms())[1]


def test_misses_and_overkill_count_apart() -> None:
    misses, overkill = misses_and_overkill(3, [0])
    assert misses.wrong[0].tolist() == [False, True, True]
    assert overkill.wrong[1].tolist() == [True, False, False]
    assert (misses.called ^ overkill.called).all()


def test_more_answers_are_none_where_the_model_errs_too_often() -> None:
    terms, groups = Terms(0.05), overall(4)
    pool, truth = never_wrong(np.random.default_rng(6))
    rows = np.random.default_rng(6).permutation(len(pool))[:50]
    needed = more_answers(
        promise(pool, rows, truth[rows], groups, terms), pool, rows, truth[rows], groups
    )
    assert needed["all"] is not None
    assert needed["all"] + 50 in look_sizes(len(pool), terms)
    bad = (pool.labels + (np.arange(len(pool)) % 5 == 0)) % 4
    told = promise(pool, rows, bad[rows], groups, terms)
    assert more_answers(told, pool, rows, bad[rows], groups) == {"all": None}


def test_the_bounds_are_exact() -> None:
    assert rate_bound(0, 149, 0.05) == pytest.approx(0.0199, abs=2e-4)
    assert rate_bound(5, 5, 0.05) == 1.0
    for wrong, size in ((0, 40), (3, 200)):
        most = pool_bound(wrong, 30, size, 0.05)
        assert stats.hypergeom.cdf(wrong, size, most, 30) > 0.05
        assert stats.hypergeom.cdf(wrong, size, most + 1, 30) <= 0.05
    assert pool_bound(2, 30, 30, 0.05) == 2
    assert float(pool_p_value(0, 5, 5, 5)) == 0.0


def test_sizes_fall_with_the_precision_and_end_where_no_audit_helps() -> None:
    assert audit_size(precision=0.02, error=0.05) == 457
    smaller = audit_size(precision=0.02, error=0.05, size=500)
    assert smaller is not None
    assert smaller < 250
    assert audit_size(Terms(0.02), error=0.0, size=2000) == look_sizes(2000, Terms(0.02))[0]
    assert audit_size(Terms(0.02), error=0.03) is None
    with pytest.raises(ConfigError, match="not both"):
        audit_size()
    with pytest.raises(ConfigError, match="between 0 and 1"):
        audit_size(precision=2)


def test_a_draw_depends_on_content_and_seed_alone() -> None:
    hashes = [f"{n:03d}" for n in range(50)]
    order = audit_order(hashes, 0)
    turned = audit_order(hashes[::-1], 0)
    assert [hashes[row] for row in order] == [hashes[::-1][row] for row in turned]
    assert order != audit_order(hashes, 1)
    ids = {audit_id("run", 0, [("a", 1, c)]) for c in (0.5, 0.5, 0.6)}
    assert len(ids) == 2


def test_impossible_input_is_refused() -> None:
    pool, truth = never_wrong(np.random.default_rng(0), 20)
    for rows, message in (([1, 1], "twice"), ([25], "outside")):
        with pytest.raises(DataError, match=message):
            promise(pool, np.array(rows), truth[: len(rows)], overall(4), Terms())
    with pytest.raises(DataError, match="one for each"):
        promise(pool, np.array([1]), truth[:2], overall(4), Terms())
    with pytest.raises(ConfigError, match="max-error is 2"):
        Terms(2)
