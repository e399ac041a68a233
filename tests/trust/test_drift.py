"""Alarms of a model at work: no bet grows on average while nothing changes, and changes are found."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from clipgrip_line.trust import upheld
from clipgrip_line.trust.drift import (
    DECAYS,
    FINE,
    MIXED,
    Course,
    Monitors,
    bet,
    budgets,
    densities,
    expected_shares,
    follow,
    multiplied,
    period_budget,
    ringing,
    tilted,
    waiting,
)
from clipgrip_line.trust.packed import FORMER, monitors_bytes, monitors_from, read_monitors
from clipgrip_line.trust.ranks import Ranks, codes_of, counted, no_counts

FLOATS = st.floats(-60000, 60000, width=16)


@given(st.lists(FLOATS, min_size=2, max_size=30))
def test_codes_have_the_order_of_the_values(values: list[float]) -> None:
    codes = codes_of(np.array(values))
    for a, x in zip(codes, values, strict=True):
        for b, y in zip(codes, values, strict=True):
            assert (a < b) == (x < y)


def test_a_value_that_is_no_number_has_a_code() -> None:
    assert codes_of(np.array([np.nan])) == codes_of(np.array([0.0]))
    assert codes_of(np.array([np.inf])) == codes_of(np.array([1e30]))
    assert codes_of(np.array([-0.0])) == codes_of(np.array([0.0]))


@given(st.lists(st.integers(0, 9), min_size=1, max_size=40), st.floats(0, 1, exclude_max=True))
def test_a_p_value_is_the_share_of_smaller_ones_with_ties_broken_by_chance(
    values: list[int], chance: float
) -> None:
    codes = codes_of(np.array(values, float))[:, None]
    ranks = Ranks(no_counts(1))
    for n, code in enumerate(codes):
        p = ranks.add(code, np.array([chance]))
        smaller = sum(v < values[n] for v in values[:n])
        equal = sum(v == values[n] for v in values[: n + 1])
        assert p == pytest.approx((smaller + chance * equal) / (n + 1))


@given(st.lists(FLOATS, min_size=1, max_size=40), st.floats(0, 1, exclude_max=True))
def test_ranks_ask_only_for_the_order_of_the_codes(values: list[float], chance: float) -> None:
    codes = codes_of(np.array(values, float))
    numbered = np.unique(codes, return_inverse=True)[1]
    wide, narrow = Ranks(no_counts(1)), Ranks(np.zeros((1, 7, 7), dtype=np.int64))
    for code, number in zip(codes, numbered, strict=True):
        p = wide.add(np.array([code]), np.array([chance]))
        assert p == narrow.add(np.array([number]), np.array([chance]))


@given(st.lists(st.integers(0, 30), min_size=1, max_size=6))
def test_expected_shares_are_the_mean_over_what_a_share_may_be(seen: list[int]) -> None:
    counts = np.array(seen)
    for one, found in zip(seen, expected_shares(counts), strict=True):
        assert found == pytest.approx(stats.beta(one + 0.5, counts.sum() - one + 0.5).mean())
    both = expected_shares(np.stack([counts, counts[::-1]]))
    np.testing.assert_array_equal(both, [expected_shares(counts), expected_shares(counts[::-1])])


@given(
    st.lists(st.floats(0, 500), min_size=2, max_size=12),
    st.lists(st.floats(0.01, 1), min_size=12, max_size=12),
)
def test_the_mean_factor_over_a_uniform_rank_is_one(
    counts: list[float], widths: list[float]
) -> None:
    n = len(counts)
    bins = np.broadcast_to(np.array(counts), (len(DECAYS), 1, n))
    width = np.array(widths[:n]) / sum(widths[:n])
    each = [densities(bins, width[None], np.array([b])) for b in range(n)]
    mean = sum(w * density for w, density in zip(width, each, strict=True))
    np.testing.assert_allclose(mean, 1)


def test_the_mean_of_a_fixed_bet_is_one_while_nothing_changes() -> None:
    ranks = (np.arange(100_000) + 0.5) / 100_000
    np.testing.assert_allclose(tilted(ranks).mean(1), 1, atol=1e-6)
    shares = np.linspace(0.001, 0.99, 50)
    often, rare = (multiplied(shares, np.full(50, inside)) for inside in (1, 0))
    np.testing.assert_allclose(shares * often + (1 - shares) * rare, 1)
    assert (often >= 0).all()
    assert (rare >= 0).all()


@given(st.integers(0, 2**32 - 1), st.integers(0, 5000))
@settings(max_examples=25, deadline=None)
def test_no_wealth_of_a_score_grows_on_average_whatever_came_before(seed: int, images: int) -> None:
    """Over all ranks of the next image, at any point: so it is a test martingale."""
    draw, cells = np.random.default_rng(seed), 50 * FINE
    bins = np.repeat(draw.exponential(9, (len(DECAYS), 1, FINE)), cells, axis=1)
    begun = np.repeat(draw.lognormal(0, 3, (len(MIXED), 1)), cells, axis=1)
    nothing = np.zeros(0)
    now = replace(
        Monitors.of(np.zeros((cells, 0, 0), dtype=np.int64), nothing.astype(np.int64)),
        bins=bins,
        begun=begun,
        images=images,
    )
    after = bet(now, (np.arange(cells) + 0.5) / cells, nothing.astype(np.int64), nothing)
    assert after.wealth.mean() == pytest.approx(now.wealth[0], rel=1e-4)


@given(st.integers(0, 2**32 - 1), st.integers(0, 5000), st.lists(st.integers(0, 400), min_size=1))
@settings(max_examples=60, deadline=None)
def test_no_wealth_of_a_class_grows_in_the_mean_over_what_its_share_may_be(
    seed: int, images: int, counts: list[int]
) -> None:
    """By Jeffreys' prior and all that was seen, whatever was bet before: so it is a martingale of that mixture."""
    draw, c = np.random.default_rng(seed), len(counts)
    seen = np.array(counts)
    now = replace(
        Monitors.of(no_counts(0), seen),
        share_bins=draw.exponential(9, (len(DECAYS), c, 2)),
        begun=draw.lognormal(0, 3, (len(MIXED), c)),
        images=images,
    )
    nothing, shares = np.zeros(0), expected_shares(seen)
    after = [bet(now, nothing, np.full(c, inside), shares).wealth for inside in (0, 1)]
    np.testing.assert_allclose((1 - shares) * after[0] + shares * after[1], now.wealth)


