"""Which classes a pool holds, and how sure its answers are whatever the scale."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from clipgrip.pseudolabel import refine, refined
from clipgrip.pseudolabel.refine.answers import RefineInput
from clipgrip.pseudolabel.refine.balance import half_way
from clipgrip.pseudolabel.refine.decide import Evidence, seem_equal
from clipgrip.pseudolabel.refine.measure import damp_absent, measure, present_classes
from clipgrip.pseudolabel.refine.scale import at_fitting_scale, standard_logits
from clipgrip.pseudolabel.refine.settings import DEFAULT
from clipgrip.pseudolabel.refine.space import PoolImages


def evidence(probs: Tensor) -> Evidence:
    """Of unlabeled images that may be of any class."""
    rows, classes = probs.shape
    unlabeled, every = torch.zeros(rows, dtype=torch.bool), torch.ones(classes, dtype=torch.bool)
    return measure(RefineInput(PoolImages(torch.randn(rows, 4)), probs, unlabeled, every))


def resistance(probs: Tensor) -> float:
    """0 for too few images."""
    return evidence(probs).resistance or 0.0


def confidence(probs: Tensor) -> float:
    return evidence(probs).standard_confidence


def even(probs: Tensor, limit: float) -> bool:
    return seem_equal(evidence(probs), limit)


def answers(counts: list[int], *, sure: float = 6.0, noise: float = 1.0) -> tuple[Tensor, Tensor]:
    """Probabilities that favour the true class by ``sure`` nats amid noise, and the truth."""
    drawn = torch.Generator().manual_seed(0)
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    logits = noise * torch.randn(len(labels), len(counts), generator=drawn)
    return (logits + sure * F.one_hot(labels, len(counts))).softmax(1), labels


def pool(counts: list[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Images in tight clusters, texts near them but apart from all images, and the truth."""
    drawn = torch.Generator().manual_seed(1)
    centres = torch.randn(len(counts), 32, generator=drawn)
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    spread = centres[labels] + 0.5 * torch.randn(len(labels), 32, generator=drawn)
    texts = centres + 0.2 * torch.randn(len(counts), 32, generator=drawn)
    images, texts = F.pad(spread, (0, 2)), F.pad(texts, (0, 2))
    images[:, 32], texts[:, 33] = 8.0, 20.0  # each in a cone of its own
    return F.normalize(images, dim=1), F.normalize(texts, dim=1), labels


def test_equal_classes_do_not_resist_and_absent_ones_do() -> None:
    assert resistance(answers([40] * 8)[0]) < 0.2
    assert resistance(answers([80, 60, 40, 30, 20, 15, 12, 10])[0]) < DEFAULT.absent_resistance
    assert resistance(answers([40] * 4 + [0] * 12)[0]) > DEFAULT.absent_resistance
    assert resistance(answers([200] + [0] * 19)[0]) > DEFAULT.absent_resistance


@pytest.mark.parametrize(
    "limit", [DEFAULT.equal_max_resistance, DEFAULT.nearly_equal_max_resistance]
)
def test_a_class_that_fills_the_pool_or_is_not_in_it_makes_it_uneven(limit: float) -> None:
    assert even(answers([40] * 8)[0], limit)
    assert not even(answers([300] + [10] * 7)[0], limit)
    assert not even(answers([40] * 6 + [0] * 2)[0], limit)
    assert not even(answers([5] * 8)[0], limit)  # too few to tell


def test_half_the_way_to_equal_shares_leaves_few_images_alone() -> None:
    probs, _ = answers([60, 20], sure=3.0)
    moved = half_way(probs)
    torch.testing.assert_close(moved.sum(1), torch.ones(80))
    assert abs(float(moved.mean(0)[0]) - 0.5) < abs(float(probs.mean(0)[0]) - 0.5)
    few, _ = answers([20, 10])
    assert torch.equal(half_way(few), few)


def test_a_preference_for_some_classes_does_not_count_as_absence_of_others() -> None:
    probs, _ = answers([40] * 8, sure=3.0)
    shift = torch.linspace(-1, 1, 8)
    assert resistance((probs.log() + shift).softmax(1)) < DEFAULT.absent_resistance


def test_few_images_say_nothing_about_absence() -> None:
    assert evidence(answers([20] + [0] * 9)[0]).resistance is None


def test_the_present_classes_are_found_and_a_rare_one_among_them() -> None:
    kept = present_classes(answers([40, 0, 40, 0, 0, 0, 12, 0, 0, 0, 40])[0])
    assert kept.nonzero().squeeze(1).tolist() == [0, 2, 6, 10]
    assert present_classes(answers([300] + [0] * 9)[0]).nonzero().squeeze(1).tolist() == [0]


@pytest.mark.parametrize("scale", [0.01, 0.3, 1.0, 2.0])
def test_the_scale_changes_neither_resistance_nor_confidence(scale: float) -> None:
    probs, _ = answers([40, 30, 20, 10])
    other = (scale * probs.log()).softmax(1)
    assert resistance(other) == pytest.approx(resistance(probs), abs=0.01)
    assert confidence(other) == pytest.approx(confidence(probs), abs=0.01)


def test_a_scale_that_fits_is_left_alone_and_one_that_does_not_is_mended() -> None:
    probs = standard_logits(answers([40, 30, 20])[0]).softmax(1)
    assert torch.equal(at_fitting_scale(probs), probs)
    far = (0.01 * probs.log()).softmax(1)
    mended = at_fitting_scale(far)
    assert torch.equal(mended.argmax(1), far.argmax(1))
    logits = mended.log()
    assert float((logits - logits.mean(0)).std(1).mean()) == pytest.approx(
        DEFAULT.logit_spread, rel=0.01
    )


@pytest.mark.parametrize(("rows", "classes"), [(0, 3), (1, 3), (60, 1), (60, 2)])
def test_the_smallest_and_the_most_equal_answers_are_read(rows: int, classes: int) -> None:
    probs = torch.full((rows, classes), 1 / classes)
    assert resistance(probs) == pytest.approx(0.0, abs=1e-6)
    assert torch.equal(at_fitting_scale(probs), probs)
    assert 0.0 <= confidence(probs) <= 1.0


def test_absent_classes_keep_the_root_of_the_least_share_and_rows_sum_to_one() -> None:
    halves = damp_absent(torch.tensor([[0.5, 0.5]]), torch.tensor([True, False]))
    left = DEFAULT.absent_share**0.5
    torch.testing.assert_close(halves, torch.tensor([[1 / (1 + left), left / (1 + left)]]))


def test_absent_classes_cost_nothing_and_the_reason_says_so() -> None:
    images, classes, labels = pool([40, 0, 40, 0, 0, 40, 0, 0, 0, 0, 0, 0])
    found = refined(images, classes, logit_scale=100.0)
    before = float(((images @ classes.T).argmax(1) == labels).float().mean())
    assert float((found.probs.argmax(1) == labels).float().mean()) >= before
    assert "hardly appear" in found.reasons[0]


def test_a_class_that_was_labeled_is_never_taken_for_absent() -> None:
    images, classes, labels = pool([40, 2, 40, 0, 0, 40, 0, 0, 0, 0, 0, 0])
    given = torch.where(labels == 1, 1, -1)
    given[(labels == 1).nonzero()[1, 0]] = -1
    probs = refine(images, classes, logit_scale=100.0, labeled=given)
    hidden = (labels == 1) & (given < 0)
    assert probs[hidden].argmax(1).tolist() == [1]
