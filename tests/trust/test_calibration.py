"""Calibrations undo a known flaw, survive storage, and refuse too few labels."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.calibration import calibration_curve
from sklearn.isotonic import IsotonicRegression
from trust_data import overconfident

from benchmarks.research.calibrations import FITS, Calibration, checked, fit_isotonic, fit_vector
from clipgrip import metrics
from clipgrip.errors import ConfigError, DataError
from clipgrip.trust.calibration import Temperature, logits_of
from clipgrip.trust.fitting import SPREAD, cross_fitted, fit_temperature


def test_the_temperature_that_was_put_in_is_found() -> None:
    assert fit_temperature(*overconfident()).value == pytest.approx(3.0, rel=0.05)


def test_the_temperature_is_the_one_of_least_log_loss_by_a_grid() -> None:
    logits, labels = overconfident(rows=500)
    grid = torch.linspace(1, 6, 501)
    losses = [metrics.nll((logits / t).softmax(1), labels) * len(labels) for t in grid]
    penalised = [
        loss + float(t.log() ** 2) / (2 * SPREAD**2) for loss, t in zip(losses, grid, strict=True)
    ]
    best = float(grid[int(np.argmin(penalised))])
    assert fit_temperature(logits, labels).value == pytest.approx(best, abs=0.011)


def test_few_labels_shrink_towards_no_change() -> None:
    logits, labels = overconfident(rows=20)
    free, shrunk = overconfident(rows=20)[0], fit_temperature(logits, labels).value
    grid = torch.logspace(-1.5, 1.5, 600)
    losses = [metrics.nll((free / t).softmax(1), labels) for t in grid]
    alone = float(grid[int(np.argmin(losses))])
    assert abs(np.log(shrunk)) < abs(np.log(alone))


def test_vector_scaling_mends_a_class_that_is_preferred() -> None:
    logits, labels = overconfident(factor=1.0)
    skewed = logits + torch.tensor([2.0, 0, 0, 0, -1.0])
    fitted = fit_vector(skewed, labels)
    bias = fitted.bias - fitted.bias.mean()
    assert bias[0] < -1
    assert bias[4] > 0.5
    assert metrics.accuracy(fitted(skewed), labels) > metrics.accuracy(skewed, labels) + 0.02


def test_isotonic_is_scikit_learns_curve_for_each_class_renormalised() -> None:
    logits, labels = overconfident(rows=600)
    probs = logits.softmax(1).double().numpy()
    columns = [
        IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
        .fit(probs[:, c], (labels == c).numpy().astype(float))
        .predict(probs[:, c])
        for c in range(5)
    ]
    raw = np.stack(columns, 1)
    kept = 5 / 605
    wanted = (1 - kept) * raw / raw.sum(1, keepdims=True) + kept * probs
    ours = fit_isotonic(logits, labels)(logits)
    assert np.allclose(ours.numpy(), wanted, atol=2e-3)


@pytest.mark.parametrize("kind", FITS)
def test_cross_fitted_figures_improve_on_overconfident_answers(kind: str) -> None:
    logits, labels = overconfident(rows=1500)
    found = checked(FITS[kind], logits, labels)
    assert found.n == 1500
    for name in ("ece", "ece_equal_mass", "nll", "brier"):
        assert found.after[name] < found.before[name], name


def test_cross_fitting_never_shows_a_row_its_own_label() -> None:
    logits, labels = overconfident(rows=200)
    seen: list[int] = []

    def count(some: torch.Tensor, truth: torch.Tensor) -> Calibration:
        seen.append(len(truth))
        return Temperature(1.0)

    probs = cross_fitted(count, logits, labels)
    assert seen == [160] * 5
    assert torch.allclose(probs, logits.softmax(1))


def test_a_stored_calibration_answers_the_same() -> None:
    logits, labels = overconfident(rows=500)
    fitted = fit_temperature(logits, labels)
    again = Temperature.from_dict(json.loads(json.dumps(fitted.to_dict())))
    assert torch.allclose(again(logits), fitted(logits), atol=1e-6)
    assert type(again) is Temperature


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        ({"kind": "temprature"}, 'Did you mean "temperature"'),
        ({"kind": "temperature", "bias": []}, "'value' is missing"),
    ],
)
def test_a_wrong_stored_calibration_is_named(stored: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Temperature.from_dict(stored)


@pytest.mark.parametrize("fit", [fit_temperature, fit_vector, fit_isotonic])
def test_too_few_labels_are_refused_with_the_number_that_is_needed(
    fit: Callable[..., Calibration],
) -> None:
    logits, labels = overconfident(rows=200)
    labels[12:] = -1
    with pytest.raises(DataError, match=r"needs \d+ labeled images, there are 12"):
        fit(logits, labels)


def test_probabilities_become_logits_of_themselves() -> None:
    probs = torch.tensor([[0.7, 0.3, 0.0], [0.2, 0.2, 0.6]])
    assert torch.allclose(logits_of(probs).softmax(1), probs, atol=1e-6)


def test_the_reliability_diagram_is_scikit_learns_for_two_classes() -> None:
    logits, labels = overconfident(rows=900, classes=2)
    probs = logits.softmax(1)
    confidence, called = probs.max(1)
    right, mean = calibration_curve(
        (called == labels).numpy(), confidence.numpy(), n_bins=10, strategy="quantile"
    )
    ours = metrics.reliability(probs, labels, bins=10)
    assert len(right) == 10
    assert np.allclose(ours.accuracy.numpy(), right, atol=0.02)
    assert np.allclose(ours.confidence.numpy(), mean, atol=0.01)
    assert ours.count.sum() == 900


def test_equal_mass_error_by_hand() -> None:
    probs = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.3, 0.7]])
    labels = torch.tensor([0, 1, 1, 1])
    # bins by confidence: (0.6 right, 0.7 right) and (0.8 wrong, 0.9 right)
    assert metrics.ece_equal_mass(probs, labels, bins=2) == pytest.approx((0.35 + 0.35) / 2)


def test_metrics_without_labels_have_no_bins() -> None:
    assert metrics.reliability(torch.tensor([[0.5, 0.5]]), torch.tensor([-1])).count.numel() == 0
