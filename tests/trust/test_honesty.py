"""Confidence is judged by labels that it was not made from, and what it could be by others than its own."""

from __future__ import annotations

import json

import pytest
import torch
from trust_data import overconfident

from benchmarks.research.calibrations import checked
from clipgrip import metrics
from clipgrip.trust.fitting import fit_temperature
from clipgrip.trust.honesty import ENOUGH, calibrated, honesty


def test_too_sure_answers_are_called_so_and_mended() -> None:
    logits, labels = overconfident()
    found = honesty(logits.softmax(1), labels)
    assert found is not None
    assert found.temperature.value > 1.2
    assert found.checked.after["ece_equal_mass"] < found.checked.before["ece_equal_mass"]
    assert found.checked.after["nll"] < found.checked.before["nll"]
    assert found.checked.after["accuracy"] == found.checked.before["accuracy"]
    expected = checked(fit_temperature, logits, labels)
    assert found.checked.after == pytest.approx(expected.after, rel=1e-3)
    assert found.checked.before == pytest.approx(expected.before, rel=1e-3)


def test_a_diagram_survives_json_and_its_gaps_are_the_calibration_error() -> None:
    logits, labels = overconfident()
    labels[::3] = -1
    found = honesty(logits.softmax(1), labels)
    assert found is not None
    stored = json.loads(json.dumps(found.to_dict()))
    assert stored["n"] == int((labels >= 0).sum())
    for when in ("before", "after"):
        bins = stored["diagram"][when]
        assert sum(count for *_, count in bins) == stored["n"]
        gap = sum(abs(sure - right) * count for sure, right, count in bins) / stored["n"]
        assert gap == pytest.approx(stored[when]["ece_equal_mass"])


def test_few_labels_tell_nothing() -> None:
    logits, labels = overconfident()
    labels[ENOUGH - 1 :] = -1
    assert honesty(logits.softmax(1), labels) is None


def test_labeled_rows_are_calibrated_by_others_and_the_rest_by_all() -> None:
    logits, labels = overconfident()
    probs = logits.softmax(1)
    labels[100:] = -1
    found = calibrated(probs, labels)
    whole = fit_temperature(logits, labels)(logits)
    torch.testing.assert_close(found[100:], whole[100:], rtol=1e-3, atol=1e-4)
    assert not torch.allclose(found[:100], whole[:100], rtol=1e-4, atol=1e-6)
    assert torch.equal(found.argmax(1), probs.argmax(1))
    truth = labels[:100]
    assert metrics.nll(found[:100], truth) < metrics.nll(probs[:100], truth)