def test_the_weights_of_the_bets_sum_to_one() -> None:
    assert MIXED.sum() == pytest.approx(1)
    assert len(MIXED) == len(Monitors.of(no_counts(1), np.zeros(1, dtype=np.int64)).begun)


def test_a_change_of_some_of_the_images_is_found_too() -> None:
    """One image in five is of a kind never seen: each score of it lies far out, the others as before."""
    late = []
    for seed in range(12):
        draw = np.random.default_rng(seed)
        scores = draw.normal(size=(700, 1))
        scores[300:][draw.random(400) < 0.2] += 4
        begun = Monitors.of(
            counted(codes_of(draw.normal(size=(200, 1)))), np.zeros(2, dtype=np.int64)
        )
        course = follow(
            begun, codes_of(scores), np.zeros(700, dtype=np.int64), draw.random((700, 1))
        )
        loud = course.wealth[:, 0] >= 1 / 0.0002
        assert not loud[:300].any()
        late.append(int(loud.argmax()) - 299)
    assert 0 < np.median(late) <= 120


def test_bets_that_were_mixed_before_hand_their_wealth_on() -> None:
    draw, m = np.random.default_rng(0), unseen(1, 2)
    for former, weights in FORMER.items():
        begun = draw.random((former, 3))
        stored = {one.name: np.asarray(getattr(m, one.name)) for one in fields(m)}
        found = monitors_from({**stored, "begun": begun, "images": np.asarray(40)})
        np.testing.assert_allclose(found.wealth, weights @ begun + waiting(40))
        assert read_monitors(monitors_bytes(found)).wealth.tolist() == found.wealth.tolist()


def test_a_small_blur_or_loss_of_light_is_found_without_learning_what_it_looks_like() -> None:
    """A shift by two deviations: fixed bets alone find it within 20 images of the change."""
    late = []
    for seed in range(20):
        course = stream(seed, 340, at=300, shift=2.0)
        loud = ringing(course.wealth, budgets(2, 4, 0.002))
        late.append(int(loud.any(1).argmax()) - 299)
    assert 0 < np.median(late) <= 20


