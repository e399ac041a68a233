"""Planted noise: as much as was asked for, of the kind that was asked for, with the model's own confidence."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from clipgrip.seeds import generator
from clipgrip.stress.noise import KINDS, noisy_answers, taken_for

CLASSES, ROWS = 4, 400
TRUTH = torch.arange(ROWS) % CLASSES
each_kind = pytest.mark.parametrize("kind", KINDS)


def model() -> Tensor:
    """Answers that take class 0 for 1 and 1 for 0, and give class 2 most of what is left."""
    draw = torch.Generator().manual_seed(0)
    logits = torch.randn(ROWS, CLASSES, generator=draw)
    logits[torch.arange(ROWS), TRUTH] += 2
    logits[TRUTH == 0, 1] += 1
    logits[TRUTH == 1, 0] += 1
    logits[:, 2] += 0.7
    return logits.softmax(1)


def wrong(rate: float, kind: str, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Answers, and which rows they are wrong in."""
    answers = noisy_answers(model(), TRUTH, rate, kind, generator(seed))
    return answers, answers.argmax(1) != TRUTH


@each_kind
@pytest.mark.parametrize("rate", [0.0, 0.2, 0.6])
def test_as_many_rows_are_wrong_as_were_asked_for(kind: str, rate: float) -> None:
    answers, is_wrong = wrong(rate, kind)
    assert int(is_wrong.sum()) == round(rate * ROWS)
    torch.testing.assert_close(answers.sum(1), torch.ones(ROWS))


@each_kind
def test_each_row_keeps_the_models_confidence(kind: str) -> None:
    answers, _ = wrong(0.4, kind)
    assert torch.equal(answers.sort(1).values, model().sort(1).values)


@each_kind
def test_rows_that_the_model_is_unsure_of_err_more_often(kind: str) -> None:
    _, is_wrong = wrong(0.3, kind)
    given = model()[torch.arange(ROWS), TRUTH]
    assert given[is_wrong].mean() < given[~is_wrong].mean() - 0.05


@each_kind
def test_a_seed_determines_the_noise_and_another_gives_other_noise(kind: str) -> None:
    assert torch.equal(wrong(0.3, kind)[0], wrong(0.3, kind)[0])
    assert not torch.equal(wrong(0.3, kind)[1], wrong(0.3, kind, seed=1)[1])


def test_uniform_noise_calls_every_other_class() -> None:
    answers, is_wrong = wrong(0.6, "uniform")
    for truth in range(CLASSES):
        called = answers.argmax(1)[is_wrong & (truth == TRUTH)]
        assert set(called.tolist()) == set(range(CLASSES)) - {truth}


def test_pairs_are_what_the_model_takes_a_class_for() -> None:
    answers, is_wrong = wrong(0.4, "pairs")
    partner = taken_for(model(), TRUTH).argmax(1)
    assert partner[:2].tolist() == [1, 0]
    assert torch.equal(answers.argmax(1)[is_wrong], partner[TRUTH[is_wrong]])


def test_one_class_swallows_and_is_never_wrong_about_its_own() -> None:
    answers, is_wrong = wrong(0.5, "swallowed")
    assert set(answers.argmax(1)[is_wrong].tolist()) == {2}
    assert not is_wrong[TRUTH == 2].any()
    most, all_wrong = wrong(1.0, "swallowed")
    assert int(all_wrong.sum()) == ROWS * 3 // 4
    assert set(most.argmax(1).tolist()) == {2}


@each_kind
def test_one_class_alone_cannot_be_wrong(kind: str) -> None:
    one = torch.zeros(5, dtype=torch.long)
    assert torch.equal(
        noisy_answers(torch.ones(5, 1), one, 0.6, kind, generator(0)), torch.ones(5, 1)
    )
