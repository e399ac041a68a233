"""THE HEART: score the unlabeled images, select the trustworthy, tune a prompt on them, and again.

All nine combinations of paradigm and strategy run through ``rounds``: the paradigm is in the task, the strategy is
``ks``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from clipgrip.data.task import Task
from clipgrip.pseudolabel.pseudolabels import PseudoLabels
from clipgrip.pseudolabel.quality import changed_share
from clipgrip.pseudolabel.select import Selector, balanced
from clipgrip.seeds import generator
from clipgrip.training.learner import PromptLearner
from clipgrip.training.state import Keeper, TrainingState
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
    """Pseudolabels for the unlabeled rows, over the candidate classes only, as rows of the pool.

    None at all for k = 0: tuning on the labels alone is a round without pseudolabels.
    """
    if k == 0:
        return PseudoLabels.none(task.n_classes)
    among = _open_answers(probs, task)
    chosen = select(among / among.sum(dim=1, keepdim=True).clamp_min(1e-30), k)
    return PseudoLabels.hard(
        task.unlabeled[chosen.rows],
        task.candidate_classes[chosen.labels],
        chosen.confidence,
        task.n_classes,
    )


@dataclass(frozen=True)
class Reached:
    """How far a run has come. Round 0 is zero-shot, whose answers (N, C) label round 1."""

    number: int
    probs: Probs
    changed: float = 1.0


def rounds(
    untuned: PromptLearner,
    task: Task,
    reached: Reached,
    *,
    ks: Sequence[int],
    seed: int,
    select: Selector = balanced,
    refine: Refiner = lambda probs, _: probs,
    stop_below: float = 0.0,
    on_step: Callable[[int, int, float], None] = lambda *_: None,
    keeper: Keeper | None = None,
) -> Iterator[Round]:
    """Yield each round after ``reached`` when it is finished; resuming is reaching further.

    Every round tunes from the untuned prompt. Once fewer than ``stop_below`` of the answers change, only the last k
    is left to run, and nothing where the last k has just been run. ``keeper`` lets a training go on in its middle.
    """
    while reached.number < len(ks):
        settled = reached.changed < stop_below
        if settled and ks[-1] == ks[reached.number - 1]:
            return
        number = len(ks) if settled else reached.number + 1
        pseudolabels = choose(refine(reached.probs, task), task, ks[number - 1], select)
        learner = untuned.fit(
            task,
            pseudolabels,
            generator=generator(seed, "round", number),
            on_step=on_step,
            recalled=keeper.recall(number) if keeper else None,
            offer=partial(keeper.offer, number) if keeper else _forget,
        )
        probs = learner.predict_proba()
        changed = changed_share(
            *(_open_answers(answers, task) for answers in (reached.probs, probs))
        )
        yield Round(number, ks[number - 1], pseudolabels, learner, probs, changed)
        reached = Reached(number, probs, changed)


def _forget(state: Callable[[], TrainingState]) -> None:
    """Keep nothing."""


def _open_answers(probs: Probs, task: Task) -> Probs:
    """What pseudolabels are chosen from: unlabeled rows, candidate classes."""
    return probs[task.unlabeled][:, task.candidate_classes]


def short_classes(pseudolabels: PseudoLabels, task: Task, k: int) -> list[int]:
    """Candidate classes that got fewer than ``k`` pseudolabels."""
    counts = torch.bincount(pseudolabels.labels, minlength=task.n_classes)
    return [int(c) for c in task.candidate_classes if counts[c] < k]
