"""Linear heads in closed form: what they would answer without an image is what they answer when fitted without it."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from clipgrip.fewshot.head import HeadSettings, fit_head
from clipgrip.fewshot.members import discriminants, ridges
from clipgrip.fewshot.moments import Moments, centred

SETTINGS = HeadSettings()


def images(n: int = 40, width: int = 10, classes: int = 4) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(3)
    labels = torch.arange(n) % classes
    shift = torch.randn(classes, width, generator=draw)
    return F.normalize(torch.randn(n, width, generator=draw) + shift[labels] + 1, dim=1), labels


def direct_discriminant(
    x: Tensor, y: Tensor, shrinkage: float, scale: Tensor
) -> tuple[Tensor, Tensor]:
    """By the book, with the scale of the identity given: it is the same whichever image is left out."""
    classes = int(y.max()) + 1
    means = torch.stack([x[y == c].mean(0) for c in range(classes)])
    gaps = x - means[y]
    within = gaps.T @ gaps / (len(x) - classes)
    covariance = (1 - shrinkage) * within + shrinkage * scale * torch.eye(x.shape[1]).double()
    weights = torch.linalg.solve(covariance, means.T)
    return weights, -0.5 * (means.T * weights).sum(0)


@pytest.mark.parametrize("shrinkage", [0.05, 0.4, 1.0])
def test_a_held_out_discriminant_is_the_one_that_never_saw_the_image(shrinkage: float) -> None:
    raw, y = images()
    mean = raw.mean(0)
    x = centred(raw, mean)
    moments = Moments.of(raw, y, 4, mean)
    (member,) = discriminants(moments, [shrinkage], x, y)
    means = moments.means
    within = moments.scatter - (means * moments.counts[:, None]).T @ means
    scale = within.trace() / (len(x) - 4) / len(within)
    weights, offsets = direct_discriminant(x, y, shrinkage, scale)
    assert torch.allclose(member.weights, weights, atol=1e-5)
    assert torch.allclose(member.offsets, offsets, atol=1e-5)
    for row in (0, 7, 39):
        others = torch.arange(len(x)) != row
        weights, offsets = direct_discriminant(x[others], y[others], shrinkage, scale)
        assert torch.allclose(member.held_out[row], x[row] @ weights + offsets, atol=1e-4)


def test_a_held_out_ridge_is_nearly_the_one_that_never_saw_the_image() -> None:
    """Nearly: the mean of the labels moves by one part in n."""
    raw, y = images(80)
    mean = raw.mean(0)
    x = centred(raw, mean)
    (member,) = ridges(Moments.of(raw, y, 4, mean), [0.3], x, y)
    for row in (0, 33):
        others = torch.arange(len(x)) != row
        less = Moments.of(raw[others], y[others], 4, mean)
        (without,) = ridges(less, [0.3 * 79 / 80], x[others], y[others])
        answer = x[row] @ without.weights + without.offsets
        assert torch.allclose(member.held_out[row], answer, atol=0.05)


def test_equal_labels_in_another_order_give_the_same_head() -> None:
    raw, y = images()
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(1))
    one = fit_head(raw, y, 4, settings=SETTINGS).head
    two = fit_head(raw[order], y[order], 4, settings=SETTINGS).head
    assert torch.allclose(one.weights, two.weights, atol=1e-8)
    assert torch.allclose(one.logits(raw), two.logits(raw), atol=1e-5)


def test_one_label_a_class_holds_nothing_out_and_still_answers_its_own() -> None:
    raw, y = images(4)
    fitted = fit_head(raw, y, 4, settings=SETTINGS)
    assert len(fitted.rows) == 0
    assert fitted.head.logits(raw).argmax(1).equal(y)


def test_classes_without_a_label_are_unknown_to_the_head() -> None:
    raw, y = images(classes=3)
    head = fit_head(raw, y * 2, 6, settings=SETTINGS).head
    assert head.classes.tolist() == [0, 2, 4]
    assert head.logits(raw).shape == (len(raw), 3)


def test_equal_images_of_one_class_divide_by_no_zero() -> None:
    raw = F.normalize(torch.eye(3)[torch.tensor([0, 0, 0, 1, 1, 1])] + 0.1, dim=1)
    y = torch.tensor([0, 0, 0, 1, 1, 1])
    fitted = fit_head(raw, y, 2, settings=SETTINGS)
    assert fitted.head.logits(raw).isfinite().all()
    assert fitted.held_out.isfinite().all()
    assert fitted.head.logits(raw).argmax(1).equal(y)


def test_many_labels_weigh_the_members_by_a_sample() -> None:
    raw, y = images(400)
    few = HeadSettings(sample=50)
    fitted = fit_head(raw, y, 4, settings=few)
    assert 40 <= len(fitted.rows) <= 50
    assert abs(sum(fitted.members.values()) - 1) < 0.01
