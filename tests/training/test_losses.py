"""The losses: their values by hand, their gradients by finite differences, and how hard a wrong target pulls."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.research import losses
from benchmarks.research.losses import (
    bootstrapped,
    generalized_cross_entropy,
    mean_absolute_error,
    partial_label,
    symmetric_cross_entropy,
)
from clipgrip.errors import ConfigError
from clipgrip.training.loss import LOSSES, Loss, Weights, cross_entropy, loss_named, mixed_loss

ALL = {**LOSSES, **losses.LOSSES}
each_loss = pytest.mark.parametrize("loss", ALL.values(), ids=list(ALL))


def logits(rows: int = 5, classes: int = 4) -> Tensor:
    draw = torch.Generator().manual_seed(0)
    return torch.randn(rows, classes, generator=draw, dtype=torch.double)


def targets_of(kind: str) -> Tensor:
    hard = F.one_hot(torch.tensor([0, 1, 2, 3, 0]), 4).double()
    soft = logits().flip(0).mul(2).softmax(1)
    some = soft * torch.tensor([[1, 1, 0, 0]])
    return {"hard": hard, "soft": soft, "sets": some / some.sum(1, keepdim=True)}[kind]


@each_loss
@pytest.mark.parametrize("kind", ["hard", "soft", "sets"])
def test_gradients_are_those_of_finite_differences(loss: Loss, kind: str) -> None:
    values, targets, step = logits(), targets_of(kind), 1e-6
    leaf = values.clone().requires_grad_()
    loss(leaf, targets).sum().backward()
    expected = torch.zeros_like(values)
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
            moved = torch.zeros_like(values)
            moved[row, column] = step
            up, down = loss(values + moved, targets), loss(values - moved, targets)
            expected[row, column] = (up - down).sum() / (2 * step)
    assert leaf.grad is not None
    torch.testing.assert_close(leaf.grad, expected, rtol=1e-5, atol=1e-7)


@each_loss
def test_a_right_and_sure_answer_costs_nothing_and_a_wrong_one_does(loss: Loss) -> None:
    sure = torch.tensor([[50.0, 0.0, 0.0]])
    right, wrong = (F.one_hot(torch.tensor([c]), 3).float() for c in (0, 1))
    assert loss(sure, right).item() == pytest.approx(0, abs=1e-6)
    assert loss(sure, wrong).item() > 1
    assert torch.isfinite(loss(20 * sure, wrong)).all()


@each_loss
def test_a_row_costs_the_same_alone_and_in_a_batch(loss: Loss) -> None:
    whole = loss(logits(), targets_of("soft"))
    assert whole.shape == (5,)
    parts = [loss(logits()[i : i + 1], targets_of("soft")[i : i + 1]) for i in range(5)]
    torch.testing.assert_close(whole, torch.cat(parts))


def test_values_by_hand() -> None:
    even = torch.zeros(1, 4, dtype=torch.double)
    hard = torch.tensor([[1.0, 0, 0, 0]], dtype=torch.double)
    assert cross_entropy(even, hard).item() == pytest.approx(math.log(4))
    assert generalized_cross_entropy(even, hard).item() == pytest.approx((1 - 0.25**0.7) / 0.7)
    assert mean_absolute_error(even, hard).item() == pytest.approx(1.5)
    reverse = 4 * 0.75
    assert symmetric_cross_entropy(even, hard).item() == pytest.approx(0.1 * math.log(4) + reverse)
    assert bootstrapped(even, hard).item() == pytest.approx(math.log(4))
    pair = torch.tensor([[0.7, 0.3, 0, 0]], dtype=torch.double)
    assert partial_label(even, pair).item() == pytest.approx(math.log(2))


def test_generalized_lies_between_cross_entropy_and_half_the_absolute_error() -> None:
    targets = targets_of("hard")
    torch.testing.assert_close(
        generalized_cross_entropy(logits(), targets, q=1e-7),
        cross_entropy(logits(), targets), rtol=1e-5, atol=1e-6,
    )  # fmt: skip
    torch.testing.assert_close(
        generalized_cross_entropy(logits(), targets, q=1.0),
        mean_absolute_error(logits(), targets) / 2,
    )


def test_a_set_of_one_is_cross_entropy_and_of_all_is_nothing() -> None:
    torch.testing.assert_close(
        partial_label(logits(), targets_of("hard")), cross_entropy(logits(), targets_of("hard"))
    )
    assert partial_label(logits(), targets_of("soft")).abs().max() < 1e-12


def pull(loss: Loss, lead: float) -> float:
    """The gradient's length where the answer is sure of another class than the target."""
    leaf = torch.tensor([[lead, 0.0, 0.0]], requires_grad=True)
    loss(leaf, torch.tensor([[0.0, 1.0, 0.0]])).sum().backward()
    assert leaf.grad is not None
    return leaf.grad.norm().item()


def test_a_target_against_a_sure_answer_pulls_little_by_the_robust_losses() -> None:
    assert pull(cross_entropy, 6.0) > 1
    for loss in (generalized_cross_entropy, mean_absolute_error):
        assert pull(loss, 6.0) < 0.1


def test_people_are_believed_by_cross_entropy_and_pseudolabels_by_the_loss() -> None:
    labeled, targets = torch.tensor([True, True, False, False, False]), targets_of("hard")
    got = mixed_loss(logits(), targets, labeled, Weights(0.3, 0.7), mean_absolute_error)
    people = cross_entropy(logits()[:2], targets[:2]).mean()
    rest = mean_absolute_error(logits()[2:], targets[2:]).mean()
    torch.testing.assert_close(got, 0.3 * people + 0.7 * rest)


def test_an_unknown_loss_lists_the_known_and_the_nearest() -> None:
    with pytest.raises(
        ConfigError, match=r'"cross". Known: cross-entropy\. .* mean "cross-entropy"'
    ):
        loss_named("cross")
    with pytest.raises(ConfigError, match=r'"absolute". Known: cross-entropy\.$'):
        loss_named("absolute")
