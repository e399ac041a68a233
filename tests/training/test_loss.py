"""The loss weighs people's labels against pseudolabels, in all nine combinations of task and strategy."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from builders import backbone

from clipgrip.prompts.textual import TextualPrompt
from clipgrip.pseudolabel.pseudolabels import PseudoLabels
from clipgrip.pseudolabel.schedule import SCHEDULES
from clipgrip.pseudolabel.select.top import balanced
from clipgrip.seeds import generator
from clipgrip.strategy import choose
from clipgrip.task import Task, ssl, trzsl, ul
from clipgrip.training.learner import PromptLearner
from clipgrip.training.loss import (
    Weights,
    cross_entropy,
    label_shift,
    mixed_loss,
    mixing_weights,
    paper_weights,
)

CLASSES = 4


def task_of(paradigm: str) -> Task:
    """320 rows of 4 classes: no label; 2 of each class; all of classes 0 and 1."""
    truth = torch.arange(320) % CLASSES
    if paradigm == "UL":
        return ul(320, CLASSES)
    if paradigm == "SSL":
        return ssl(torch.where(torch.arange(320) < 8, truth, -1), CLASSES)
    return trzsl(torch.where(truth < 2, truth, -1), CLASSES, seen=[0, 1])


def cell(paradigm: str, strategy: str) -> tuple[Task, PseudoLabels]:
    """The task and what its last round chooses."""
    task = task_of(paradigm)
    k = SCHEDULES[strategy](
        n_unlabeled=len(task.unlabeled), n_candidates=len(task.candidate_classes)
    )[-1]
    probs = torch.randn(320, CLASSES, generator=torch.Generator().manual_seed(0)).softmax(1)
    return task, choose(probs, task, k, balanced)


def learner(share: float | None) -> PromptLearner:
    prompt = TextualPrompt.random(backbone(), ["a"] * CLASSES, n_ctx=1, generator=generator(0))
    return PromptLearner(prompt, torch.zeros(320, 1), labeled_share=share)


def weights(task: Task, chosen: PseudoLabels, share: float | None) -> Weights:
    return learner(share)._weights(task, len(chosen.rows))


@pytest.mark.parametrize(
    ("paradigm", "strategy", "labeled", "pseudo", "gamma", "lam"),
    [
        ("UL", "fpl", 0, 64, 0, 1),
        ("UL", "ifpl", 0, 64, 0, 1),
        ("UL", "grip", 0, 320, 0, 1),
        ("SSL", "fpl", 8, 64, 64 / 8, 1),
        ("SSL", "ifpl", 8, 64, 64 / 8, 1),
        ("SSL", "grip", 8, 312, 312 / 8, 1),
        ("TRZSL", "fpl", 160, 32, 1, 160 / 32),
        ("TRZSL", "ifpl", 160, 32, 1, 160 / 32),
        ("TRZSL", "grip", 160, 160, 1, 1),
    ],
)
def test_the_nine_cells_have_the_papers_weights_or_one_mixing_weight(
    paradigm: str, strategy: str, labeled: int, pseudo: int, gamma: float, lam: float
) -> None:
    task, chosen = cell(paradigm, strategy)
    assert (len(task.labeled), len(chosen.rows)) == (labeled, pseudo)
    assert weights(task, chosen, None) == pytest.approx((gamma, lam))
    assert weights(task, chosen, 0.3) == pytest.approx((0.3, 0.7) if labeled else (0.0, 1.0))


def test_what_is_not_there_weighs_nothing_and_the_rest_everything() -> None:
    assert paper_weights(8, 0, all_candidates=True) == (1.0, 0.0)
    assert paper_weights(0, 0, all_candidates=True) == (0.0, 1.0)
    assert mixing_weights(8, 0, labeled_share=0.2) == (1.0, 0.0)
    assert mixing_weights(0, 8, labeled_share=0.2) == (0.0, 1.0)


def test_the_loss_is_the_weighed_sum_of_two_means() -> None:
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 2, 0, 1])
    labeled = torch.tensor([True, True, False, False, False])
    got = mixed_loss(logits, F.one_hot(labels, 3).float(), labeled, Weights(0.2, 3.0))
    first, second = (F.cross_entropy(logits[m], labels[m]) for m in (labeled, ~labeled))
    torch.testing.assert_close(got, 0.2 * first + 3 * second)


def test_labels_given_class_by_class_do_not_teach_that_classes_are_equally_frequent() -> None:
    labels, pool = torch.arange(CLASSES).repeat(2), torch.tensor([0.7, 0.1, 0.1, 0.1])
    shift = label_shift(labels, pool.expand(1000, -1))
    torch.testing.assert_close(shift.softmax(0), (1 / pool) / (1 / pool).sum(), atol=2e-3, rtol=0)
    even = label_shift(labels, torch.full((100, CLASSES), 1 / CLASSES))
    torch.testing.assert_close(even, torch.zeros(CLASSES))
    logits = torch.randn(9, CLASSES, generator=torch.Generator().manual_seed(0))
    targets, labeled = F.one_hot(torch.arange(9) % CLASSES, CLASSES).float(), torch.arange(9) < 4
    weigh = Weights(0.5, 0.5)
    got = mixed_loss(logits, targets, labeled, weigh, cross_entropy, shift)
    moved = torch.where(labeled[:, None], logits + shift, logits)
    torch.testing.assert_close(got, mixed_loss(moved, targets, labeled, weigh))


@pytest.mark.parametrize(
    ("paradigm", "share", "shifts"),
    [("SSL", 0.5, True), ("SSL", None, False), ("UL", 0.5, False), ("TRZSL", 0.5, False)],
)
def test_the_shift_is_for_labels_of_all_classes_and_not_the_papers_way(
    paradigm: str, share: float | None, shifts: bool
) -> None:
    task, chosen = cell(paradigm, "grip")
    assert (learner(share)._shift(task, chosen) is not None) == shifts
    assert learner(share)._shift(task, PseudoLabels.none(CLASSES)) is None


def test_targets_may_be_distributions() -> None:
    logits = torch.randn(2, 3, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([[0.5, 0.5, 0], [0.2, 0.3, 0.5]])
    got = mixed_loss(logits, targets, torch.tensor([False, False]), Weights(0.0, 1.0))
    torch.testing.assert_close(got, -(targets * logits.log_softmax(1)).sum(1).mean())


@pytest.mark.parametrize("rows", [0, 3])
def test_a_batch_whose_kind_weighs_nothing_has_a_gradient_of_zero(rows: int) -> None:
    logits = torch.ones(rows, 2, requires_grad=True)
    targets, nobody = torch.ones(rows, 2) / 2, torch.zeros(rows, dtype=torch.bool)
    loss = mixed_loss(logits, targets, nobody, Weights(1.0, 0.0))
    loss.backward()
    assert (loss.item(), logits.grad is not None) == (0.0, True)
    assert not logits.grad.any()  # type: ignore[union-attr]
