"""Embeddings become probabilities in NumPy as they do in torch, for every kind of head."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from clipgrip.fewshot.head import Head
from clipgrip.fewshot.joint import Joint
from clipgrip.pseudolabel.banks import fit_bank_map
from clipgrip.runs.eyes import JoinedEyes
from clipgrip.serving.bundling.members import scoring_of
from clipgrip.serving.predictor import Predictor

C, D = 5, 24


@pytest.fixture
def predictor(finished: Path) -> Predictor:
    """A text over five classes, without a model."""
    opened = Predictor.open(finished)
    facts = replace(opened.facts, logit_scale=60.0)
    return Predictor(facts, {}, unit(C, D, seed=1))


def unit(rows: int, width: int, seed: int) -> torch.Tensor:
    drawn = torch.randn(rows, width, generator=torch.Generator().manual_seed(seed))
    return F.normalize(drawn, dim=1)


def head(classes: list[int], width: int = D, seed: int = 2) -> Head:
    drawn = torch.Generator().manual_seed(seed)
    weights = 3 * torch.randn(width, len(classes), generator=drawn, dtype=torch.float64)
    offsets = torch.randn(len(classes), generator=drawn, dtype=torch.float64)
    mean = 0.1 * torch.randn(width, generator=drawn, dtype=torch.float64)
    return Head(mean, weights, offsets, torch.tensor(classes))


def check_equal(predictor: Predictor, embeds: torch.Tensor) -> None:
    expected = predictor.predict_proba(embeds)
    found = scoring_of(predictor).probs(embeds.numpy())
    np.testing.assert_allclose(found, expected.numpy(), rtol=0, atol=1e-5)


def test_the_text_alone(predictor: Predictor) -> None:
    check_equal(predictor, unit(20, D, seed=3))


@pytest.mark.parametrize("text_weight", [0.0, 0.5, 1.4])
@pytest.mark.parametrize("classes", [[0, 1, 2, 3, 4], [1, 3], [4]])
def test_a_head_of_all_or_some_classes(
    predictor: Predictor, text_weight: float, classes: list[int]
) -> None:
    joint = Joint(text_weight, (head(classes),), C)
    check_equal(replace(predictor, joint=joint), unit(20, D, seed=3))


def test_several_heads_and_the_untuned_text_beside_the_tuned(predictor: Predictor) -> None:
    heads = head([0, 1, 2]), head([0, 1, 2, 3, 4], seed=5)
    joint = Joint(0.75, heads, C, texts=unit(C, D, seed=6), untuned=0.5)
    check_equal(replace(predictor, joint=joint), unit(20, D, seed=3))


@pytest.mark.parametrize("text_weight", [0.0, 0.6])
@pytest.mark.parametrize("absent", [(0,), (1, 4)])
def test_classes_that_were_absent_are_the_texts(
    predictor: Predictor, text_weight: float, absent: tuple[int, ...]
) -> None:
    apart = Joint(text_weight, (head([2, 3]),), C, unit(C, D, seed=6), 1.0, absent=absent)
    joint = replace(apart, division=0.4)
    check_equal(replace(predictor, joint=joint), unit(20, D, seed=3))


def test_labels_that_taught_no_head(predictor: Predictor) -> None:
    check_equal(replace(predictor, joint=Joint(0.5, (), C)), unit(20, D, seed=3))


def test_banks_of_eyes_are_joined_alike(predictor: Predictor) -> None:
    banks = [unit(60, width, seed=width) for width in (D, 12, 30)]
    banks[1][:30] += 1
    found = fit_bank_map(banks, predictor.predict_proba(banks[0]))
    beside = replace(predictor, beside=JoinedEyes((), replace(found, weights=(1.0, 0.5, 0.7))))
    expected = found.joined(banks) if found.joins else torch.cat(
        [banks[0], *(one.of(bank) for one, bank in zip(found.columns, banks[1:], strict=True))], 1
    )  # fmt: skip
    ours = scoring_of(beside)
    joined = ours.joined([bank.numpy() for bank in banks])
    np.testing.assert_allclose(joined, expected.numpy(), rtol=0, atol=1e-5)
    assert ours.width == joined.shape[1]
