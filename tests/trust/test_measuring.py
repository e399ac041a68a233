"""Drawing to measure, and what the answers give: fair by simulation, cheaper than a uniform draw, never worse."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipgrip.metrics import wilson_interval
from clipgrip.trust.measured import FEWEST, MeasuredAccuracy, measured
from clipgrip.trust.measuring import LEAST, Strata, first_phase, second_phase, strata
from clipgrip.trust.risk import CROWDED, crowding, fitted_risk
from clipgrip.trust.scope import Answered, Whole

Risk = Callable[[np.ndarray], np.ndarray]
HONEST: Risk = lambda sure: 1 - sure  # noqa: E731
OVERCONFIDENT: Risk = lambda sure: np.clip(0.03 + 4 * (1 - sure), 0, 1)  # noqa: E731
UPSIDE_DOWN: Risk = lambda sure: 0.25 * (sure > 0.95) + 0.01  # noqa: E731
FLAT: Risk = lambda sure: np.full(len(sure), 0.12)  # noqa: E731


def pool_of(
    risk: Risk, size: int = 1000, classes: int = 6, seed: int = 0
) -> tuple[Answered, np.ndarray]:
    """Answers, and which are wrong (N,)."""
    draw = np.random.default_rng(seed)
    confidence = draw.beta(6, 0.5, size).round(6)
    labels = draw.integers(classes, size=size)
    return Answered(labels, confidence), draw.random(size) < risk(confidence)


def names_of(pool: Answered) -> list[str]:
    return [f"image {n}" for n in range(len(pool))]


def audit(
    pool: Answered, wrong: np.ndarray, n: int, seed: int
) -> tuple[Strata, Whole, MeasuredAccuracy | None]:
    """Both phases, truly answered."""
    made = strata(pool, names_of(pool), seed)
    rows = first_phase(made, n)
    rows = np.concatenate([rows, second_phase(made, rows, wrong[rows], n)])
    return made, rows, measured(made, pool.labels, rows, wrong[rows])


@pytest.mark.parametrize("risk", [HONEST, OVERCONFIDENT, UPSIDE_DOWN, FLAT])
def test_the_interval_holds_the_accuracy_as_often_as_it_says(risk: Risk) -> None:
    pool, wrong = pool_of(risk)
    found = [audit(pool, wrong, 100, seed)[2] for seed in range(150)]
    accuracy = 1 - wrong.mean()
    held_in = np.mean([one.overall.low <= accuracy <= one.overall.high for one in found if one])
    assert held_in >= 0.9  # 95 % promised, 150 draws: three standard errors below are 0.897


@pytest.mark.parametrize("risk", [HONEST, OVERCONFIDENT, UPSIDE_DOWN, FLAT])
def test_it_is_never_further_off_than_a_uniform_draw_of_as_many_answers(risk: Risk) -> None:
    pool, wrong = pool_of(risk)
    accuracy = 1 - wrong.mean()
    found = [audit(pool, wrong, 100, seed)[2] for seed in range(150)]
    error = np.mean([(one.overall.value - accuracy) ** 2 for one in found if one]) ** 0.5
    uniform = (accuracy * (1 - accuracy) / 100 * (1 - 100 / len(pool))) ** 0.5
    assert error <= 1.12 * uniform  # two standard errors of 150 draws


def test_where_confidence_tells_far_fewer_answers_give_the_same_interval() -> None:
    pool, wrong = pool_of(lambda sure: np.clip(1.6 * (1 - sure), 0, 1), size=3000)
    accuracy = 1 - wrong.mean()
    assert accuracy > 0.85
    half = np.mean([audit(pool, wrong, 130, seed)[2].overall.half_width for seed in range(40)])  # type: ignore[union-attr]
    low, high = wilson_interval(round(200 * accuracy), 200)
    assert half < (high - low) / 2


@settings(max_examples=40, deadline=None)
@given(
    size=st.integers(1, 300),
    planned=st.integers(1, 400),
    classes=st.integers(1, 9),
    steps=st.integers(1, 60),
    share=st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_any_pool_is_drawn_without_an_image_twice_and_measured_without_nonsense(
    size: int, planned: int, classes: int, steps: int, share: float, seed: int
) -> None:
    draw = np.random.default_rng(seed)
    confidence = (draw.integers(steps, size=size) + 1) / steps
    pool = Answered(draw.integers(classes, size=size), confidence)
    wrong = draw.random(size) < share
    made = strata(pool, names_of(pool), seed)
    assert sorted(np.concatenate(made.order).tolist()) == list(range(size))
    rows = first_phase(made, planned)
    assert len(rows) <= min(size, max(planned, LEAST * len(made.order)))
    rows = np.concatenate([rows, second_phase(made, rows, wrong[rows], planned)])
    assert len(set(rows.tolist())) == len(rows)
    assert len(rows) >= min(size, planned)
    for h, order in enumerate(made.order):
        assert sorted(rows[made.of[rows] == h]) == sorted(order[: (made.of[rows] == h).sum()])
    found = measured(made, pool.labels, rows, wrong[rows])
    assert (found is None) == (len(rows) < min(FEWEST, size))
    if found is None:
        return
    for figure in (found.overall, *found.classes.values()):
        assert -1e-9 <= figure.low <= figure.value + 1e-9
        assert figure.value <= figure.high + 1e-9 <= 1 + 2e-9
    if len(rows) == size:
        assert found.overall.value == pytest.approx(1 - wrong.mean())
        assert found.overall.half_width == pytest.approx(0, abs=1e-9)


def test_the_order_of_files_changes_nothing() -> None:
    pool, _ = pool_of(HONEST, size=200)
    order = np.random.default_rng(1).permutation(200)
    turned = Answered(pool.labels[order], pool.confidence[order])
    names = names_of(pool)
    one = strata(pool, names, 3)
    other = strata(turned, [names[n] for n in order], 3)
    shown = [names[n] for n in first_phase(one, 80)]
    assert shown == [names[order[n]] for n in first_phase(other, 80)]


def test_equal_confidences_are_in_one_stratum() -> None:
    pool = Answered(np.zeros(300, int), np.repeat([0.5, 0.9, 0.99], 100))
    made = strata(pool, names_of(pool), 0)
    assert [set(pool.confidence[rows]) for rows in made.order] == [{0.5}, {0.9}, {0.99}]


def test_answers_are_read_by_the_strata_that_drew_them_today_s_or_the_former() -> None:
    """An answer weighs by how often its stratum was asked."""
    pool = Answered(np.zeros(2000, int), np.repeat([0.5, 1.0], [114, 1886]))
    former, today = (strata(pool, names_of(pool), 0, former=way) for way in (True, False))
    assert [len(rows) for rows in former.order] == [2000]
    assert [len(rows) for rows in today.order] == [114, 1886]


def test_few_doubtful_images_of_one_confidence_are_a_stratum_of_their_own() -> None:
    """And where they are, no answer is worse than one of a uniform draw."""
    draw = np.random.default_rng(0)
    pool = Answered(np.zeros(2000, int), np.repeat([0.5, 1.0], [114, 1886]))
    wrong = draw.random(2000) < np.where(pool.confidence < 1, 0.07, 0.009)
    made = strata(pool, names_of(pool), 0)
    assert [set(pool.confidence[rows]) for rows in made.order] == [{0.5}, {1.0}]
    found = [audit(pool, wrong, 80, seed)[2] for seed in range(300)]
    given = [one.overall.value for one in found if one]
    assert len(given) == len(found)
    error = np.mean((np.array(given) - 1 + wrong.mean()) ** 2) ** 0.5
    assert error <= (wrong.mean() * (1 - wrong.mean()) / 80 * (1 - 80 / 2000)) ** 0.5


@pytest.mark.parametrize(("planned", "doubtful"), [(130, 0.5), (80, 0.3)])
def test_the_interval_holds_where_nearly_all_share_one_confidence(
    planned: int, doubtful: float
) -> None:
    """Of the sure ones 2 % are wrong, so that many draws see none of them."""
    draw = np.random.default_rng(5)
    confidence = np.repeat([0.5, 1.0], [114, 886])
    pool = Answered(draw.integers(3, size=1000), confidence)
    wrong = draw.random(1000) < np.where(confidence < 1, doubtful, 0.02)
    found = [audit(pool, wrong, planned, seed)[2] for seed in range(150)]
    accuracy = 1 - wrong.mean()
    held = [one.overall.low <= accuracy <= one.overall.high for one in found if one]
    assert len(held) == len(found)
    assert np.mean(held) >= 0.9


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("places", [(200, 300, 350), (100, 400, 700), (5, 20, 60)])
def test_the_interval_holds_where_three_of_eight_hundred_are_wrong_and_forty_answered(
    places: tuple[int, ...], turned: bool
) -> None:
    """One that is drawn by chance stands for twenty, but says no more than one: the same of right ones."""
    pool, _ = pool_of(HONEST, size=800)
    wrong = np.zeros(800, bool)
    wrong[np.argsort(pool.confidence)[list(places)]] = True
    wrong ^= turned
    found = [audit(pool, wrong, 40, seed)[2] for seed in range(80)]
    accuracy = 1 - wrong.mean()
    held = [one.overall.low <= accuracy <= one.overall.high for one in found if one]
    assert len(held) == len(found)
    assert np.mean(held) >= 0.93


def test_each_beginning_of_a_stratum_has_the_classes_by_their_share() -> None:
    labels = np.repeat([0, 1], [300, 100])
    pool = Answered(labels, np.full(400, 0.8))
    (order,) = strata(pool, names_of(pool), 0).order
    for n in (4, 40, 100, 200):
        assert abs((labels[order[:n]] == 1).sum() - n / 4) <= 1


def test_doubtful_images_are_asked_about_more_often_and_sure_ones_still_are() -> None:
    pool, wrong = pool_of(HONEST, size=2000)
    made, rows, _ = audit(pool, wrong, 100, 0)
    share = np.bincount(made.of[rows], minlength=len(made.order)) / made.sizes
    assert share[0] > 3 * share[-1]
    assert share.min() > 0


def test_nothing_wrong_leaves_an_interval_and_everything_wrong_too() -> None:
    pool, _ = pool_of(HONEST)
    for share in (0.0, 1.0):
        wrong = np.full(len(pool), bool(share))
        found = audit(pool, wrong, 100, 0)[2]
        assert found is not None
        assert found.overall.value == pytest.approx(1 - share, abs=0.01)
        assert 0.005 < found.overall.high - found.overall.low < 0.2


def test_the_risk_line_rises_with_doubt_and_falls_where_the_sure_ones_are_wrong() -> None:
    doubt = np.linspace(-2, 2, 200)
    wrong = np.random.default_rng(0).random(200) < 1 / (1 + np.exp(-2 * doubt))
    assert fitted_risk(doubt, wrong).slope == pytest.approx(2, abs=0.6)
    assert fitted_risk(doubt, wrong[::-1]).slope < -1


def test_classes_that_are_answered_too_often_are_expected_to_be_wrong_once_answers_show_it() -> (
    None
):
    """Six classes of equal share, of which the model answers one in the place of others."""
    draw = np.random.default_rng(3)
    labels = np.repeat(np.arange(6), [320, 136, 136, 136, 136, 136])
    pool = Answered(labels, draw.beta(6, 0.5, 1000).round(6))
    wrong = draw.random(1000) < np.where(labels == 0, 0.45, 0.02)
    found = [audit(pool, wrong, 100, seed) for seed in range(60)]
    halves = [one[2].overall.half_width for one in found if one[2]]
    alike = [measured(made, np.zeros(1000, int), rows, wrong[rows]) for made, rows, _ in found]
    accuracy = 1 - wrong.mean()
    inside = [one[2].overall.low <= accuracy <= one[2].overall.high for one in found if one[2]]
    assert np.mean(halves) < 0.9 * np.mean([one.overall.half_width for one in alike if one])
    assert np.mean(inside) >= 0.87  # 95 % promised, 60 draws: three standard errors below are 0.866


def test_small_classes_that_are_always_wrong_do_not_hide_what_may_be_wrong_in_a_large_one() -> None:
    """The line tells them apart exactly, which makes it no surer of the large class, of which 25 are wrong."""
    draw = np.random.default_rng(12)
    labels = np.repeat(np.arange(21), [940] + [3] * 20)
    pool = Answered(labels, draw.beta(4, 0.7, 1000).clip(0.05, 1 - 1e-6).round(6))
    wrong = labels > 0
    wrong[draw.choice(940, 25, replace=False)] = True
    found = [audit(pool, wrong, 80, seed)[2] for seed in range(100)]
    accuracy = 1 - wrong.mean()
    inside = [one.overall.low <= accuracy <= one.overall.high for one in found if one]
    assert np.mean(inside) >= 0.95


def test_how_crowded_a_class_is_has_no_unit_and_no_extremes() -> None:
    labels = np.repeat([0, 1, 2], [900, 99, 1])
    assert crowding(np.zeros(50, int)).tolist() == [0.0] * 50
    assert abs(crowding(labels).mean()) < 0.1
    assert crowding(labels).min() == -CROWDED
    line = fitted_risk(np.zeros(1000), labels > 0, crowding(labels))
    assert line.crowd < 0 < fitted_risk(np.zeros(1000), labels == 0, crowding(labels)).crowd
    assert fitted_risk(np.zeros(1000), labels > 0).crowd == 0


def classes_held(
    pool: Answered, wrong: np.ndarray, planned: int, draws: int
) -> tuple[float, list[float]]:
    """Share of intervals of classes that hold the class's accuracy, and how many wrong answers their ends say."""
    held, ends = [], []
    for seed in range(draws):
        found = audit(pool, wrong, planned, seed)[2]
        assert found is not None
        for label, figure in found.classes.items():
            truth, size = 1 - wrong[pool.labels == label].mean(), (pool.labels == label).sum()
            held.append(figure.low - 1e-9 <= truth <= figure.high + 1e-9)
            ends += [(1 - figure.low) * size, (1 - figure.high) * size]
    return float(np.mean(held)), ends


