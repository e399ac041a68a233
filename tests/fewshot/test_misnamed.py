"""Names that do not fit: the labels say which, and their images foretell a text in their place."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from clipgrip.data.rows import Rows
from clipgrip.fewshot.head import HeadSettings, fit_head
from clipgrip.fewshot.joint import Joint
from clipgrip.fewshot.misnamed import Misnamed
from clipgrip.fewshot.teacher import Teacher
from clipgrip.fewshot.validate import fit_labels, weigh
from clipgrip.runs.embedding import Embeds
from clipgrip.runs.labels import label_facts
from clipgrip.task import ssl

SETTINGS = HeadSettings()
WIDTH, CLASSES, SCALE = 32, 12, 40.0


def pool(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Images, their classes, and texts that fit."""
    draw = torch.Generator().manual_seed(seed)
    centres = torch.randn(CLASSES, WIDTH, generator=draw)
    truth = torch.arange(240) % CLASSES
    raw = centres[truth] + 0.9 * torch.randn(240, WIDTH, generator=draw) + 2
    return F.normalize(raw, dim=1), truth, F.normalize(centres + 2, dim=1)


def labels_of(truth: Tensor, each: int) -> Tensor:
    return torch.where(torch.arange(len(truth)) < each * CLASSES, truth, -1)


def exchanged(texts: Tensor) -> Tensor:
    """Three names are each other's."""
    found = texts.clone()
    found[[1, 4, 7]] = texts[[4, 7, 1]]
    return found


def misnamed(images: Tensor, labels: Tensor, texts: Tensor, settings: HeadSettings) -> Misnamed:
    given = labels >= 0
    text = SCALE * images[given] @ texts.T
    return Misnamed.of(images[given], text, labels[given], settings)


def right(images: Tensor, truth: Tensor, labels: Tensor, texts: Tensor, width: int | None) -> float:
    text = SCALE * images @ texts.T
    found = fit_labels(images, labels, text[labels >= 0], CLASSES, SETTINGS, width)
    answers = found.probs(images, text).argmax(1)
    return float((answers == truth)[labels < 0].float().mean())


@pytest.mark.parametrize("each", [1, 2, 5])
@pytest.mark.parametrize("seed", range(3))
def test_names_of_other_classes_are_found_and_right_ones_are_not_doubted(
    each: int, seed: int
) -> None:
    images, truth, texts = pool(seed)
    labels = labels_of(truth, each)
    assert misnamed(images, labels, texts, SETTINGS).classes == ()
    assert misnamed(images, labels, exchanged(texts), SETTINGS).classes == (1, 4, 7)


@pytest.mark.parametrize("seed", range(3))
def test_one_label_a_class_mends_names_of_other_classes(seed: int) -> None:
    images, truth, texts = pool(seed)
    labels = labels_of(truth, 1)
    as_named = right(images, truth, labels, texts, WIDTH)
    wrong = exchanged(texts)
    believed = right(images, truth, labels, wrong, None)
    mended = right(images, truth, labels, wrong, WIDTH)
    assert as_named == right(images, truth, labels, texts, None)
    assert mended >= believed + 0.1
    assert mended >= as_named - 0.1


def test_where_no_name_fits_none_is_doubted() -> None:
    images, truth, texts = pool()
    assert misnamed(images, labels_of(truth, 1), texts.roll(1, 0), SETTINGS).classes == ()


def test_a_class_without_a_label_and_two_labeled_classes_say_nothing_of_a_name() -> None:
    images, truth, texts = pool()
    labels = labels_of(truth, 2)
    labels[truth == 4] = -1
    assert misnamed(images, labels, exchanged(texts), SETTINGS).classes == (1, 7)
    labels[truth > 1] = -1
    assert misnamed(images, labels, exchanged(texts), SETTINGS).classes == ()


