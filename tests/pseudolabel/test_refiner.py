"""Rounds refine alike whether or not the run was stopped between them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from clipgrip.pseudolabel.refine import refiner
from clipgrip.pseudolabel.refine.answers import Refined
from clipgrip.pseudolabel.refine.reasons import (
    NONE_LOSES,
    PER_CLASS,
    WOULD_DIVIDE,
    Reason,
)
from clipgrip.pseudolabel.refine.refiner import PoolRefiner, as_they_are
from clipgrip.task import ssl, ul
from clipgrip.types import Probs


class Asked:
    """Stands for the refinement; notes whether zero-shot's answers came beside others, and whether none are sought."""

    def __init__(self, why: str) -> None:
        self.why, self.calls = why, list[tuple[bool, bool]]()

    def __call__(self, _: Any, probs: Probs, *rest: Any, **known: Any) -> Refined:
        beside = known.get("zero_shot") is not None
        self.calls.append((beside, known.get("undivided", False)))
        return Refined(probs, "clusters", (Reason(self.why), Reason(PER_CLASS, n=3)))


def test_no_refinement_leaves_answers_as_they_are() -> None:
    probs = torch.rand(8, 3)
    refine = PoolRefiner.of("zero-shot", torch.randn(8, 5), probs)
    assert refine(probs, ul(8, 3)).probs is probs
    assert as_they_are(probs, ul(8, 3)).probs is probs


@pytest.mark.parametrize("why", [WOULD_DIVIDE, NONE_LOSES])
def test_a_run_that_goes_on_seeks_clusters_only_if_one_that_never_stopped_does(
    why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refiner, "refined_task", asked := Asked(why))
    images, task = torch.randn(8, 5), ul(8, 3)
    zero_shot, tuned = torch.rand(2, 8, 3).softmax(2)
    whole = PoolRefiner.of("auto", images, zero_shot)
    assert whole(zero_shot, task).probs is zero_shot
    whole(tuned, task)
    never_stopped, asked.calls[:] = asked.calls[-1], []
    PoolRefiner.of("auto", images, zero_shot)(tuned, task)
    assert asked.calls[-1] == never_stopped == (True, why != NONE_LOSES)


def test_zero_shot_is_refined_once_for_the_estimate_and_round_1(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(refiner, "refined_task", asked := Asked(NONE_LOSES))
    zero_shot, tuned = torch.rand(2, 8, 3).softmax(2)
    refine, task = PoolRefiner.of("auto", torch.randn(8, 5), zero_shot), ul(8, 3)
    ahead = refine.look_ahead(task)
    assert refine(zero_shot.clone(), task) is ahead  # known by its values, not by where it lies
    refine(tuned, task)
    assert asked.calls == [(False, False), (True, False)]


@pytest.mark.parametrize("labeled", [0, 3])
def test_no_round_is_surer_than_the_first_refinement_was(
    labeled: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers that learned from refined ones agree with them; that is no evidence that they are right."""
    monkeypatch.setattr(refiner, "refined_task", Asked(NONE_LOSES))
    zero_shot, sharp = torch.rand(200, 3).softmax(1), (9 * torch.rand(200, 3)).softmax(1)
    labels = torch.full((200,), -1)
    labels[:labeled] = torch.arange(labeled)
    task = ssl(labels, 3)
    rows = task.unlabeled
    refine = PoolRefiner.of("auto", torch.randn(200, 5), zero_shot)
    first, later = refine(zero_shot, task).probs, refine(sharp, task).probs
    assert later[rows].amax(1).mean() <= first[rows].amax(1).mean() + 1e-4
    assert torch.equal(later.argmax(1), sharp.argmax(1))
    assert torch.equal(later[: len(labels) - len(rows)], sharp[: len(labels) - len(rows)])
    assert refine(zero_shot * 0.5 + 1 / 6, task).probs.amax(1).mean() < first.amax(1).mean()
