"""What metrics.json says is right, complete and finite."""

from __future__ import annotations

import json
import math

import pytest
import torch

from clipgrip import evaluate

PROBS = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1]])
NONE, ONE = torch.tensor([False] * 3), torch.tensor([False, True, False])


def scores(labels: list[int], unseen: torch.Tensor = NONE) -> evaluate.Scores:
    made = evaluate.test_scores(PROBS, torch.tensor(labels), unseen)
    assert made is not None
    json.dumps(made, allow_nan=False)
    return made


def test_accuracy_counts_right_answers() -> None:
    made = scores([0, 1, 1, 1])
    assert (made["n"], made["accuracy"]) == (4, 0.75)
    assert made["per_class"] == [1.0, pytest.approx(2 / 3), None]
    assert made["precision"] == [0.5, 1.0, None]
    low, high = made["interval"]
    assert 0 <= low < 0.75 < high <= 1


def test_unlabeled_images_count_nowhere_and_without_labels_there_are_no_scores() -> None:
    assert scores([0, 1, -1, -1]) == scores([0, 1, -1, -1])
    assert scores([0, 1, -1, -1])["n"] == 2
    assert evaluate.test_scores(PROBS, torch.full((4,), -1), NONE) is None
    assert evaluate.test_scores(PROBS[:0], torch.zeros(0, dtype=torch.long), NONE) is None


def test_seen_and_unseen_are_told_apart_only_where_some_classes_are_unseen() -> None:
    made = scores([0, 1, 1, 2], ONE)
    assert (made["seen"], made["unseen"]) == (0.5, 0.5)
    assert made["harmonic_mean"] == 0.5
    for everything_or_nothing in (NONE, ~NONE):
        assert "harmonic_mean" not in scores([0, 1, 1, 2], everything_or_nothing)


def test_a_kind_of_class_without_test_images_has_null() -> None:
    made = scores([0, 0, 2, 0], ONE)
    assert made["unseen"] is None
    assert made["harmonic_mean"] is None
    assert made["seen"] is not None


def test_certain_and_wrong_answers_stay_finite() -> None:
    sure = torch.tensor([[1.0, 0.0, 0.0]] * 2)
    made = evaluate.test_scores(sure, torch.tensor([1, 2]), NONE)
    assert made is not None
    assert math.isfinite(made["nll"])
    assert made["brier"] == pytest.approx(2.0)
    assert made["ece"] == pytest.approx(1.0)


def test_a_pool_is_summed_up_without_a_word_on_accuracy() -> None:
    told = evaluate.pool_summary(PROBS)
    assert told["per_class"] == [2, 2, 0]
    assert told["coverage"] == pytest.approx(2 / 3)
    assert told["mean_confidence"] == pytest.approx(0.7)
    nothing = evaluate.pool_summary(PROBS[:0])
    assert nothing == {"mean_confidence": None, "coverage": 0.0, "per_class": [0, 0, 0]}


def test_robin_hood_compares_the_poor_with_the_rich() -> None:
    before = torch.tensor([0.2, 0.4, 0.9, math.nan])
    after = torch.tensor([0.6, 0.6, 0.8, 0.5])
    poor, rich = evaluate.robin_hood(before, after)
    assert poor == pytest.approx(0.3)
    assert rich == pytest.approx(-0.1)
