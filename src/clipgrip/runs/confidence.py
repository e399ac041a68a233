"""A run's statements about its own accuracy and calibration: measured on labels, or an estimate that says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clipgrip.pseudolabel.refine import refined_task
from clipgrip.pseudolabel.refine.refiner import PoolRefiner
from clipgrip.pseudolabel.select.chosen import narrowed
from clipgrip.runs.embedding import Embeds
from clipgrip.runs.untuned_model import Answers
from clipgrip.task import Task
from clipgrip.trust.estimate import ENOUGH_LABELS, Estimate, by_labels, by_refinement
from clipgrip.trust.honesty import honesty
from clipgrip.trust.knowledge import FEW_IMAGES, Finding, knows_nothing
from clipgrip.types import Probs

GIVEN_UP = "agreement with refined answers"
"""The signal of runs before 0029: near 100% wherever refining left the answers alone."""


def calibration_facts(
    answers: Answers, zero_shot: Answers | None, embeds: Embeds
) -> dict[str, Any] | None:
    """Calibration of the final answers by the test; without one, of zero-shot's by the labels people gave.

    A tuned prompt has learned those, so they would flatter it. None where labels are few.
    """
    if tested := honesty(answers.test, embeds.test_labels):
        return {"answers": "final", "judged_by": "test", **tested.to_dict()}
    if zero_shot and (given := honesty(zero_shot.pool, embeds.pool_labels)):
        return {"answers": "zero-shot", "judged_by": "labels", **given.to_dict()}
    return None


def estimate_of(metrics: Mapping[str, Any]) -> dict[str, Any] | None:
    """The estimate in a run's facts; None for one by `GIVEN_UP`, whose interval proved too short."""
    guess: dict[str, Any] | None = metrics.get("estimate")
    return None if guess is None or guess.get("signal") == GIVEN_UP else guess


def estimate_facts(
    zero_shot: Probs,
    refiner: PoolRefiner | None,
    embeds: Embeds,
    task: Task,
    findings: Sequence[Finding] = (),
) -> dict[str, Any] | None:
    """An estimate of the accuracy of zero-shot's answers (N, C) on the unlabeled images, by labels or refinement.

    ``refiner`` is the run's own, so that its work is kept for round 1; None where the rounds begin with other answers.
    The result is None where a test set measures the accuracy, where ``findings`` says that the model knows nothing, and
    where refinement hardly changes the answers, which then tells nothing about them.
    """
    if (embeds.test_labels >= 0).any():
        return None
    known = task.labels >= 0
    total = int(known.sum())
    if task.shares_classes and total >= ENOUGH_LABELS:
        right = int((zero_shot.argmax(1) == task.labels)[known].sum())
        return {**_facts(by_labels(right, total)), "right": right, "labels": total}
    if refiner is None or not len(task.unlabeled) or knows_nothing(tuple(findings)):
        return None
    return _without_labels(zero_shot, refiner, task)


def _without_labels(zero_shot: Probs, refiner: PoolRefiner, task: Task) -> dict[str, Any] | None:
    rows, classes = task.unlabeled, task.candidate_classes
    if refiner.method == "auto":
        refined = refiner.look_ahead(task)
    else:
        refined = refined_task(refiner.images, zero_shot, task, "auto")
    if len(rows) < FEW_IMAGES or refined.method in ("zero-shot", "half-balance"):
        return None  # too little is changed to tell
    return _facts(
        by_refinement(*(narrowed(probs, rows, classes) for probs in (zero_shot, refined.probs)))
    )


def _facts(guess: Estimate) -> dict[str, Any]:
    return {
        "answers": "zero-shot",
        "accuracy": guess.accuracy,
        "interval": [guess.low, guess.high],
        "signal": guess.signal,
        "warning": guess.advice,
    }
