"""What a run can say of its own accuracy: measured where there are labels, else estimated and called so."""

from __future__ import annotations

from typing import Any

from clipgrip.data.task import Task
from clipgrip.pseudolabel.refine import refined_task
from clipgrip.pseudolabel.refine.refiner import PoolRefiner
from clipgrip.pseudolabel.select import narrowed
from clipgrip.runs.embedding import Embeds
from clipgrip.runs.rounds import Answers
from clipgrip.trust.estimate import by_refinement
from clipgrip.trust.honesty import honesty


def calibration_facts(
    answers: Answers, zero_shot: Answers, embeds: Embeds
) -> dict[str, Any] | None:
    """Calibration of the final answers by the test; without one, of zero-shot's by the labels people gave.

    A tuned prompt has learned those, so they would flatter it. None where labels are few.
    """
    if tested := honesty(answers.test, embeds.test_labels):
        return {"answers": "final", "judged_by": "test", **tested.to_dict()}
    if given := honesty(zero_shot.pool, embeds.pool_labels):
        return {"answers": "zero-shot", "judged_by": "labels", **given.to_dict()}
    return None


def estimate_facts(refiner: PoolRefiner, embeds: Embeds, task: Task) -> dict[str, Any] | None:
    """The accuracy of zero-shot's answers on the unlabeled images, estimated without labels: no measurement.

    ``refiner`` is the run's, and keeps what it finds for round 1.
    None where a test measures it, and where the images leave the answers alone and so say nothing of them.
    """
    rows, classes = task.unlabeled, task.candidate_classes
    if (embeds.test_labels >= 0).any() or not len(rows):
        return None
    zero_shot = refiner.zero_shot
    if refiner.method == "auto":
        found = refiner.look_ahead(task)
    else:
        found = refined_task(refiner.images, zero_shot, task, "auto")
    if found.method in ("zero-shot", "half-balance"):  # too little is changed to tell
        return None
    guess = by_refinement(*(narrowed(probs, rows, classes) for probs in (zero_shot, found.probs)))
    return {
        "answers": "zero-shot",
        "accuracy": guess.accuracy,
        "interval": [guess.low, guess.high],
        "signal": guess.signal,
        "warning": guess.advice,
    }