def test_labels_that_foretold_their_text_do_not_judge_it() -> None:
    images, truth, _ = pool()
    given = labels_of(truth, 2) >= 0
    own, classes = truth[given], torch.arange(CLASSES)
    fitted = fit_head(images[given], own, CLASSES, settings=SETTINGS)
    doubted = classes >= 3
    right_of_doubted = SCALE * F.one_hot(torch.where(doubted[own], own, 0), CLASSES).float()
    weights = [
        weigh(fitted, right_of_doubted, own, CLASSES, SETTINGS, doubts).text
        for doubts in (None, doubted)
    ]
    assert weights[0] > weights[1] == 0


def test_of_very_many_classes_every_name_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    images, truth, texts = pool()
    labels, wrong = labels_of(truth, 1), exchanged(texts)
    monkeypatch.setattr("clipgrip.fewshot.misnamed.MOST_CLASSES", CLASSES - 1)
    assert misnamed(images, labels, wrong, SETTINGS).classes == ()
    assert right(images, truth, labels, wrong, WIDTH) == right(images, truth, labels, wrong, None)


def test_texts_say_in_products_what_logits_say_of_any_model_s_unit() -> None:
    images, truth, texts = pool()
    wrong = exchanged(texts)
    found = misnamed(images, labels_of(truth, 1), wrong, SETTINGS)
    mended = SCALE * images @ found.texts(wrong).T
    expected = found.logits(images, (SCALE * images @ wrong.T).log_softmax(1))
    torch.testing.assert_close(mended.log_softmax(1), expected.log_softmax(1), rtol=0, atol=1e-3)


def test_a_run_of_before_doubts_no_name() -> None:
    images, truth, texts = pool()
    facts = {"untuned": 0.5}
    before = HeadSettings.from_facts(facts)
    assert misnamed(images, labels_of(truth, 1), exchanged(texts), before).classes == ()
    assert HeadSettings.from_facts({"misnamed": [2.0, 8.0]}).misnamed == (2.0, 8.0)


def test_a_run_stores_the_names_that_are_doubted() -> None:
    images, truth, texts = pool()
    task, names = ssl(labels_of(truth, 1), CLASSES), [f"part {c}" for c in range(CLASSES)]
    embeds = Embeds(images, images[:0], Rows.of([]), Rows.of([]))
    for given, stored in ((texts, None), (exchanged(texts), ["part 1", "part 4", "part 7"])):
        zero_shot = (SCALE * images @ given.T).softmax(1)
        teacher = Teacher.of(images, zero_shot, task, SETTINGS, given)
        facts = label_facts(teacher, embeds, (1,), names)
        assert facts is not None
        assert facts.get("misnamed") == stored


def joint_of_wrong_names() -> tuple[Joint, Tensor]:
    images, truth, texts = pool()
    wrong = exchanged(texts)
    task = ssl(labels_of(truth, 1), CLASSES)
    zero_shot = (SCALE * images @ wrong.T).softmax(1)
    teacher = Teacher.of(images, zero_shot, task, SETTINGS, wrong)
    assert teacher.misnamed == (1, 4, 7)
    return teacher.joint(images), wrong


def test_new_images_meet_the_foretold_texts_and_no_prompt_tunes_them() -> None:
    joint, wrong = joint_of_wrong_names()
    tuned = F.normalize(wrong + 0.1, dim=1)
    texts = joint.class_embeds(tuned)
    assert texts[[1, 4, 7]].equal(joint.class_embeds(wrong)[[1, 4, 7]])
    assert not texts[0].equal(joint.class_embeds(wrong)[0])
    again = Joint.from_tensors(joint.tensors())
    assert again.class_embeds(tuned).equal(texts)
    assert replace(again, misnamed=()).tensors().keys() < joint.tensors().keys()


def test_a_foretold_text_goes_with_its_class_where_classes_change() -> None:
    joint, wrong = joint_of_wrong_names()
    turned = joint.renumbered([4, None, 0], wrong[[4, 2, 0]])
    assert turned.misnamed == (0,)
    assert turned.class_embeds(wrong[[4, 2, 0]])[0].equal(joint.class_embeds(wrong)[4])
