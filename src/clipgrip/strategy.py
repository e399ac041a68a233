"""THE HEART: score the unlabeled images, select the trustworthy, tune a prompt on them, and again.

All nine combinations of paradigm and strategy run through ``rounds``: the paradigm is in the task, the strategy is
``ks``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import torch
from torch import Tensor

from clipgrip.fewshot.head import HeadSettings
from clipgrip.fewshot.joint import Joint, joined_probs
from clipgrip.fewshot.teacher import Teacher, joint_without_labels
from clipgrip.mapped import picked
from clipgrip.pseudolabel.pseudolabels import PseudoLabels
from clipgrip.pseudolabel.quality import Neighbours, changed_share
from clipgrip.pseudolabel.refine.decide import Evidence
from clipgrip.pseudolabel.refine.reasons import Reason
from clipgrip.pseudolabel.refine.refiner import ZERO_SHOT, Refiner, as_they_are
from clipgrip.pseudolabel.select.chosen import NO_CONTEXT, Context, Selector, narrowed
from clipgrip.pseudolabel.select.top import balanced
from clipgrip.pseudolabel.stop import LIMITS, AlarmLimits, Stop, Summary, collapse, summarise
from clipgrip.seeds import generator
from clipgrip.task import Task
from clipgrip.training.learner import PromptLearner
from clipgrip.training.state import Keeper, TrainingState
from clipgrip.types import ImageEmbeds, Probs, SomeProbs


@dataclass(frozen=True)
class Round:
    """What one round chose and learned."""

    number: int
    """From 1: zero-shot is no round."""
    k: int
    """The most pseudolabels that a class could get."""
    pseudolabels: PseudoLabels
    learner: PromptLearner
    """The tuned prompt on the pool."""
    probs: Probs
    """(N, C) what it answers for the pool."""
    changed: float
    """Share of the unlabeled images whose answer differs from that of the round before."""
    summary: Summary | None = None
    """What stop rules read; None where none is asked."""
    stop: Stop | None = None
    """The rounds end here, and the round ``stop.best`` is the one to keep."""
    refined_by: str = ZERO_SHOT
    """The method that improved the answers before they were chosen from."""
    why: tuple[Reason, ...] = ()
    """Why that method."""
    evidence: Evidence | None = None
    """What it was decided from."""
    joint: Joint | None = None
    """What joins the prompt's answers with a head of labels and pseudolabels; None where nothing does."""

    def predict_proba(self, inputs: Tensor, beside: Tensor | None = None) -> Probs:
        """(N, C) for new images (N, ...), as the prompt consumes them; ``beside`` (N, e) is what eyes see of pixels."""
        return answers_of(replace(self.learner, inputs=inputs, beside=beside), self.joint)


def best_round(done: Sequence[Round]) -> Round | None:
    """The round whose learner counts: the last, unless it ended the run for another; None for zero-shot."""
    if not done or done[-1].stop is None:
        return done[-1] if done else None
    best = done[-1].stop.best
    return next((one for one in done if one.number == best), None)