def test_bright_parts_that_no_longer_come_are_missed_soon() -> None:
    """The highest fifth of a score vanishes and the rest stays, which moves neither median nor shape of the rest."""
    late = []
    for seed in range(12):
        draw = np.random.default_rng(seed)
        scores = draw.random((900, 1))
        scores[400:] *= 0.8
        begun = Monitors.of(counted(codes_of(draw.random((200, 1)))), np.zeros(2, dtype=np.int64))
        course = follow(
            begun, codes_of(scores), np.zeros(900, dtype=np.int64), draw.random((900, 1))
        )
        loud = course.wealth[:, 0] >= 1 / 0.0002
        assert not loud[:400].any()
        late.append(int(loud.argmax()) - 399)
    assert 0 < np.median(late) <= 90


def test_the_weights_of_the_starts_and_the_budgets_sum_to_what_there_is() -> None:
    assert waiting(0) == 1
    assert 0 < waiting(10**12) < waiting(10**6) < 0.2
    assert budgets(9, 7, 0.01).sum() == pytest.approx(0.01)
    assert budgets(9, 0, 0.01).sum() < 0.01
    assert 0.0099 < sum(period_budget(0.01, n) for n in range(1, 3000)) <= 0.01
    assert upheld.start_weights(5000).sum() < 1


def stream(
    seed: int, n: int, *, at: int = 10**9, shift: float = 0.0, share: float = 0.25
) -> Course:
    """Two scores and four classes; after ``at`` the first score is shifted, the last class has ``share``."""
    draw = np.random.default_rng(seed)
    scores, labels = draw.normal(size=(n, 2)), draw.integers(0, 4, n)
    scores[at:, 0] += shift
    if share != 0.25:
        rest = (1 - share) / 3
        labels[at:] = draw.choice(4, max(0, n - at), p=[rest, rest, rest, share])
    reference = counted(codes_of(draw.normal(size=(200, 2))))
    begun = Monitors.of(reference, np.zeros(4, dtype=np.int64))
    return follow(begun, codes_of(scores), labels, draw.random((n, 2)))


def unseen(scores: int, classes: int) -> Monitors:
    """Without a reference."""
    return Monitors.of(no_counts(scores), np.zeros(classes, dtype=np.int64))


def refuted(wrong: np.ndarray, rate: float, alpha: float) -> bool:
    return bool((upheld.against(wrong, rate, alpha) * alpha >= 1).any())


def test_quiet_streams_hardly_ever_ring() -> None:
    limit = budgets(2, 4, 0.1)
    rang = [bool(ringing(stream(seed, 250).wealth, limit).any()) for seed in range(60)]
    assert sum(rang) <= 0.1 * 60 + 5  # 10 % promised, four standard deviations of chance


def test_a_shift_is_found_by_its_score() -> None:
    course = stream(3, 500, at=300, shift=1.5)
    loud = ringing(course.wealth, budgets(2, 4, 0.01))
    first = int(loud.any(1).argmax())
    assert 300 <= first < 380
    assert loud[first].tolist() == [True, False, False, False, False, False]


def test_a_class_that_comes_more_often_is_found_by_its_share() -> None:
    course = stream(4, 900, at=300, share=0.6)
    loud = ringing(course.wealth, budgets(2, 4, 0.01))
    first = int(loud.any(1).argmax())
    assert 300 <= first < 500
    assert 5 in np.flatnonzero(loud[first])


def test_a_stream_that_is_followed_in_parts_is_the_same_stream() -> None:
    draw = np.random.default_rng(5)
    codes, labels, chances = (
        codes_of(draw.normal(size=(60, 2))),
        draw.integers(0, 3, 60),
        draw.random((60, 2)),
    )
    whole = follow(unseen(2, 3), codes, labels, chances)
    now, paths = unseen(2, 3), []
    for part in (slice(0, 1), slice(1, 37), slice(37, 60)):
        course = follow(now, codes[part], labels[part], chances[part])
        now = course.monitors
        paths.append(course.wealth)
    np.testing.assert_array_equal(np.concatenate(paths), whole.wealth)
    np.testing.assert_array_equal(now.seen, whole.monitors.seen)


