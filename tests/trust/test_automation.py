"""A promise is kept, whatever the model is like."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchmarks.promise_pools import MODELS, at_the_limit, good, never_wrong
from clipgrip.errors import ConfigError, DataError
from clipgrip.trust import proof as proofs
from clipgrip.trust import sequence
from clipgrip.trust.audit import audit_id, audit_order, audit_size
from clipgrip.trust.bounds import pool_p_value, rate_bound
from clipgrip.trust.draw import Draw
from clipgrip.trust.planning import more_answers, plan_size
from clipgrip.trust.promise import Promise, promise
from clipgrip.trust.proof import Null, proof
from clipgrip.trust.scope import (
    Answered,
    Group,
    Whole,
    against_all,
    misses_and_overkill,
    overall,
    per_class,
    pool_levels,
)
from clipgrip.trust.terms import About, Terms

DRAWS = 60


KINDS: tuple[About, ...] = ("delivered", "decided")


def audited(
    pool: Answered, truth: Whole, n: int, groups: tuple[Group, ...], terms: Terms, seed: int = 0,
    plan: int | None = None,
) -> Promise:  # fmt: skip
    order = np.random.default_rng(seed).permutation(len(pool))
    return promise(pool, order[:n], truth[order[:n]], groups, terms, draw=Draw(order, plan))


def is_broken(told: Promise, pool: Answered, truth: Whole, groups: tuple[Group, ...]) -> bool:
    """By what is promised: of the model's own, or of all labels within the scope."""
    for group, scope in zip(groups, told.scopes, strict=True):
        if scope.threshold is None:
            continue
        inside = group.members(pool.labels) & (pool.confidence >= scope.threshold)
        wrong = (group.wrong[pool.labels, truth] & told.decided)[inside]
        of = told.decided[inside].sum() if told.terms.about == "decided" else inside.sum()
        if wrong.sum() > told.terms.max_error * of + 1e-9:
            return True
    return False


@pytest.mark.parametrize("plan", [None, 90])
@pytest.mark.parametrize("name", MODELS)
def test_a_promise_that_is_read_again_and_again_is_broken_at_most_as_often_as_it_says(
    name: str, plan: int | None
) -> None:
    broken = dict.fromkeys(KINDS, 0)
    for seed in range(DRAWS):
        pool, truth = MODELS[name](np.random.default_rng([1, seed]))
        for about in KINDS:
            terms = Terms(0.05, 0.9, about)
            told = [
                audited(pool, truth, n, overall(100), terms, seed, plan) for n in (60, 90, 130, 200)
            ]
            broken[about] += any(is_broken(one, pool, truth, overall(100)) for one in told)
    assert max(broken.values()) <= stats.binom.ppf(0.999, DRAWS, 0.1)


def test_a_promise_for_each_group_holds_for_each() -> None:
    terms, broken = Terms(0.05, 0.9), 0
    for seed in range(DRAWS):
        pool, truth = MODELS["in waves"](np.random.default_rng([2, seed]))
        for groups in (per_class("abcd"), misses_and_overkill(4, [0])):
            told = audited(pool, truth, 600, groups, terms, seed)
            broken += is_broken(told, pool, truth, groups)
    assert broken <= stats.binom.ppf(0.999, 2 * DRAWS, 0.1)


@pytest.mark.parametrize("about", ["delivered", "decided", "source"])
def test_a_model_that_errs_seldom_decides_most_and_one_without_errors_all(about: About) -> None:
    terms = Terms(0.02, about=about)
    pool, truth = never_wrong(np.random.default_rng(0))
    first = plan_size(len(pool), terms)
    assert first is not None
    told = audited(pool, truth, first, overall(4), terms, plan=first)
    assert told.scopes[0].whole
    assert told.whole
    assert told.decided.sum() == len(pool) - first
    shares = []
    for seed in range(10):
        pool, truth = good(np.random.default_rng(seed))
        shares.append(audited(pool, truth, 600, overall(4), terms, plan=600).decided.mean())
    assert np.mean(shares) > 0.2


