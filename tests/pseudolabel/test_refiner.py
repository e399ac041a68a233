"""Rounds refine alike whether or not the run was stopped between them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from clipgrip.data.task import ul
from clipgrip.pseudolabel.reasons import HELD_FIRMLY, NONE_LOSES, PER_CLASS, WOULD_DIVIDE, Reason
from clipgrip.pseudolabel.refiner import as_they_are, refiner
from clipgrip.pseudolabel.start import Refined
from clipgrip.types import Probs


def test_no_refinement_leaves_answers_as_they_are() -> None:
    probs = torch.rand(8, 3)
    assert refiner("zero-shot", torch.randn(8, 5), probs) is as_they_are
    assert as_they_are(probs, ul(8, 3)).probs is probs


@pytest.mark.parametrize("why", [HELD_FIRMLY, WOULD_DIVIDE, NONE_LOSES])
def test_a_run_that_goes_on_holds_the_texts_as_firmly_as_one_that_never_stopped(
    why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[bool, bool]] = []

    def refined(_: Any, probs: Probs, *rest: Any) -> Refined:
        first, firm = (*rest[2:], None, False)[:2]
        asked.append((first is not None, firm))
        return Refined(probs, "clusters", (Reason(why), Reason(PER_CLASS, n=3)))

    monkeypatch.setattr("clipgrip.pseudolabel.refiner.refined_task", refined)
    images, task = torch.randn(8, 5), ul(8, 3)
    zero_shot, tuned = torch.rand(2, 8, 3).softmax(2)
    whole = refiner("auto", images, zero_shot)
    assert whole(zero_shot, task).probs is zero_shot
    whole(tuned, task)
    never_stopped, asked[:] = asked[-1], []
    refiner("auto", images, zero_shot)(tuned, task)
    assert asked[-1] == never_stopped == (True, why != NONE_LOSES)