def test_following_changes_nothing_of_what_it_is_given() -> None:
    begun = unseen(1, 2)
    follow(begun, codes_of(np.zeros((5, 1))), np.zeros(5, dtype=np.int64), np.full((5, 1), 0.5))
    assert begun.images == begun.seen.sum() == begun.labels.sum() == begun.bins.sum() == 0


@given(st.floats(0.001, 0.6), st.floats(0, 1), st.sampled_from([t for t, _ in upheld.TIMES]))
def test_no_bet_on_more_errors_grows_on_average_at_or_below_the_promised_rate(
    rate: float, part: float, times: float
) -> None:
    right, wrong = upheld.ratios(np.array([False, True]), rate, times)
    true = part * rate
    assert true * wrong + (1 - true) * right <= 1 + 1e-9


@given(
    st.lists(st.booleans(), max_size=40),
    st.floats(0.001, 0.6),
    st.floats(0, 1),
    st.floats(0.0005, 0.9),
)
def test_the_wealth_against_a_promise_never_grows_on_average_while_it_holds(
    before: list[bool], rate: float, part: float, alpha: float
) -> None:
    """After any answers whatever: also where less is bet because more than withdraws is not needed."""
    right, wrong = (
        upheld.against(np.array([*before, last]), rate, alpha) for last in (False, True)
    )
    now = right[-2] if before else 1.0
    true = part * rate
    assert true * wrong[-1] + (1 - true) * right[-1] <= now * (1 + 1e-9)
    assert max(right[-1], wrong[-1]) <= max(1.0, 1 / alpha) * (1 + 1e-8)


@given(st.lists(st.booleans(), min_size=1, max_size=30))
def test_the_wealth_against_a_promise_is_the_sum_over_bets_and_starts_written_out(
    answers: list[bool],
) -> None:
    wrong, rate = np.array(answers), 0.03
    weights = upheld.start_weights(len(wrong))
    each = [(share, upheld.ratios(wrong, rate, times)) for times, share in upheld.TIMES]
    written = [
        sum(
            weights[s] * share * factor[s : t + 1].prod()
            for share, factor in each
            for s in range(t + 1)
        )
        + 1
        - weights[: t + 1].sum()
        for t in range(len(wrong))
    ]
    assert upheld.against(wrong, rate, 1e-60) == pytest.approx(written)


def test_a_wrong_answer_brings_just_what_withdraws_and_right_ones_cost_less_for_it() -> None:
    wrong = np.array([True] * 5 + [False] * 20)
    plain, enough = upheld.against(wrong, 0.02, 1e-60), upheld.against(wrong, 0.02, 0.01)
    assert plain[4] > 200
    assert enough[4:] == pytest.approx(100)  # it stays where it is
    at = int((plain >= 100).argmax())
    last = wrong.copy()
    last[at] = False  # the answer that might have won is right
    plain, enough = upheld.against(last, 0.02, 1e-60), upheld.against(last, 0.02, 0.01)
    assert enough[:at] == pytest.approx(plain[:at])
    assert enough[at] > plain[at]


def test_a_promise_at_its_limit_is_hardly_ever_withdrawn() -> None:
    broken = [
        refuted(np.random.default_rng(seed).random(600) < 0.05, 0.05, 0.05) for seed in range(300)
    ]
    assert sum(broken) <= 0.05 * 300 + 4 * np.sqrt(300 * 0.05)


def test_three_times_the_promised_errors_are_found() -> None:
    needed = []
    for seed in range(60):
        wrong = np.random.default_rng(seed).random(900) < 0.06
        path = upheld.against(wrong, 0.02, 0.01) * 0.01 >= 1
        needed.append(int(path.argmax()) + 1 if path.any() else 900)
    assert np.median(needed) <= 200


def test_errors_that_come_late_are_found_and_dated() -> None:
    draw = np.random.default_rng(0)
    wrong = np.concatenate([draw.random(400) < 0.01, draw.random(300) < 0.12])
    assert not refuted(wrong[:400], 0.02, 0.01)
    assert refuted(wrong, 0.02, 0.01)
    assert abs(upheld.since(wrong, 0.02) - 400) < 40
    assert upheld.since(wrong[:0], 0.02) == 0
