"""No bet grows on average while the null holds, whatever was seen before."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from clipgrip.trust import proof as proofs
from clipgrip.trust.betting import (
    MIXTURE,
    critical,
    deadline,
    factors,
    pool_chances,
    stream_chances,
    wealth,
)
from clipgrip.trust.proof import Null, hoped_needed, proof, right_needed

STATES = st.tuples(st.integers(2, 60), st.data())


@given(
    st.integers(2, 60),
    st.floats(0, 0.99),
    st.lists(st.booleans(), max_size=30),
    st.data(),
)
def test_the_mean_factor_under_the_null_is_at_most_one_in_every_state(
    size: int, bet: float, before: list[bool], data: st.DataObject
) -> None:
    before = before[: size - 1]
    null = data.draw(st.integers(1, size))
    left, seen = size - len(before), sum(before)
    wrong_left = data.draw(st.integers(0, left))  # what is truly left
    if seen + wrong_left < null:
        return  # the null does not hold
    chance = wrong_left / left
    paths = [np.array([*before, last]) for last in (True, False)]
    last = [factors(x, pool_chances(x, size, null), bet)[-1] for x in paths]
    shares = (chance, 1 - chance)
    mean = sum(p * f for p, f in zip(shares, last, strict=True) if p > 0)
    assert mean <= 1 + 1e-9


@given(st.floats(0.001, 0.999), st.floats(0, 0.99), st.floats(0, 1))
def test_a_stream_at_or_above_the_rate_wins_nothing(rate: float, bet: float, above: float) -> None:
    truth = rate + above * (1 - rate)
    wrong, right = (factors(np.array([x]), stream_chances(1, rate), bet)[0] for x in (True, False))
    assert truth * wrong + (1 - truth) * right <= 1 + 1e-9


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(41, 90), st.integers(1, 40))
def test_wealth_grows_with_the_null_and_shrinks_with_each_wrong_answer(
    answers: list[bool], size: int, null: int
) -> None:
    x = np.array(answers)
    here = wealth(x, pool_chances(x, size, null))
    more = wealth(x, pool_chances(x, size, null + 1))
    assert (more >= here * (1 - 1e-9)).all()
    for n in np.flatnonzero(~x):
        worse = x.copy()
        worse[n] = True
        assert wealth(worse, pool_chances(worse, size, null))[-1] <= here[-1] * (1 + 1e-9)


def test_the_weights_of_the_bets_are_one() -> None:
    assert sum(weight for _, weight in MIXTURE) == pytest.approx(1)


def test_a_null_that_asks_for_more_wrong_ones_than_images_are_left_is_refuted() -> None:
    x = np.zeros(4, bool)
    assert np.isinf(wealth(x, pool_chances(x, 5, 3))[-1])


def exact_mean(size: int, null: int, path_value: object) -> float:
    """Mean over every order of ``null`` wrong ones in a pool of ``size``."""
    assert callable(path_value)
    orders = itertools.combinations(range(size), null)
    values = []
    for places in orders:
        x = np.zeros(size, bool)
        x[list(places)] = True
        values.append(path_value(x))
    return float(np.mean(values))


@pytest.mark.parametrize("planned", [None, 3, 6])
def test_a_proof_is_wrong_in_at_most_alpha_of_all_orders_however_often_it_is_read(
    planned: int | None,
) -> None:
    for null in range(1, 8):
        for alpha in (0.05, 0.2, 0.4):
            for truly in range(null, min(null + 2, 9)):
                ever = exact_mean(
                    9, truly, lambda x, k=null, a=alpha: proof(x, Null(9, k), a, planned).max() >= 1
                )
                assert ever <= alpha + 1e-9


def test_a_plan_rejects_where_the_exact_test_of_its_size_does() -> None:
    size, null, planned, alpha = 400, 21, 100, 0.05
    most, level = critical(size, null, planned, alpha)
    assert level == pytest.approx(stats.hypergeom.cdf(most, size, null, planned))
    assert stats.hypergeom.cdf(most + 1, size, null, planned) > alpha
    for errors in (most, most + 1):
        x = np.zeros(planned, bool)
        x[-errors:] = True  # the latest that they can come
        assert (deadline(x, size, null, planned, most)[-1] == 1) == (errors <= most)
        assert (proof(x, Null(size, null), alpha, planned)[-1] >= 1) == (errors <= most)


def test_a_plan_may_stand_earlier_and_may_go_on() -> None:
    none = proof(np.zeros(100, bool), Null(400, 21), 0.05, 100)
    assert (none >= 1).argmax() < 95
    late = np.zeros(300, bool)
    late[[5, 20, 40, 60]] = True
    path = proof(late, Null(400, 21), 0.05, 100)
    assert path[:100].max() < 1 <= path.max()


def test_right_answers_needed_are_those_that_complete_the_proof() -> None:
    x = np.zeros(50, bool)
    x[10] = True
    null = Null.of_pool(2000, 0.05 * 2000)
    more = right_needed(x, null, 0.05)
    assert more is not None
    for right, done in ((more, True), (more - 1, False)):
        path = proof(np.concatenate([x, np.zeros(right, bool)]), null, 0.05)
        assert (path.max() >= 1) == done
    assert right_needed(np.ones(30, bool), Null.of_pool(60, 3), 0.05) is None


def test_a_proof_is_the_same_whatever_was_read_before_and_cannot_be_changed_from_outside() -> None:
    """Bets are remembered between answers; each is what it would be if it were computed alone."""
    draw, null = np.random.default_rng(0), Null.of_pool(300, 30)
    x = draw.random(200) < 0.05
    for n in (200, 0, 50, 200, 51):
        path = proof(x[:n], null, 0.05)
        alone = 0.05 * wealth(x[:n], pool_chances(x[:n], 300, 31))
        np.testing.assert_array_equal(path, alone)
        path[:] = 1e9
    assert proof(x, null, 0.05).max() < 1e9


@given(st.lists(st.booleans(), max_size=30), st.floats(0, 0.3), st.sampled_from([0.05, 0.001]))
def test_answers_needed_are_found_however_far_they_lie(
    answers: list[bool], rate: float, alpha: float
) -> None:
    """Looked for in steps, they are those of one look at all of them."""
    wrong, null = np.array(answers, dtype=bool), Null.of_pool(3000, 60)
    coming = np.diff(np.floor(np.arange(2000 + 1) * rate + 0.5)) > 0
    reached = proof(np.concatenate([wrong, coming]), null, alpha) >= 1 - 1e-9
    at = max(0, int(reached.argmax()) + 1 - len(wrong)) if reached.any() else None
    assert hoped_needed(wrong, null, alpha, rate, 2000) == at


def test_of_very_many_answers_no_bets_are_kept_in_memory() -> None:
    null, known = Null(None, 0.02), proofs._known_bets
    wrong = np.arange(proofs.LONGEST + 1) % 7 == 0
    before = known.cache_info().misses
    path = proof(wrong, null, 0.05)
    assert known.cache_info().misses == before
    assert (path[:-1] == proof(wrong[:-1], null, 0.05)).all()
    assert known.cache_info().misses == before + 1
