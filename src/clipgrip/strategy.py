"""THE HEART: score the unlabeled images, select the trustworthy, tune a prompt on them, and again.

All nine combinations of paradigm and strategy run through ``rounds``: the paradigm is in the task, the strategy is
``ks``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from clipgrip.data.task import Task
from clipgrip.pseudolabel.pseudolabels import PseudoLabels
from clipgrip.pseudolabel.quality import changed_share
from clipgrip.pseudolabel.select import Selector, balanced
from clipgrip.seeds import generator
from clipgrip.training.learner import PromptLearner
from clipgrip.types import Probs

Refiner = Callable[[Probs, Task], Probs]
"""Better probabilities (N, C) of the pool from the pool itself."""


@dataclass(frozen=True)
class Round:
    """What one round chose and learned. ``probs`` (N, C) are the new learner's answers for the pool."""

    number: int
    k: int
    pseudolabels: PseudoLabels
    learner: PromptLearner
    probs: Probs
    changed: float
    """Share of the unlabeled images whose answer differs from that of the round before."""


def choose(probs: Probs, task: Task, k: int, select: Selector) -> PseudoLabels:
    """Pseudolabels for the unlabeled rows, over the candidate classes only, as rows of the pool."""
    among = probs[task.unlabeled][:, task.candidate_classes]
    chosen = select(among / among.sum(dim=1, keepdim=True).clamp_min(1e-30), k)
    return PseudoLabels.hard(
        task.unlabeled[chosen.rows],
        task.candidate_classes[chosen.labels],
        chosen.confidence,
        task.n_classes,
    )


def rounds(
    untuned: PromptLearner,
    task: Task,
    *,
    first: Probs,
    ks: Sequence[int],
    seed: int,
    select: Selector = balanced,
    refine: Refiner = lambda probs, _: probs,
    stop_below: float = 0.0,
    done: Sequence[Round] = (),
    on_step: Callable[[int, int, float], None] = lambda *_: None,
) -> Iterator[Round]:
    """Yield each round when it is finished; ``first`` (N, C) are the answers that label round 1.

    Every round tunes from the untuned prompt. ``done`` are stored rounds that are not run again. Once fewer than
    ``stop_below`` of the answers change, only the last k is left to run.
    """
    probs = refine(done[-1].probs if done else first, task)
    changed = done[-1].changed if done else 1.0
    reached = done[-1].number if done else 0
    while reached < len(ks):
        settled = changed < stop_below
        if settled and ks[-1] == ks[reached - 1]:
            return
        number = len(ks) if settled else reached + 1
        pseudolabels = choose(probs, task, ks[number - 1], select)
        learner = untuned.fit(
            task, pseudolabels, generator=generator(seed, "round", number), on_step=on_step
        )
        answers = learner.predict_proba()
        changed = changed_share(probs[task.unlabeled], answers[task.unlabeled])
        yield Round(number, ks[number - 1], pseudolabels, learner, answers, changed)
        probs, reached = refine(answers, task), number


def short_classes(pseudolabels: PseudoLabels, task: Task, k: int) -> list[int]:
    """Candidate classes that got fewer than ``k`` pseudolabels."""
    counts = torch.bincount(pseudolabels.labels, minlength=task.n_classes)
    return [int(c) for c in task.candidate_classes if counts[c] < k]


def supervised(untuned: PromptLearner, task: Task, *, seed: int) -> PromptLearner:
    """Plain prompt tuning on the labels alone (CoOp): the baseline without pseudolabels."""
    return untuned.fit(
        task, PseudoLabels.none(task.n_classes), generator=generator(seed, "supervised")
    )