def test_classes_of_a_few_images_are_held_where_their_only_wrong_answer_was_drawn() -> None:
    """The doubtful ones are drawn most, and a line that allows 1.2 wrong ones allows one."""
    draw = np.random.default_rng(2)
    labels = np.repeat(np.arange(100), draw.integers(3, 8, 100))
    confidence = draw.beta(6, 0.5, len(labels)).round(6)
    pool = Answered(labels, confidence)
    wrong = draw.random(len(labels)) < np.clip(1.6 * (1 - confidence), 0, 1)
    held, ends = classes_held(pool, wrong, 100, 30)
    assert held >= 0.95
    assert np.allclose(ends, np.round(ends), atol=1e-6)


def test_a_wrong_answer_that_stands_for_many_of_its_class_may_be_one_of_three() -> None:
    draw = np.random.default_rng(4)
    labels = np.repeat(np.arange(4), 500)
    pool = Answered(labels, np.where(draw.random(2000) < 0.04, 0.5, 1.0))
    wrong = np.zeros(2000, bool)
    for label in range(4):
        sure = np.flatnonzero((labels == label) & (pool.confidence == 1))
        wrong[draw.choice(sure, 3, replace=False)] = True
    held, _ = classes_held(pool, wrong, 80, 60)
    assert held >= 0.95


@pytest.mark.parametrize("knows", [True, False])
def test_a_second_opinion_narrows_the_interval_where_it_knows_and_does_no_harm_where_not(
    knows: bool,
) -> None:
    pool, wrong = pool_of(FLAT)
    draw = np.random.default_rng(7)
    second = np.where(wrong & knows, draw.beta(2, 2, 1000), draw.beta(6, 0.5, 1000))
    accuracy, halves, held = 1 - wrong.mean(), [], []
    for seed in range(60):
        made, rows, alone = audit(pool, wrong, 100, seed)
        both = measured(made, pool.labels, rows, wrong[rows], second)
        assert alone is not None
        assert both is not None
        halves.append(both.overall.half_width / alone.overall.half_width)
        held.append(both.overall.low <= accuracy <= both.overall.high)
    assert np.mean(halves) < (0.85 if knows else 1.02)
    assert np.mean(held) >= 0.87  # 95 % promised, 60 draws: three standard errors below are 0.866
