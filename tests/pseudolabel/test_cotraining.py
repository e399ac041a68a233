"""What eyes learn from a text, and teach it: each bank answers images that it did not learn from."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from clipgrip.prompts.classifier import predict_proba
from clipgrip.pseudolabel import refined
from clipgrip.pseudolabel.refine import cotraining
from clipgrip.pseudolabel.refine.answers import RefineInput
from clipgrip.pseudolabel.refine.balance import uniform
from clipgrip.pseudolabel.refine.cotraining import (
    Student,
    cotrained,
    cross_fitted,
    fitting_shares,
    mutual_information,
)
from clipgrip.pseudolabel.refine.settings import DEFAULT
from clipgrip.pseudolabel.refine.space import PoolImages

CLASSES, EACH, SCALE = 10, 60, 40.0


class Pool(NamedTuple):
    clip: Tensor
    eye: Tensor
    texts: Tensor
    truth: Tensor


def confusing(seed: int) -> Pool:
    """Classes 0 and 1 look the same to the text's model but for a trace; the eye sees them apart, beside much else."""
    draw = torch.Generator().manual_seed(seed)
    truth = torch.arange(CLASSES).repeat_interleave(EACH)
    alike = 0.15 * F.one_hot(truth, CLASSES) + 0.85 * F.one_hot(truth.clamp_min(1), CLASSES)
    clip = torch.cat([alike, torch.ones(len(truth), 1)], 1)
    clip = F.normalize(clip + 0.25 * torch.randn(clip.shape, generator=draw), dim=1)
    texts = torch.eye(CLASSES, CLASSES + 1)
    texts[0, 1] = 1.0
    texts = F.normalize(texts, dim=1)
    patterns = 3 * F.one_hot(torch.randint(4, (len(truth),), generator=draw), 4)
    eye = torch.cat([F.one_hot(truth, CLASSES).float(), patterns.float()], 1)
    eye = eye + 0.25 * torch.randn(eye.shape, generator=draw)
    return Pool(clip, eye, texts, truth)


def uneven(seed: int) -> Pool:
    """Class 0 has four times as many images, half of which look like any other class to the text's model: its answers
    hardly resist equal shares; the eye sees all classes apart, beside much else."""
    draw = torch.Generator().manual_seed(seed)
    truth = torch.arange(CLASSES).repeat_interleave(torch.tensor([4 * EACH] + [EACH] * 9))
    seen = F.one_hot(truth, CLASSES).float()
    other = F.one_hot(torch.randint(1, CLASSES, truth.shape, generator=draw), CLASSES).float()
    mistaken = (truth == 0) & (torch.rand(len(truth), generator=draw) < 0.5)
    clip = torch.where(mistaken[:, None], 0.45 * seen + 0.55 * other, seen)
    clip = torch.cat([clip, torch.ones(len(truth), 1)], 1)
    clip = F.normalize(clip + 0.25 * torch.randn(clip.shape, generator=draw), dim=1)
    patterns = 3 * F.one_hot(torch.randint(4, truth.shape, generator=draw), 4)
    eye = torch.cat([seen, patterns.float()], 1)
    eye = eye + 0.25 * torch.randn(eye.shape, generator=draw)
    return Pool(clip, eye, F.normalize(torch.eye(CLASSES, CLASSES + 1), dim=1), truth)


def accuracy(probs: Tensor, truth: Tensor) -> float:
    return float((probs.argmax(1) == truth).double().mean())


def by(one: Pool, method: str) -> Tensor:
    return refined([one.clip, one.eye], one.texts, logit_scale=SCALE, method=method).probs


def co_trained(one: Pool) -> Tensor:
    """As is found without being asked for."""
    found = refined([one.clip, one.eye], one.texts, logit_scale=SCALE)
    assert found.method == "co-training"
    return found.probs


def joined_rows(one: Pool, eye: Tensor) -> RefineInput:
    rows = torch.cat([one.clip, F.normalize(eye - eye.mean(0), dim=1)], dim=1)
    probs = predict_proba(one.clip, one.texts, SCALE)
    nobody, every = torch.zeros(len(rows), dtype=torch.bool), torch.ones(CLASSES, dtype=torch.bool)
    return RefineInput(PoolImages.of(rows, eye_columns=eye.shape[1]), probs, nobody, every)


