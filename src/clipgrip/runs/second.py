"""What somebody else, who saw the same images, thinks of a run's answers: it tells which of them may be wrong."""

from __future__ import annotations

import torch

from clipgrip.mapped import picked
from clipgrip.pseudolabel.refine import refined_task
from clipgrip.pseudolabel.refine.space import PoolImages
from clipgrip.runs.outcome import Outcome
from clipgrip.trust.scope import Numbers, Whole
from clipgrip.types import Probs


def second_opinion(outcome: Outcome, labels: Whole) -> Numbers:
    """(n,) probability of the answers ``labels`` (n,) to the unlabeled images: zero-shot's, where the run learned.

    Where the run's answers are zero-shot's, that of the refined ones; in a pool too large to compare each image with
    each, their own, which says nothing more.
    """
    given = picked(_others(outcome), outcome.task.unlabeled)
    found = given.gather(1, torch.from_numpy(labels)[:, None])[:, 0]
    values: Numbers = found.double().numpy()
    return values


def _others(outcome: Outcome) -> Probs:
    if outcome.learned or outcome.joint:
        return outcome.zero_shot.pool
    ready, answers = outcome.ready, outcome.answers.pool
    settings = ready.method.refinement
    if len(answers) > settings.numerics.exact_rows:
        return answers
    images = PoolImages.of(ready.embeds.pool_joined, settings, eye_columns=ready.eye_columns)
    return refined_task(images, answers, outcome.task, "auto").probs
