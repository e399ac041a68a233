"""A head of pseudolabels beside the prompt, where no label teaches one."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from clipgrip.fewshot.head import HeadSettings
from clipgrip.fewshot.joint import joined_probs
from clipgrip.fewshot.teacher import joint_without_labels
from clipgrip.pseudolabel.pseudolabels import PseudoLabels
from clipgrip.task import Task, trzsl, ul

CLASSES, WIDTH, SCALE = 4, 32, 50.0


def images(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Embeddings (n, D) of four groups and their classes (n,)."""
    noise = torch.Generator().manual_seed(seed)
    classes = torch.arange(n) % CLASSES
    centres = 3 * torch.eye(CLASSES, WIDTH)
    return F.normalize(centres[classes] + torch.randn(n, WIDTH, generator=noise), dim=1), classes


def half_right_texts() -> Tensor:
    """Class embeddings (C, D) of which each leans towards the next class."""
    return F.normalize(
        torch.eye(CLASSES, WIDTH) + 0.9 * torch.eye(CLASSES, WIDTH).roll(1, 0), dim=1
    )


TEXT = half_right_texts(), SCALE


def pseudolabels(rows: Tensor, classes: Tensor, confidence: float = 1.0) -> PseudoLabels:
    sure = torch.full((len(rows),), confidence)
    return PseudoLabels.hard(rows, classes[rows], sure, CLASSES)


def right(task: Task, chosen: PseudoLabels, pool: Tensor) -> tuple[float, float]:
    """Share of new images that the text answers rightly, and the text with the head."""
    new, truth = images(400, 1)
    joint = joint_without_labels(pool, TEXT, task, chosen, HeadSettings())
    assert joint is not None
    answers = [joined_probs(new, half_right_texts(), SCALE, one).argmax(1) for one in (None, joint)]
    alone, both = (float((found == truth).float().mean()) for found in answers)
    return alone, both


def test_new_images_gain_from_what_the_groups_of_the_pool_taught() -> None:
    pool, classes = images(400, 0)
    alone, both = right(ul(400, CLASSES), pseudolabels(torch.arange(400), classes), pool)
    assert both > alone + 0.1


def test_labels_of_other_classes_teach_the_same_head() -> None:
    pool, classes = images(400, 0)
    labels = torch.where(classes < 2, classes, -1)
    task = trzsl(labels, CLASSES, [0, 1])
    rows = (labels < 0).nonzero().squeeze(1)
    alone, both = right(task, pseudolabels(rows, classes), pool)
    assert both > alone + 0.1


def test_few_pseudolabels_a_class_hardly_speak() -> None:
    """Four images of each class are no proof: what they say moves answers less than four hundred do."""
    moved = []
    for n in (16, 1600):
        pool, classes = images(n, 0)
        joint = joint_without_labels(
            pool, TEXT, ul(n, CLASSES), pseudolabels(torch.arange(n), classes), HeadSettings()
        )
        plain, both = (joined_probs(pool[:16], half_right_texts(), SCALE, j) for j in (None, joint))
        moved.append(float((plain - both).abs().sum()))
    assert moved[0] < moved[1] / 2


@pytest.mark.parametrize("confidence", [0.6, 0.9])
def test_the_joined_answers_are_as_sure_as_their_pseudolabels_were(confidence: float) -> None:
    """Prompt and head learned the same and agree: their plain sum would be sure of everything."""
    pool, classes = images(400, 0)
    chosen = pseudolabels(torch.arange(400), classes, confidence)
    joint = joint_without_labels(pool, TEXT, ul(400, CLASSES), chosen, HeadSettings())
    sure = joined_probs(pool, *TEXT, joint).amax(1).mean()
    assert float(sure) == pytest.approx(confidence, abs=0.02)


@pytest.mark.parametrize("settings", [None, HeadSettings(alone=0.0)])
def test_a_method_without_a_head_joins_nothing(settings: HeadSettings | None) -> None:
    pool, classes = images(40, 0)
    chosen = pseudolabels(torch.arange(40), classes)
    assert joint_without_labels(pool, TEXT, ul(40, CLASSES), chosen, settings) is None


def test_one_class_teaches_no_head() -> None:
    pool, _ = images(40, 0)
    chosen = pseudolabels(torch.arange(40), torch.zeros(40, dtype=torch.long))
    assert joint_without_labels(pool, TEXT, ul(40, CLASSES), chosen, HeadSettings()) is None


def test_runs_from_before_are_opened_without_it() -> None:
    before = HeadSettings.from_facts({"untuned": 0.5})
    assert (before.alone, before.half_worth) == (0.0, 0.0)
    assert HeadSettings.from_facts({"alone": 0.3}).alone == 0.3
