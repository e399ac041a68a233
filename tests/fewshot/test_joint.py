"""Text and labels joined: what the labels show of the text decides how much it counts."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from clipgrip.fewshot.head import HeadSettings, fit_head
from clipgrip.fewshot.joint import Joint
from clipgrip.fewshot.teacher import Teacher, teaches, validate
from clipgrip.fewshot.validate import HeldOut, Refine, cross_validated, fit_labels
from clipgrip.pseudolabel.pseudolabels import PseudoLabels
from clipgrip.pseudolabel.refine.settings import Refinement
from clipgrip.task import Task, ssl, trzsl, ul

SETTINGS = HeadSettings()
WIDTH, CLASSES = 24, 4


def pool(n: int = 160, spread: float = 0.6, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Images, their classes, and logits of texts that fit."""
    draw = torch.Generator().manual_seed(seed)
    centres = torch.randn(CLASSES, WIDTH, generator=draw)
    truth = torch.arange(n) % CLASSES
    raw = centres[truth] + spread * torch.randn(n, WIDTH, generator=draw) + 2
    texts = F.normalize(centres + 2, dim=1)
    images = F.normalize(raw, dim=1)
    return images, truth, 40 * images @ texts.T


def some(truth: Tensor, each: int) -> Tensor:
    given = torch.full_like(truth, -1)
    for c in range(CLASSES):
        given[(truth == c).nonzero().squeeze(1)[:each]] = c
    return given


def joint_of(images: Tensor, labels: Tensor, text: Tensor | None) -> Joint:
    given = None if text is None else text[labels >= 0]
    return fit_labels(images, labels, given, CLASSES, SETTINGS, None).joint


def right(probs: Tensor, truth: Tensor) -> float:
    return float((probs.argmax(1) == truth).float().mean())


def test_a_text_that_says_nothing_gets_no_weight_however_sure_it_is() -> None:
    images, truth, text = pool()
    useless = text[:, [1, 2, 3, 0]]  # each name points at another class
    joint = joint_of(images, some(truth, 5), useless)
    assert joint.text_weight <= 0.06
    assert right(joint.probs(images, useless), truth) > 0.9


def test_a_text_that_fits_counts_and_one_label_a_class_does_it_no_harm() -> None:
    images, truth, text = pool(spread=1.6)
    joint = joint_of(images, some(truth, 1), text)
    assert joint.text_weight >= 0.5
    assert right(joint.probs(images, text), truth) >= right(text, truth) - 0.02


def test_without_a_text_the_labels_decide() -> None:
    images, truth, _ = pool()
    joint = joint_of(images, some(truth, 3), None)
    assert right(joint.probs(images, None), truth) > 0.9


def test_a_class_without_a_label_is_answered_by_a_text_that_fits_and_never_where_words_fail() -> (
    None
):
    images, truth, text = pool()
    labels = some(truth, 5)
    labels[labels == 2] = -1
    fits = joint_of(images, labels, text).probs(images, text)
    assert right(fits[truth == 2], truth[truth == 2]) > 0.8
    useless = text[:, [1, 2, 3, 0]]
    fails = joint_of(images, labels, useless)
    assert fails.text_weight == 0
    assert (fails.probs(images, useless)[:, 2] == 0).all()


def test_labels_of_unequal_classes_teach_their_shares() -> None:
    images, truth, _ = pool(400, spread=3.5)
    kept = (truth == 0) | (torch.arange(400) % 20 == truth)
    images, truth = images[kept], truth[kept]
    joint = joint_of(images, truth, None)
    counts = torch.bincount(joint.probs(images, None).argmax(1), minlength=CLASSES)
    assert counts[0] > counts[1:].sum()


def test_a_joint_is_written_and_read_whole_and_for_other_classes() -> None:
    images, truth, text = pool()
    joint = joint_of(images, some(truth, 5), text)
    again = Joint.from_tensors(joint.tensors())
    assert again.probs(images, text).equal(joint.probs(images, text))
    turned = joint.renumbered([3, None, 0], images[:3])
    probs = turned.probs(images, text[:, [3, 1, 0]])
    assert probs.shape == (len(images), 3)
    assert right(probs[truth == 3], torch.zeros(int((truth == 3).sum()))) > 0.9


def teacher_of(task: Task, images: Tensor, text: Tensor) -> Teacher:
    return Teacher.of(images, text.softmax(1), task, SETTINGS)


def test_unlabeled_images_help_where_they_form_groups_and_the_held_out_labels_say_so() -> None:
    images, truth, text = pool(240, spread=1.0)
    task = ssl(some(truth, 3), CLASSES)
    teacher = teacher_of(task, images, text)
    checked = validate(
        teacher,
        images,
        text.softmax(1),
        method="auto",
        refinement=Refinement(),
        generator=torch.Generator().manual_seed(0),
    )
    assert checked is not None
    assert len(checked.rows) == 12
    assert checked.truth.equal(task.labels[checked.rows])
    told = teacher.validated(checked)
    facts = told.facts()
    assert facts["held_out"]["n"] == 12
    assert facts["held_out"]["right"] >= facts["held_out"]["labels_only"] - 1
    assert len(told.contradicted()) == 12 - facts["held_out"]["right"]