def choose(
    probs: Probs, task: Task, k: int, select: Selector, context: Context = NO_CONTEXT
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
    if len(classes) < task.n_classes:
        targets = targets.new_zeros(len(targets), task.n_classes).index_copy(1, classes, targets)
    return PseudoLabels(rows[chosen.rows], targets, chosen.confidence)


@dataclass(frozen=True)
class Reached:
    """How far a run has come. Round 0 is zero-shot, whose answers (N, C) label round 1."""

    number: int
    probs: Probs
    changed: float = 1.0
    previous: Probs | None = None
    """The answers of the round before, for rules that compare the two."""
    first: Probs | None = None
    """Zero-shot's answers; None in round 0, whose answers they are."""
    past: tuple[Summary, ...] = ()
    """What stop rules were told of the rounds before."""

    @property
    def zero_shot(self) -> Probs:
        """(N, C) what CLIP answered before anything was learned."""
        return self.probs if self.first is None else self.first


def rounds(
    untuned: PromptLearner,
    task: Task,
    reached: Reached,
    *,
    ks: Sequence[int],
    seed: int,
    select: Selector = balanced,
    refine: Refiner = as_they_are,
    teacher: Teacher | None = None,
    head: HeadSettings | None = None,
    context: Context = NO_CONTEXT,
    stop_below: float = 0.0,
    watch: Watch | None = None,
    on_step: Callable[[int, int, float], None] = lambda *_: None,
    keeper: Keeper | None = None,
) -> Iterator[Round]:
    """Yield each round after ``reached`` when it is finished; resuming is reaching further.

    ``ks``, the pseudolabels per class in each round, make FPL, IFPL or GRIP of it (`pseudolabel.schedule`; Menghini,
    Delworth, Bach, NeurIPS 2023, arXiv 2306.01669, section 3); a k of 0 tunes on the labels alone.

    Every round tunes from the untuned prompt. Once fewer than ``stop_below`` of the answers change, only the last k
    is left to run, and nothing where the last k has just been run. A stop of ``watch`` is the last. ``keeper`` lets a
    training go on in its middle. ``teacher`` joins each prompt's answers with what labels say; without one a ``head``
    of such settings joins them with what the pseudolabels say. ``context`` is what selection may know of the pool that
    no round changes: embeddings, other models' answers, the temperature.

    Raises:
        ConfigError: ``context`` lacks what ``select`` needs, or ``watch`` names an unknown rule.
    """
    while reached.number < len(ks) and not (watch and watch.stop(reached.past)):
        settled = reached.changed < stop_below
        if settled and ks[-1] == ks[reached.number - 1]:
            return
        number = len(ks) if settled else reached.number + 1
        k = ks[number - 1]
        refined = (refine if k else as_they_are)(reached.probs, task)
        known = replace(context, previous=reached.previous, round=number)
        pseudolabels = choose(refined.probs, task, k, select, known)
        by, why, evidence = refined.method, refined.reasons, refined.evidence
        del refined  # of a million images its answers are as large as all that a training needs
        learner = untuned.fit(
            task,
            pseudolabels,
            generator=generator(seed, "round", number),
            on_step=on_step,
            recalled=keeper.recall(number) if keeper else None,
            offer=partial(keeper.offer, number) if keeper else _forget,
        )
        # a head of the answers as they were says nothing new
        beside = None if by == ZERO_SHOT else head
        probs, joint = joined(learner, task, pseudolabels, teacher, beside)
        changed = changed_share(_open_answers(reached.probs, task), _open_answers(probs, task))
        done = Round(number, k, pseudolabels, learner, probs, changed)
        done = replace(done, refined_by=by, why=why, evidence=evidence, joint=joint)
        done, past = (done, reached.past) if watch is None else watch.over_round(done, reached)
        yield done
        reached = Reached(number, probs, changed, reached.probs, reached.zero_shot, past)


def joined(
    learner: PromptLearner,
    task: Task,
    pseudolabels: PseudoLabels,
    teacher: Teacher | None,
    head: HeadSettings | None,
) -> tuple[Probs, Joint | None]:
    """The round's answers (N, C) for the pool, and what joins the prompt with labels and pseudolabels."""
    if teacher is not None:
        joint = teacher.joint(learner.image_embeds(), pseudolabels)
        return answers_of(learner, joint), joint
    if head is None or not len(pseudolabels.rows):
        return learner.predict_proba(), None
    with torch.no_grad():
        texts = learner.prompt.class_embeds().cpu()
    text = texts, learner.prompt.logit_scale
    found = joint_without_labels(learner.image_embeds().cpu(), text, task, pseudolabels, head)
    return answers_of(learner, found), found


def answers_of(learner: PromptLearner, joint: Joint | None) -> Probs:
    """(N, C) for the learner's inputs."""
    if joint is None or not len(learner.inputs):
        return learner.predict_proba()
    prompt = learner.prompt
    with torch.no_grad():
        texts = prompt.class_embeds().cpu()
    return joined_probs(learner.image_embeds().cpu(), texts, prompt.logit_scale, joint)


@dataclass(frozen=True)
class Watch:
    """The alarm of `stop.collapse` over a task's unlabeled rows and candidate classes."""

    task: Task = field(repr=False)
    zero_shot: Probs = field(repr=False)
    neighbours: Neighbours = field(repr=False)
    limits: AlarmLimits = LIMITS

    @classmethod
    def over(
        cls,
        task: Task,
        zero_shot: Probs,
        image_embeds: ImageEmbeds,
        limits: AlarmLimits = LIMITS,
    ) -> Watch:
        """With the neighbours among all images (N, D)."""
        return cls(task, zero_shot, Neighbours.of(picked(image_embeds, task.unlabeled)), limits)

    def stop(self, past: Sequence[Summary]) -> Stop | None:
        """Whether it rings after these rounds."""
        return collapse([self.of_zero_shot, *past], self.limits)

    def over_round(self, done: Round, reached: Reached) -> tuple[Round, tuple[Summary, ...]]:
        """The round with its summary and what the alarm says of it, and the summaries up to it."""
        summary = self.summary(done, reached.probs)
        past = (*reached.past, summary)
        return replace(done, summary=summary, stop=self.stop(past)), past

    def summary(self, done: Round, before: Probs) -> Summary:
        """What a round looks like without the truth; ``before`` (N, C) are the answers that labeled it."""
        task, chosen = self.task, done.pseudolabels
        place = torch.full((task.n_classes,), -1)
        place[task.candidate_classes] = torch.arange(len(task.candidate_classes))
        taught = torch.full((len(task.labels),), -1)
        taught[chosen.rows] = place[chosen.labels]
        now, then, first = (_open_answers(p, task) for p in (done.probs, before, self.zero_shot))
        return summarise(done.number, now, then, first, self.neighbours, taught[task.unlabeled])

    @cached_property
    def of_zero_shot(self) -> Summary:
        """Zero-shot's own summary, which the alarm compares with."""
        answers = _open_answers(self.zero_shot, self.task)
        return summarise(
            0, answers, answers, answers, self.neighbours, torch.full((len(answers),), -1)
        )


def _forget(state: Callable[[], TrainingState]) -> None:
    """Keep nothing."""


def _open_answers(probs: Probs, task: Task) -> SomeProbs:
    """What pseudolabels are chosen from: unlabeled rows, candidate classes."""
    return picked(probs, task.unlabeled, task.candidate_classes)


def short_classes(pseudolabels: PseudoLabels, task: Task, k: int) -> list[int]:
    """Candidate classes that got fewer than ``k`` pseudolabels."""
    counts = torch.bincount(pseudolabels.labels, minlength=task.n_classes)
    return [int(c) for c in task.candidate_classes if counts[c] < k]
