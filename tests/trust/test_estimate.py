"""Estimates without labels follow the truth where they can, and say so where they cannot."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from trust_data import overconfident

from benchmarks.research.estimates import (
    by_threshold,
    matching_temperature,
    temperature_without_labels,
)
from benchmarks.research.halves import gaussian_answers, half_agreement
from clipgrip import metrics
from clipgrip.errors import DataError
from clipgrip.trust.estimate import Estimate, by_labels, by_refinement


def clusters(
    rows: int = 400, classes: int = 5, noise: float = 0.15
) -> tuple[Tensor, Tensor, Tensor]:
    """Unit vectors (N, 16) around a centre for each class, centres, labels."""
    draw = torch.Generator().manual_seed(0)
    centres = torch.nn.functional.normalize(torch.randn(classes, 16, generator=draw), dim=1)
    labels = torch.arange(rows) % classes
    images = centres[labels] + noise * torch.randn(rows, 16, generator=draw)
    return torch.nn.functional.normalize(images, dim=1), centres, labels


def test_a_half_repeats_what_follows_the_images_and_not_what_is_arbitrary() -> None:
    images, centres, _ = clusters()
    right = (100 * images @ centres.T).softmax(1)
    arbitrary = right[torch.randperm(len(right), generator=torch.Generator().manual_seed(1))]
    assert half_agreement(images, right) > 0.95
    assert half_agreement(images, arbitrary) < 0.5


def test_the_gaussian_classifier_is_linear_discriminant_analysis() -> None:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    images, _, labels = clusters(noise=0.4)
    onehot = torch.nn.functional.one_hot(labels, 5).float()
    ours = gaussian_answers(images, images, onehot)
    theirs = LinearDiscriminantAnalysis(priors=[0.2] * 5).fit(images.numpy(), labels.numpy())
    assert (ours.numpy() == theirs.predict(images.numpy())).mean() > 0.95


def test_a_class_without_images_is_never_the_answer() -> None:
    images, _, labels = clusters()
    onehot = torch.nn.functional.one_hot(labels, 6).float()
    assert 5 not in gaussian_answers(images, images, onehot)


def test_thresholded_confidence_equals_the_source_on_the_source() -> None:
    logits, labels = overconfident()
    probs = logits.softmax(1)
    found = by_threshold(probs, probs, labels)
    assert found.accuracy == pytest.approx(metrics.accuracy(probs, labels), abs=1e-3)
    with pytest.raises(DataError, match="needs labeled images"):
        by_threshold(probs, probs, torch.full_like(labels, -1))


def test_thresholded_confidence_by_the_paper() -> None:
    source = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]])
    target = torch.tensor([[0.65, 0.35], [0.85, 0.15], [0.72, 0.28]])
    # one of four source answers is wrong, so a quarter lies below the threshold: 0.7
    assert by_threshold(target, source, torch.tensor([0, 0, 1, 0])).accuracy == pytest.approx(2 / 3)


def test_the_matching_temperature_has_the_wanted_confidence() -> None:
    logits, _ = overconfident()
    fitted = matching_temperature(logits, 0.6)
    assert fitted(logits).max(1).values.mean().item() == pytest.approx(0.6, abs=1e-4)


def test_a_temperature_without_labels_comes_with_its_range() -> None:
    logits, _ = overconfident()
    sure = (logits / 3).softmax(1).max(1).values.mean().item()
    estimate = Estimate(sure, sure - 0.05, sure + 0.05, "mean confidence", "calibrated answers")
    found = temperature_without_labels(logits, estimate)
    assert found.low.value < found.calibration.value < found.high.value
    assert found.calibration.value == pytest.approx(3, rel=0.1)


def test_refined_answers_that_doubt_the_first_lower_the_estimate() -> None:
    sure = torch.tensor([[0.9, 0.1], [0.8, 0.2]])
    refined = torch.tensor([[0.95, 0.05], [0.3, 0.7]])
    found = by_refinement(sure, refined)
    assert found.accuracy == pytest.approx((0.95 + 0.3) / 2)
    assert found.low < found.accuracy < found.high
    assert by_refinement(sure, torch.eye(2)[[0, 0]]).accuracy == pytest.approx(0.85)


def test_labels_give_the_share_right_and_its_exact_interval() -> None:
    found = by_labels(7, 20)
    assert found.accuracy == pytest.approx(0.35)
    assert (found.low, found.high) == (
        pytest.approx(0.1539, abs=1e-4),
        pytest.approx(0.5922, abs=1e-4),
    )
    assert by_labels(0, 10).low == 0
    assert by_labels(10, 10).high == 1
    assert found.signal == "labels"
    assert "audit" in found.advice