def test_where_unlabeled_images_harm_they_are_left_out() -> None:
    images, truth, text = pool()
    teacher = teacher_of(ssl(some(truth, 6), CLASSES), images, text)
    checked = validate(
        teacher,
        images,
        text.softmax(1),
        method="zero-shot",
        refinement=Refinement(),
        generator=torch.Generator().manual_seed(0),
    )
    assert checked is not None
    assert not checked.unlabeled_harm
    lower = torch.linspace(-2, -1, len(checked.rows))
    wrong = replace(checked, with_unlabeled=(checked.truth + 1) % CLASSES, gains=lower)
    told = teacher.validated(wrong)
    assert not told.uses_unlabeled
    assert told.worthwhile([1, 2, 3]) == [0]
    pseudolabels = PseudoLabels.hard(
        torch.arange(20), torch.zeros(20, dtype=torch.long), torch.ones(20), CLASSES
    )
    assert len(told.joint(images, pseudolabels).heads) == 1
    assert len(teacher.joint(images, pseudolabels).heads) == 2


def test_one_label_a_class_cannot_be_held_out() -> None:
    images, truth, text = pool()
    teacher = teacher_of(ssl(some(truth, 1), CLASSES), images, text)
    checked = validate(
        teacher,
        images,
        None,
        method="auto",
        refinement=Refinement(),
        generator=torch.Generator().manual_seed(0),
    )
    assert checked is None
    told = teacher.validated(None)
    assert told.uses_unlabeled
    assert told.worthwhile([1, 2, 3]) == [3]


@pytest.mark.parametrize(
    ("gains", "right", "ks"),
    [
        ([1.0, 1.2, 0.8, 1.1], 4, [1, 2, 3]),
        ([1.0, -1.2, 0.8, -0.5], 4, [3]),
        ([-1.0, -1.2, -0.8, -1.1], 4, [3]),
        ([-1.0, -1.2, -0.8, -1.1], 3, [0]),
        ([1.0, -1.2, 0.8, -0.5], 3, [3]),
        ([0.0, 0.0, 0.0, 0.0], 4, [3]),
        ([1.0], 1, [3]),
    ],
)
def test_further_rounds_want_likelier_labels_and_unlabeled_images_no_clear_harm(
    gains: list[float], right: int, ks: list[int]
) -> None:
    images, truth, text = pool()
    rows = torch.arange(len(gains))
    answers = torch.where(rows < right, truth[rows], (truth[rows] + 1) % CLASSES)
    checked = HeldOut(
        rows, truth[rows], answers, truth[rows], answers, torch.tensor(gains), SETTINGS.errors
    )
    teacher = teacher_of(ssl(some(truth, 3), CLASSES), images, text)
    assert teacher.validated(checked).worthwhile([1, 2, 3]) == ks


def test_a_label_that_the_unlabeled_images_make_likelier_gains_by_as_much() -> None:
    images, truth, text = pool(spread=1.6)

    def surer(_: Tensor) -> Refine:
        return lambda probs, known: (2 * probs.log()).softmax(1)

    checked = cross_validated(
        images,
        some(truth, 5),
        text,
        CLASSES,
        settings=SETTINGS,
        refiner=surer,
        generator=torch.Generator().manual_seed(0),
    )
    assert checked is not None
    assert checked.with_unlabeled.equal(checked.labels_only)
    rightly = checked.labels_only == checked.truth
    assert (checked.gains[rightly] > -1e-6).all()
    assert (checked.gains[~rightly] < 0).any()


@pytest.mark.parametrize(
    ("settings", "labels", "asked"),
    [
        (SETTINGS, "some", True),
        (None, "some", False),
        (SETTINGS, "none", False),
        (SETTINGS, "seen", False),
    ],
)
def test_labels_teach_where_there_are_some_and_unlabeled_images_may_be_of_their_classes(
    settings: HeadSettings | None, labels: str, asked: bool
) -> None:
    _, truth, _ = pool()
    task = {
        "some": ssl(some(truth, 2), CLASSES),
        "none": ul(len(truth), CLASSES),
        "seen": trzsl(torch.where(truth < 2, truth, -1), CLASSES, [0, 1]),
    }[labels]
    assert teaches(settings, task) == asked


@pytest.mark.parametrize("seed", range(3))
def test_one_label_for_most_classes_and_two_for_a_few_do_a_good_text_no_harm(seed: int) -> None:
    """Few labels can be held out then, and images of classes without a label know the text alone."""
    draw = torch.Generator().manual_seed(seed)
    centres = torch.randn(30, WIDTH, generator=draw)
    truth = torch.arange(600) % 30
    noise = torch.randn(600, WIDTH, generator=draw)
    images = F.normalize(centres[truth] + 1.2 * noise + 2, dim=1)
    text = 40 * images @ F.normalize(centres + 2, dim=1).T
    labels = torch.full_like(truth, -1)
    labels[:24], labels[30:32] = truth[:24], truth[30:32]  # 24 classes of 30, two of them twice
    found = fit_labels(images, labels, text[labels >= 0], 30, SETTINGS, WIDTH)
    assert right(found.probs(images, text), truth) >= right(text, truth) - 0.02


def test_two_labels_answered_rightly_do_not_make_a_head_sure() -> None:
    images, truth, _ = pool()
    labels = some(truth, 1)
    labels[(truth == 0).nonzero()[1]] = 0
    rows = (labels >= 0).nonzero().squeeze(1)
    fitted = fit_head(images[rows], labels[rows], CLASSES, settings=SETTINGS)
    assert len(fitted.rows) == 2
    assert float(fitted.held_out.softmax(1).amax(1).mean()) < 0.9
