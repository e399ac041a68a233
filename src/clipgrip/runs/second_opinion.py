"""A second opinion on a run's answers, which tells which of them may be wrong."""

from __future__ import annotations

import torch

from clipgrip.mapped import picked
from clipgrip.pseudolabel.refine import refined_task
from clipgrip.pseudolabel.refine.space import PoolImages
from clipgrip.runs.outcome import Outcome
from clipgrip.trust.scope import Numbers, Whole
from clipgrip.types import Probs


def second_opinion(outcome: Outcome, labels: Whole) -> Numbers:
    """(n,) the probability that other answers give to the run's ``labels`` (n,) of its unlabeled images.

    The other answers are zero-shot's if the run has learned, else refined ones. In a pool too large for an exact
    refinement they are the run's own, which adds nothing.
    """
    given = picked(_other_answers(outcome), outcome.task.unlabeled)
    found = given.gather(1, torch.from_numpy(labels)[:, None])[:, 0]
    values: Numbers = found.double().numpy()
    return values


def _other_answers(outcome: Outcome) -> Probs:
    if outcome.learned or outcome.joint:
        return outcome.zero_shot.pool
    ready, answers = outcome.ready, outcome.answers.pool
    settings = ready.method.refinement
    if len(answers) > settings.numerics.exact_rows:
        return answers
    images = PoolImages.of(ready.embeds.pool_joined, settings, eye_columns=ready.eye_columns)
    return refined_task(images, answers, outcome.task, "auto").probs