@pytest.mark.parametrize(("error", "most"), [(0.0, 165), (0.005, 325), (0.01, 720)])
def test_the_bets_prove_everything_after_about_as_many_answers_as_no_procedure_can_undercut(
    error: float, most: int
) -> None:
    labels = np.zeros(2000, np.int64)
    truth = (np.arange(2000) < 2000 * error).astype(np.int64)
    pool, needed = Answered(labels, np.ones(2000)), []
    for seed in range(31):
        order = np.random.default_rng(seed).permutation(2000)
        path = proof(truth[order] > 0, Null.of_pool(2000, 40), 0.05)
        needed.append(int((path >= 1).argmax()) + 1)
    n = int(np.median(needed))
    assert 140 <= n <= most
    told = audited(pool, truth * 0, 165, overall(2), Terms(least=1.0))
    assert told.whole


def test_every_answer_counts_at_once_and_the_next_wider_scope_is_named() -> None:
    pool, truth = good(np.random.default_rng(4))
    told = audited(pool, truth, 300, overall(4), Terms(), 5)
    assert told.counted == 300
    wider = told.following
    assert wider is not None
    assert wider.right is not None
    assert wider.draws is not None
    order = np.random.default_rng(5).permutation(len(pool))
    sizes = []
    right = np.where(np.arange(2000) < 300, truth[order], pool.labels[order])  # right from now on
    for n in (300, 300 + wider.draws // 2, 300 + 2 * wider.draws):
        said = promise(pool, order[:n], right[:n], overall(4), Terms())
        sizes.append(said.scopes[0].size)
    assert sizes[0] < sizes[2]


@pytest.mark.parametrize("about", ["delivered", "decided", "source"])
@pytest.mark.parametrize("apart", [False, True])
def test_a_promise_is_the_same_whatever_was_read_before(about: About, apart: bool) -> None:
    """Levels and bets are remembered from answer to answer; each reading is what it would be alone."""
    pools = [good(np.random.default_rng(seed), 500) for seed in (1, 2)]
    orders = [np.random.default_rng(seed).permutation(500) for seed in (3, 4)]
    terms, groups = Terms(0.1, about=about), per_class("abcd")

    def told(n: int, one: int) -> Promise:
        (pool, truth), order = pools[one], orders[one]
        rows = order[:n]
        return promise(pool, rows, truth[rows], groups, terms, draw=Draw(order, apart=apart))

    again = [told(n, one) for n in (40, 120, 121, 240) for one in (0, 1)]
    for at, found in enumerate(again):
        for cache in (sequence._levels, sequence._pool_p_values, proofs._known_bets):
            cache.cache_clear()
        alone = told((40, 120, 121, 240)[at // 2], at % 2)
        assert (alone.scopes, alone.wider) == (found.scopes, found.wider)
        np.testing.assert_array_equal(alone.decided, found.decided)


@pytest.mark.parametrize("apart", [False, True])
def test_what_the_model_would_decide_more_leaves_out_what_people_answer_on_the_way(
    apart: bool,
) -> None:
    """Where half of a pool has to be answered, a wider scope frees half of its images, not all."""
    pool, _ = good(np.random.default_rng(2), 300)
    order, group = np.random.default_rng(3).permutation(300), overall(4)
    right = pool.labels

    def told(n: int) -> Promise:
        rows = order[:n]
        return promise(pool, rows, right[rows], group, Terms(0.02), draw=Draw(order, apart=apart))

    before = told(10)
    (step,) = before.wider
    assert step.draws is not None
    proven = next(one for n in range(11, 300) if (one := told(n)).decided.any())
    assert 0 < step.gain <= proven.decided.sum() + 3, "what is proven along comes besides"
    assert step.gain < step.images - step.draws / 3


def test_a_wider_scope_that_people_answered_nearly_all_of_gains_nothing_and_not_less() -> None:
    """It holds four images more, but with three more answers the model would decide one fewer than now."""
    draw = np.random.default_rng(14)
    draw.choice(3)
    confidence = np.sort(draw.uniform(0.3, 1, 200).round(3))
    truth = (draw.random(200) > confidence ** draw.choice([0.02, 0.05, 0.1, 0.2])).astype(int)
    pool, rows = Answered(np.zeros(200, int), confidence), draw.permutation(200)[:150]
    found = promise(pool, rows, truth[rows], overall(2), Terms(0.05))
    assert found.decided.any()
    assert [step.gain for step in found.wider] == [0]


def test_a_small_pool_is_told_to_stop_before_the_answers_eat_it_up() -> None:
    pool, truth = good(np.random.default_rng(1), 906)
    short = audited(pool, truth, 180, overall(4), Terms(0.05), plan=180)
    long = audited(pool, truth, 678, overall(4), Terms(0.05), plan=180)
    assert short.decided.sum() > 2 * long.decided.sum()
    assert not any(one.pays for one in long.wider)


def test_a_plan_is_read_with_all_of_alpha_and_beats_the_bets_there() -> None:
    shares = {}
    for plan in (None, 250):
        found = []
        for seed in range(20):
            pool, truth = MODELS["calibrated"](np.random.default_rng(seed))
            found.append(audited(pool, truth, 250, overall(4), Terms(0.05), seed, plan))
        shares[plan] = np.mean([one.scopes[0].size for one in found])
    assert shares[250] > shares[None]


@pytest.mark.parametrize("about", KINDS)
def test_a_plan_beyond_the_pool_is_one_of_all_its_images(about: About) -> None:
    pool, truth = MODELS["few"](np.random.default_rng(0))
    terms = Terms(0.1, about=about)
    for n in (0, 60, 120):
        beyond, all_of_it = (
            audited(pool, truth, n, overall(4), terms, plan=plan) for plan in (400, 240)
        )
        assert (beyond.scopes, beyond.wider) == (all_of_it.scopes, all_of_it.wider)


def test_answers_outside_the_plan_are_refused() -> None:
    pool, truth = never_wrong(np.random.default_rng(0), 20)
    with pytest.raises(DataError, match="planned draw"):
        promise(
            pool, np.arange(3), truth[:3], overall(4), Terms(), draw=Draw(np.arange(20)[::-1], 3)
        )
    with pytest.raises(ConfigError, match="Known: delivered, decided, source"):
        Terms(about="moon")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="at-least is 2"):
        Terms(least=2)


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


def test_what_people_answered_beyond_the_horizon_is_not_the_models() -> None:
    pool, truth = never_wrong(np.random.default_rng(0), 300)
    order = np.random.default_rng(1).permutation(300)
    terms = Terms(0.1, about="decided")
    for n in (60, 120, 299):
        rows = order[:n]
        told = promise(pool, rows, truth[rows], overall(4), terms, draw=Draw(order, plan=60))
        assert not told.decided[rows].any()
        assert told.decided.sum() <= 300 - n


def test_what_is_left_of_the_models_own_keeps_the_promise_while_people_go_on() -> None:
    """Beyond the plan people answer images that the proof counted among the model's: those left must keep it too."""
    broken, terms, size = 0, Terms(0.05, 0.9, "decided"), 600
    for seed in range(DRAWS):
        draw = np.random.default_rng([4, seed])
        truth = (draw.permutation(size) < 0.0475 * size).astype(np.int64)
        pool, order = Answered(np.zeros(size, np.int64), np.ones(size)), draw.permutation(size)
        told = [
            promise(pool, rows, truth[rows], overall(2), terms, draw=Draw(order, 150))
            for rows in (order[:n] for n in (150, 250, 400, 560))
        ]
        broken += any(is_broken(one, pool, truth, overall(2)) for one in told)
    assert broken <= stats.binom.ppf(0.999, DRAWS, 0.1)


def test_no_answers_promise_nothing_and_all_answers_leave_nothing() -> None:
    pool, truth = never_wrong(np.random.default_rng(0), 300)
    told = audited(pool, truth, 0, overall(4), Terms(0.05))
    assert (told.counted, told.decided.sum()) == (0, 0)
    assert told.scopes[0].threshold is None
    told = audited(pool, truth, 300, overall(4), Terms(0.05))
    assert told.decided.sum() == 0
    told = audited(pool, truth, 300, overall(4), Terms(0.1, about="decided"), plan=60)
    assert told.counted < 300
    assert told.scopes[0].whole  # proven at its horizon, of what people answered since as well
    assert not told.decided.any()


def test_a_pool_too_small_for_any_proof_goes_to_people() -> None:
    pool, truth = never_wrong(np.random.default_rng(0), 10)
    assert plan_size(10, Terms()) is None
    told = audited(pool, truth, 5, overall(4), Terms())
    assert told.decided.sum() == 0
    assert more_answers(told, pool, np.arange(5), truth[:5], overall(4)) == {"all": None}


def test_equal_confidences_are_never_parted() -> None:
    confidence = np.repeat([0.5, 0.9, 1.0], [10, 20, 70])
    levels = pool_levels(confidence)
    assert levels.tolist() == [1.0, 0.9, 0.5]


def test_misses_and_overkill_count_apart() -> None:
    misses, overkill = misses_and_overkill(3, [0])
    assert misses.wrong[0].tolist() == [False, True, True]
    assert overkill.wrong[1].tolist() == [True, False, False]
    assert (misses.called ^ overkill.called).all()


def test_what_nobody_can_tell_counts_as_wrong_in_every_group() -> None:
    labels = np.arange(4)
    for groups in (
        overall(4),
        per_class("abcd"),
        *(misses_and_overkill(4, ok) for ok in ([0], [1, 3])),
    ):
        truth = against_all(labels, groups)
        for group in groups:
            assert group.wrong[labels, truth][group.members(labels)].all()


def test_more_answers_are_none_where_the_model_errs_too_often() -> None:
    terms, groups = Terms(0.05), overall(4)
    pool, truth = never_wrong(np.random.default_rng(6))
    rows = np.random.default_rng(6).permutation(len(pool))[:50]
    needed = more_answers(
        promise(pool, rows, truth[rows], groups, terms), pool, rows, truth[rows], groups
    )
    assert needed["all"] is not None
    told = audited(pool, truth, needed["all"] + 50, overall(4), Terms(0.05, least=1.0))
    assert told.whole
    bad = (pool.labels + (np.arange(len(pool)) % 5 == 0)) % 4
    told = promise(pool, rows, bad[rows], groups, terms)
    assert more_answers(told, pool, rows, bad[rows], groups) == {"all": None}


def test_the_bounds_are_exact() -> None:
    assert rate_bound(0, 149, 0.05) == pytest.approx(0.0199, abs=2e-4)
    assert rate_bound(5, 5, 0.05) == 1.0
    for wrong, size, allowed in ((0, 40, 3), (3, 200, 40)):
        p_value = float(pool_p_value(wrong, 30, size, allowed))
        assert p_value == pytest.approx(stats.hypergeom.cdf(wrong, size, allowed + 1, 30))
    assert float(pool_p_value(0, 5, 5, 5)) == 0.0


def test_sizes_fall_with_the_precision_and_end_where_no_audit_helps() -> None:
    assert audit_size(precision=0.02, error=0.05) == 457
    smaller = audit_size(precision=0.02, error=0.05, size=500)
    assert smaller < 250
    assert plan_size(2000, Terms(0.02)) == 140
    assert plan_size(100_000, Terms(0.02), error=0.03) is None
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
