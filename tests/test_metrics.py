"""The metrics agree with scikit-learn, with scipy, and with sums by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from clipgrip import metrics
from clipgrip.types import Labels, Probs

seeds = st.integers(0, 10**6)


def answers(seed: int, rows: int = 40, classes: int = 4) -> tuple[Probs, Labels]:
    """Probabilities and labels, a quarter of them unknown."""
    generator = torch.Generator().manual_seed(seed)
    probs = torch.randn(rows, classes, generator=generator).mul(2).softmax(1)
    labels = torch.randint(0, classes, (rows,), generator=generator)
    labels[torch.rand(rows, generator=generator) < 0.25] = -1
    return probs, labels


def known(probs: Probs, labels: Labels) -> tuple[np.ndarray, np.ndarray]:
    return probs[labels >= 0].numpy(), labels[labels >= 0].numpy()


@settings(deadline=None, max_examples=20, derandomize=True)
@given(seeds)
def test_counts_and_shares_are_scikit_learns(seed: int) -> None:
    probs, labels = answers(seed)
    judged, truth = known(probs, labels)
    called, every = judged.argmax(1), list(range(4))
    assert metrics.accuracy(probs, labels) == pytest.approx(sk.accuracy_score(truth, called))
    expected = sk.confusion_matrix(truth, called, labels=every)
    assert metrics.confusion(probs, labels).tolist() == expected.tolist()
    options = {"labels": every, "average": None, "zero_division": np.nan}
    for ours, theirs in (
        (metrics.per_class, sk.recall_score),
        (metrics.precision_per_class, sk.precision_score),
    ):
        np.testing.assert_allclose(ours(probs, labels), theirs(truth, called, **options), 1e-6)


@settings(deadline=None, max_examples=20, derandomize=True)
@given(seeds)
def test_nll_and_brier_are_scikit_learns(seed: int) -> None:
    probs, labels = answers(seed)
    judged, truth = known(probs, labels)
    judged = judged.astype(np.float64) / judged.astype(np.float64).sum(1, keepdims=True)
    every = list(range(4))
    expected = sk.log_loss(truth, judged, labels=every)
    assert metrics.nll(probs, labels) == pytest.approx(expected, rel=1e-5)
    expected = sk.brier_score_loss(truth, judged, labels=every, scale_by_half=False)
    assert metrics.brier(probs, labels) == pytest.approx(expected, rel=1e-5)


def test_ece_is_the_weighted_gap_of_each_bin_by_hand() -> None:
    sure = torch.tensor([0.95, 0.91, 0.62, 0.68, 0.55])
    probs = torch.stack([sure, 1 - sure], dim=1)
    labels = torch.tensor([0, 1, 0, 0, 1])
    gaps = [abs(1 - (0.95 + 0.91)), abs(2 - (0.62 + 0.68)), abs(0 - 0.55)]
    assert metrics.ece(probs, labels, bins=10) == pytest.approx(sum(gaps) / 5, abs=1e-6)


def test_complete_certainty_falls_into_the_last_bin() -> None:
    probs = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    assert metrics.ece(probs, torch.tensor([0, 1])) == pytest.approx(0.5)


def test_a_right_class_of_no_probability_costs_much_but_not_infinity() -> None:
    value = metrics.nll(torch.tensor([[1.0, 0.0]]), torch.tensor([1]))
    assert 80 < value < math.inf


@pytest.mark.parametrize(
    ("right", "total", "wilson", "exact"),
    [
        (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
        (15, 148, (0.0624, 0.1605), (0.0578, 0.1617)),
        (0, 20, (0.0, 0.1611), (0.0, 0.1684)),
        (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
    ],
)
def test_intervals_are_the_published_ones(
    right: int, total: int, wilson: tuple[float, float], exact: tuple[float, float]
) -> None:
    """Newcombe, Statistics in Medicine 1998, table I."""
    assert metrics.wilson_interval(right, total) == pytest.approx(wilson, abs=6e-5)
    assert metrics.exact_interval(right, total) == pytest.approx(exact, abs=6e-5)
    assert metrics.wilson_interval(right, total, 0.99)[1] > wilson[1]


def test_without_trials_the_interval_says_nothing() -> None:
    assert metrics.wilson_interval(0, 0) == metrics.exact_interval(0, 0) == (0.0, 1.0)


def test_seen_and_unseen_are_judged_with_answers_over_all_classes() -> None:
    probs = torch.eye(3)[[0, 1, 0, 2, 2, 1]]
    labels = torch.tensor([0, 1, 2, 2, 2, -1])  # one row of unseen class 2 is called a seen class
    unseen = torch.tensor([False, False, True])
    seen_share, unseen_share, mean = metrics.seen_unseen(probs, labels, unseen)
    assert (seen_share, unseen_share) == pytest.approx((1.0, 2 / 3))
    assert mean == pytest.approx(0.8)


def test_the_harmonic_mean_is_zero_where_one_side_is() -> None:
    assert metrics.harmonic_mean(0.0, 0.0) == 0.0
    assert metrics.harmonic_mean(0.0, 1.0) == 0.0
    assert metrics.harmonic_mean(0.4, 0.4) == pytest.approx(0.4)


def test_without_labels_a_metric_is_not_a_number_and_no_crash() -> None:
    probs, labels = torch.full((3, 2), 0.5), torch.full((3,), -1)
    for metric in (metrics.accuracy, metrics.nll, metrics.brier, metrics.ece):
        assert math.isnan(metric(probs, labels))
    assert metrics.per_class(probs, labels).isnan().all()
    assert metrics.confusion(probs, labels).sum() == 0
    assert math.isnan(metrics.seen_unseen(probs, labels, torch.tensor([True, False]))[2])


def test_a_class_without_rows_has_no_recall_and_one_never_called_no_precision() -> None:
    probs, labels = torch.eye(3)[[0, 0, 1]], torch.tensor([0, 0, 0])
    assert metrics.per_class(probs, labels).isnan().tolist() == [False, True, True]
    assert metrics.precision_per_class(probs, labels).isnan().tolist() == [False, False, True]


def test_spread_and_worst_tenth_are_over_the_classes_that_have_rows() -> None:
    shares = torch.tensor([0.5, math.nan, 1.0, 0.0, 0.5])
    assert metrics.class_spread(shares) == pytest.approx(0.125**0.5)
    assert metrics.worst_mean(shares) == 0.0
    assert metrics.worst_mean(shares, 0.5) == pytest.approx(0.25)
    assert metrics.worst_mean(torch.arange(30) / 30) == pytest.approx(1 / 30)
    nothing = torch.full((3,), math.nan)
    assert math.isnan(metrics.class_spread(nothing))
    assert math.isnan(metrics.worst_mean(nothing))