@pytest.mark.parametrize("seed", range(3))
def test_an_eye_tells_apart_what_the_text_confuses(seed: int) -> None:
    one = confusing(seed)
    assert accuracy(co_trained(one), one.truth) > accuracy(by(one, "joined"), one.truth) + 0.03


@pytest.mark.parametrize("seed", range(3))
def test_a_class_that_has_more_images_keeps_them_though_the_text_hardly_resists(seed: int) -> None:
    one = uneven(seed)
    found = co_trained(one)  # equal shares alone were worse than zero-shot
    assert accuracy(found, one.truth) > accuracy(by(one, "zero-shot"), one.truth) + 0.05
    share = float((found.argmax(1) == 0).double().mean())
    assert share == pytest.approx(4 / 13, abs=0.03)


def test_what_is_foretold_is_all_that_is_said_or_nothing() -> None:
    teacher = F.one_hot(torch.arange(100) % 4, 4).float()
    itself, flat = 50 * teacher, torch.zeros(100, 4)
    assert mutual_information(itself, teacher, DEFAULT) == pytest.approx(math.log(4), abs=1e-4)
    assert mutual_information(flat, teacher, DEFAULT) == pytest.approx(0.0, abs=1e-6)


def test_an_eye_that_sees_nothing_says_nothing() -> None:
    one = confusing(0)
    noise = torch.randn(len(one.truth), 64, generator=torch.Generator().manual_seed(1))
    given = joined_rows(one, noise)
    start = refined(one.clip, one.texts, logit_scale=SCALE, method="balance").probs
    # the text's own bank still learns: of flat answers nothing, so that these are the text's
    same = cotrained(given).probs.argmax(1) == start.argmax(1)
    assert float(same.double().mean()) > 0.99


def test_an_image_is_answered_by_what_others_taught() -> None:
    one = confusing(0)
    given = joined_rows(one, one.eye)
    wrong = given.probs.clone()
    wrong[0] = F.one_hot(torch.tensor(5), CLASSES)
    told = replace(given, probs=wrong)
    seen = given.images.seen_by_eyes
    before, after = (cross_fitted(one_of.images, seen, one_of.probs)[0] for one_of in (given, told))
    assert torch.allclose(before.log_softmax(0), after.log_softmax(0), atol=0.05)


def test_where_people_labeled_the_head_has_learned_from_the_eye_already() -> None:
    one = confusing(0)
    labels = torch.full_like(one.truth, -1)
    labels[::EACH] = torch.arange(CLASSES)
    found = refined([one.clip, one.eye], one.texts, logit_scale=SCALE, labeled=labels)
    assert found.method == "joined"
    assert found.probs[::EACH].argmax(1).tolist() == list(range(CLASSES))


def test_copies_count_once() -> None:
    one = confusing(0)
    rows = torch.cat([torch.arange(len(one.truth)), torch.arange(40)])
    banks = [one.clip, one.eye]
    once = refined(banks, one.texts, logit_scale=SCALE)
    twice = refined([bank[rows] for bank in banks], one.texts, logit_scale=SCALE)
    assert twice.method == "co-training"
    assert torch.equal(twice.probs[: len(one.truth)][:40], twice.probs[len(one.truth) :])
    assert accuracy(twice.probs[: len(one.truth)], once.probs.argmax(1)) > 0.97


@pytest.mark.parametrize(
    ("nats", "part", "unequal"),
    [(1.0, 0.9, True), (1.0, 0.4, False), (0.4, 0.9, False), (1.0, 0.5, False), (0.5, 0.9, False)],
)
def test_shares_stay_equal_unless_eyes_predict_more_nats_and_a_larger_part(
    monkeypatch: pytest.MonkeyPatch, nats: float, part: float, unequal: bool
) -> None:
    """Either half alone is not enough: what is said of the text at equal shares is 0.5 nats, a part of 0.5."""
    one = uneven(0)
    given = joined_rows(one, one.eye)
    nothing = torch.zeros(len(one.truth), CLASSES)
    said = iter(
        [Student(nothing, 0.5, 0.5), Student(nothing, nats, part), Student(nothing, 0.9, 0.9)]
    )
    at_last = Student(nothing, 0.0, 0.0)
    monkeypatch.setattr(cotraining, "_eyes_taught_by", lambda *_: next(said, at_last))
    shares = fitting_shares(given.images, given.unlabeled_probs.clone())
    assert torch.equal(shares, uniform(CLASSES)) is not unequal
