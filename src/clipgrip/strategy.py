"""THE HEART: score the unlabeled images, select the trustworthy, tune a prompt on them, and again.

All nine combinations of paradigm and strategy run through ``rounds``: the paradigm is in the task, the strategy is
``ks``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch

from clipgrip.data.task import Task
from clipgrip.pseudolabel.calibration import fitted_temperature
from clipgrip.pseudolabel.pseudolabels import PseudoLabels
from clipgrip.pseudolabel.quality import changed_share
from clipgrip.pseudolabel.select import ALONE, Context, Selector, balanced, narrowed
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


def choose(
    probs: Probs, task: Task, k: int, select: Selector, context: Context = ALONE
) -> PseudoLabels:
    """Pseudolabels for the unlabeled rows, over the candidate classes only, as rows of the pool.

    None at all for k = 0: tuning on the labels alone is a round without pseudolabels. ``context`` is of the pool.

    Raises:
        ConfigError: the context lacks what the rule needs.
    """
    if k == 0:
        return PseudoLabels.none(task.n_classes)
    rows, classes = task.unlabeled, task.candidate_classes
    chosen = select(narrowed(probs, rows, classes), k, context.among(rows, classes))
    targets = chosen.distributions(len(classes))
    spread = targets.new_zeros(len(targets), task.n_classes).index_copy(1, classes, targets)
    return PseudoLabels(rows[chosen.rows], spread, chosen.confidence)


@dataclass(frozen=True)
class Reached:
    """How far a run has come. Round 0 is zero-shot, whose answers (N, C) label round 1."""

    number: int
    probs: Probs
    changed: float = 1.0
    previous: Probs | None = None
    """The answers of the round before, for rules that compare the two."""


def rounds(
    untuned: PromptLearner,
    task: Task,
    reached: Reached,
    *,
    ks: Sequence[int],
    seed: int,
    select: Selector = balanced,
    refine: Refiner = lambda probs, _: probs,
    context: Context = ALONE,
    stop_below: float = 0.0,
    on_step: Callable[[int, int, float], None] = lambda *_: None,
    keeper: Keeper | None = None,
) -> Iterator[Round]:
    """Yield each round after ``reached`` when it is finished; resuming is reaching further.

    Every round tunes from the untuned prompt. Once fewer than ``stop_below`` of the answers change, only the last k
    is left to run, and nothing where the last k has just been run. ``keeper`` lets a training go on in its middle.
    ``context`` is what selection may know of the pool that no round changes: embeddings, other models' answers.
    """
    while reached.number < len(ks):
        settled = reached.changed < stop_below
        if settled and ks[-1] == ks[reached.number - 1]:
            return
        number = len(ks) if settled else reached.number + 1
        probs = refine(reached.probs, task)
        known = _known(context, probs, task, reached.previous)
        pseudolabels = choose(probs, task, ks[number - 1], select, known)
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
        reached = Reached(number, probs, changed, reached.probs)


def _known(context: Context, probs: Probs, task: Task, previous: Probs | None) -> Context:
    """The context of a round: with the answers before, and the temperature that the labels ask for."""
    temperature = fitted_temperature(probs[task.labeled], task.labels[task.labeled])
    return replace(context, previous=previous, temperature=temperature)


def _forget(state: Callable[[], TrainingState]) -> None:
    """Keep nothing."""


def _open_answers(probs: Probs, task: Task) -> Probs:
    """What pseudolabels are chosen from: unlabeled rows, candidate classes."""
    return probs[task.unlabeled][:, task.candidate_classes]


def short_classes(pseudolabels: PseudoLabels, task: Task, k: int) -> list[int]:
    """Candidate classes that got fewer than ``k`` pseudolabels."""
    counts = torch.bincount(pseudolabels.labels, minlength=task.n_classes)
    return [int(c) for c in task.candidate_classes if counts[c] < k]
