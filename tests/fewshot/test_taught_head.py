"""A head that learned pseudolabels too: labels judge it, doubtful ones teach little, and it is no surer than they."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from clipgrip.fewshot.head import HeadSettings, fit_head
from clipgrip.fewshot.joint import Joint
from clipgrip.fewshot.members import discriminants
from clipgrip.fewshot.moments import Moments, centred
from clipgrip.fewshot.teacher import Teacher
from clipgrip.pseudolabel.pseudolabels import PseudoLabels
from clipgrip.task import ssl

SETTINGS = HeadSettings()
WIDTH, CLASSES = 24, 4


def images(n: int = 200, spread: float = 1.2, seed: int = 0) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    centres = torch.randn(CLASSES, WIDTH, generator=torch.Generator().manual_seed(9))
    truth = torch.arange(n) % CLASSES
    noise = torch.randn(n, WIDTH, generator=draw)
    return F.normalize(centres[truth] + spread * noise + 2, dim=1), truth


def first_of_each(truth: Tensor, each: int) -> Tensor:
    labels = torch.full_like(truth, -1)
    labels[: each * CLASSES] = truth[: each * CLASSES]
    return labels


def taught(each: int, wrong: Tensor, confidence: Tensor) -> Joint:
    """Labels and pseudolabels joined; ``wrong`` pseudolabels name the next class."""
    pool, truth = images()
    task = ssl(first_of_each(truth, each), CLASSES)
    rows = task.unlabeled
    said = torch.where(wrong[rows], (truth[rows] + 1) % CLASSES, truth[rows])
    pseudolabels = PseudoLabels.hard(rows, said, confidence[rows], CLASSES)
    return Teacher.of(pool, None, task, SETTINGS).joint(pool, pseudolabels)


def right(logits: Tensor, truth: Tensor) -> float:
    return float((logits.argmax(1) == truth).float().mean())


def test_an_image_of_weight_two_counts_as_two_images() -> None:
    raw, truth = images(40)
    twice = torch.cat([raw, raw[:8]]), torch.cat([truth, truth[:8]])
    weights = torch.ones(40)
    weights[:8] = 2
    one = Moments.of(raw, truth, CLASSES, raw.mean(0), weights)
    two = Moments.of(*twice, CLASSES, raw.mean(0))
    assert one.counts.equal(two.counts)
    assert torch.allclose(one.sums, two.sums)
    assert torch.allclose(one.scatter, two.scatter)


def test_a_label_among_doubtful_pseudolabels_is_held_out_exactly() -> None:
    raw, truth = images(60)
    weights = torch.full((60,), 0.3)
    weights[:8] = 1
    mean = raw.mean(0)
    whole = Moments.of(raw, truth, CLASSES, mean, weights)
    (member,) = discriminants(whole, [0.4], centred(raw[:8], mean), truth[:8])
    scale = (whole.scatter - (whole.means * whole.counts[:, None]).T @ whole.means).trace()
    scale = scale / (whole.total - CLASSES) / WIDTH
    for row in (0, 5):
        others = torch.arange(60) != row
        less = Moments.of(raw[others], truth[others], CLASSES, mean, weights[others])
        within = less.scatter - (less.means * less.counts[:, None]).T @ less.means
        covariance = 0.6 * within / (less.total - CLASSES) + 0.4 * scale * torch.eye(WIDTH).double()
        solved = torch.linalg.solve(covariance, less.means.T)
        expected = centred(raw[row : row + 1], mean) @ solved - 0.5 * (less.means.T * solved).sum(0)
        assert torch.allclose(member.held_out[row], expected[0], atol=1e-4)


def test_only_judges_are_held_out() -> None:
    raw, truth = images(40)
    judges = torch.arange(40) < 8
    fitted = fit_head(raw, truth, CLASSES, settings=SETTINGS, judges=judges)
    assert fitted.rows.tolist() == [*range(8)]
    assert fitted.held_out.shape == (8, CLASSES)


def test_wrong_pseudolabels_that_are_doubtful_harm_less_than_sure_ones() -> None:
    wrong = torch.arange(200) % 5 < 2
    sure = torch.ones(200)
    doubtful = torch.where(wrong, 0.4, 0.95)
    new, truth = images(seed=1)
    trusting, careful = (taught(4, wrong, known).logits(new, None) for known in (sure, doubtful))
    assert right(careful, truth) > right(trusting, truth) + 0.02


def test_right_pseudolabels_teach_more_than_the_labels_alone() -> None:
    pool, truth = images(spread=2.0)
    task = ssl(first_of_each(truth, 2), CLASSES)
    rows = task.unlabeled
    teacher = Teacher.of(pool, None, task, SETTINGS)
    chosen = PseudoLabels.hard(rows, truth[rows], torch.ones(len(rows)), CLASSES)
    new, new_truth = images(spread=2.0, seed=1)
    alone = teacher.joint(pool).logits(new, None)
    assert right(teacher.joint(pool, chosen).logits(new, None), new_truth) > right(alone, new_truth)


@pytest.mark.parametrize("each", [1, 2, 4])
def test_the_head_is_no_surer_than_its_pseudolabels(each: int) -> None:
    nobody = torch.zeros(200, dtype=torch.bool)
    pool, _ = images()
    _, head = taught(each, nobody, torch.full((200,), 0.7)).heads
    logits = head.logits(pool[each * CLASSES :]) / SETTINGS.unlabeled
    assert float(logits.softmax(1).amax(1).mean()) < 0.75


def test_a_mixture_of_equal_classifiers_is_no_surer_than_one() -> None:
    nobody = torch.zeros(200, dtype=torch.bool)
    joint = taught(4, nobody, torch.ones(200))
    new, _ = images(seed=1)
    one = replace(joint, heads=joint.heads[:1])
    again = one.mixed(one.heads[0], 0.3)
    assert torch.allclose(again.probs(new, None), one.probs(new, None), atol=1e-5)
