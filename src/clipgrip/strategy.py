"""THE HEART: answer the unlabeled images, select pseudolabels, tune a prompt on them, and again.

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
from clipgrip.pseudolabel.refine import without_absent
from clipgrip.pseudolabel.refine.decide import Evidence
from clipgrip.pseudolabel.refine.reasons import Reason
from clipgrip.pseudolabel.refine.refiner import ZERO_SHOT, Refiner, as_they_are
from clipgrip.pseudolabel.select.chosen import Selector, narrowed
from clipgrip.pseudolabel.select.top import balanced
from clipgrip.pseudolabel.stop import LIMITS, AlarmLimits, Stop, Summary, collapse, summarise
from clipgrip.seeds import generator
from clipgrip.task import Task
from clipgrip.training.learner import PromptLearner
from clipgrip.training.state import Keeper, TrainingState
from clipgrip.types import ClassEmbeds, ImageEmbeds, Probs, SomeProbs


@dataclass(frozen=True)
class Round:
    """What one round chose and learned."""

    number: int
    """From 1: zero-shot is no round."""
    k: int
    """The most pseudolabels that a class could get; 0: tuned on the labels alone."""
    pseudolabels: PseudoLabels
    learner: PromptLearner
    """The tuned prompt, on the pool."""
    probs: Probs
    """(N, C) its answers for the pool, joined with ``joint``."""
    changed: float
    """Share of the unlabeled images whose answer differs from that of the round before."""
    summary: Summary | None = None
    """What the alarm reads of the round; None without an alarm."""
    stop: Stop | None = None
    """Where not None the rounds end here, and the round ``stop.best`` is the one to keep."""
    refined_by: str = ZERO_SHOT
    """The refinement of the answers that the pseudolabels were chosen from."""
    why: tuple[Reason, ...] = ()
    """The reasons for that refinement."""
    evidence: Evidence | None = None
    """What it was decided from."""
    joint: Joint | None = None
    """Joins the prompt with a head of labels and pseudolabels; None where the prompt answers alone."""

    def predict_proba(self, inputs: Tensor, beside: Tensor | None = None) -> Probs:
        """(N, C) for new images (N, ...), as the prompt consumes them; ``beside`` (N, e) as in `PromptLearner`."""
        return answers_of(replace(self.learner, inputs=inputs, beside=beside), self.joint)


def best_round(done: Sequence[Round]) -> Round | None:
    """The round whose learner counts: the last, unless it ended the run for another; None for zero-shot."""
    if not done or done[-1].stop is None:
        return done[-1] if done else None
    best = done[-1].stop.best
    return next((one for one in done if one.number == best), None)


def choose(
    probs: Probs, task: Task, k: int, select: Selector, temperature: float = 1.0
) -> PseudoLabels:
    """Pseudolabels of unlabeled rows, chosen over the candidate classes only; their rows are those of the pool.

    Empty for k = 0, which is tuning on the labels alone. ``probs`` (N, C) are of the whole pool.
    """
    if k == 0:
        return PseudoLabels.none(task.n_classes)
    rows, classes = task.unlabeled, task.candidate_classes
    chosen = select(narrowed(probs, rows, classes), k, temperature)
    targets = chosen.distributions(len(classes))
    if len(classes) < task.n_classes:
        targets = targets.new_zeros(len(targets), task.n_classes).index_copy(1, classes, targets)
    return PseudoLabels(rows[chosen.rows], targets, chosen.confidence)


@dataclass(frozen=True)
class Reached:
    """How far a run has come: the last finished round, whose answers the next one learns from. 0 is zero-shot."""

    number: int
    """Of the last finished round."""
    probs: Probs
    """(N, C) its answers."""
    changed: float = 1.0
    """Share of the unlabeled images whose answer it changed."""
    first: Probs | None = None
    """Zero-shot's answers; None in round 0, whose ``probs`` they are."""
    past: tuple[Summary, ...] = ()
    """The summaries of the rounds so far, without zero-shot's."""

    @property
    def zero_shot(self) -> Probs:
        """(N, C) the answers before anything was tuned."""
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
    texts: ClassEmbeds | None = None,
    temperature: float = 1.0,
    stop_below: float = 0.0,
    watch: Watch | None = None,
    on_step: Callable[[int, int, float], None] = lambda *_: None,
    keeper: Keeper | None = None,
) -> Iterator[Round]:
    """Yield each round after ``reached`` when it is finished; a resumed run starts from a later ``reached``.

    ``ks``, the pseudolabels per class in each round, make FPL, IFPL or GRIP of it (`pseudolabel.schedule`; Menghini,
    Delworth, Bach, NeurIPS 2023, arXiv 2306.01669, section 3); a k of 0 tunes on the labels alone. Every round is tuned
    from the ``untuned`` prompt, and joined with a head: by the ``teacher`` of the labels, or else, with the settings
    ``head``, one of the pseudolabels. ``temperature`` calibrates zero-shot's answers where ``select``
    makes targets of them.

    Once a round changes less than ``stop_below`` of the answers, only the last k is left to run, and nothing if it has
    just been run. The round in which ``watch`` rings is the last. ``on_step`` gets (step, steps, loss) of each
    training, ``keeper`` stores unfinished ones. Where classes are absent, zero-shot's ``texts`` (C, D) say which images
    are of those.
    """
    while reached.number < len(ks) and not (watch and watch.stop(reached.past)):
        settled = reached.changed < stop_below
        if settled and ks[-1] == ks[reached.number - 1]:
            return
        number = len(ks) if settled else reached.number + 1
        k = ks[number - 1]
        refined = (refine if k else as_they_are)(reached.probs, task)
        # a prompt that learned calibrated probabilities gives them; calibrated anew, each round would be softer
        pseudolabels = choose(refined.probs, task, k, select, temperature if number == 1 else 1.0)
        refined_by, why, evidence = refined.method, refined.reasons, refined.evidence
        # for a million images its answers take as much memory as the training that follows
        del refined
        learner = untuned.fit(
            task,
            pseudolabels,
            generator=generator(seed, "round", number),
            on_step=on_step,
            recalled=keeper.recall(number) if keeper else None,
            offer=partial(keeper.offer, number) if keeper else _forget,
        )
        # a head that learns answers which were not refined would only repeat them
        beside = None if refined_by == ZERO_SHOT else head
        joint = joint_of(learner, task, pseudolabels, teacher, beside, texts)
        probs = without_absent(answers_of(learner, joint), task.absent)
        before, after = (_unlabeled_answers(p, task) for p in (reached.probs, probs))
        changed = changed_share(before, after)
        done = Round(number, k, pseudolabels, learner, probs, changed)
        done = replace(done, refined_by=refined_by, why=why, evidence=evidence, joint=joint)
        done, past = (done, reached.past) if watch is None else watch.over_round(done, reached)
        yield done
        reached = Reached(number, probs, changed, reached.zero_shot, past)


def joint_of(
    learner: PromptLearner,
    task: Task,
    pseudolabels: PseudoLabels,
    teacher: Teacher | None,
    head: HeadSettings | None,
    texts: ClassEmbeds | None = None,
) -> Joint | None:
    """What joins a tuned prompt with a head of labels and pseudolabels; None where the prompt answers alone.

    Where classes are absent the untuned ``texts`` (C, D) stand beside that head.
    """
    if teacher is None and (head is None or not len(pseudolabels.rows)):
        return None
    images = learner.image_embeds()
    with torch.no_grad():
        tuned, scale = learner.prompt.class_embeds().cpu(), learner.prompt.logit_scale
    if teacher is not None:
        lost = teacher.weights.may_lose(teacher.settings)
        return teacher.joint(images, pseudolabels).reluctant(images, (tuned, scale), lost)
    text = tuned if task.absent is None or texts is None else texts
    return joint_without_labels(images.cpu(), (text, scale), task, pseudolabels, head)


def answers_of(learner: PromptLearner, joint: Joint | None) -> Probs:
    """(N, C) answers for the learner's inputs, by its prompt and ``joint``."""
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
        """The alarm of a pool (N, D), with the neighbours among its unlabeled images."""
        return cls(task, zero_shot, Neighbours.of(picked(image_embeds, task.unlabeled)), limits)

    def stop(self, past: Sequence[Summary]) -> Stop | None:
        """The alarm's stop after these rounds; None if it does not ring."""
        return collapse([self.of_zero_shot, *past], self.limits)

    def over_round(self, done: Round, reached: Reached) -> tuple[Round, tuple[Summary, ...]]:
        """The round with its summary and, if the alarm rings, its stop; and all summaries up to it."""
        summary = self.summary(done, reached.probs)
        past = (*reached.past, summary)
        return replace(done, summary=summary, stop=self.stop(past)), past

    def summary(self, done: Round, before: Probs) -> Summary:
        """The summary of a round; ``before`` (N, C) are the answers of the round before."""
        task, pseudolabels = self.task, done.pseudolabels
        column = torch.full((task.n_classes,), -1)
        column[task.candidate_classes] = torch.arange(len(task.candidate_classes))
        chosen = torch.full((len(task.labels),), -1)
        chosen[pseudolabels.rows] = column[pseudolabels.labels]
        now, then, zero_shot = (
            _unlabeled_answers(probs, task) for probs in (done.probs, before, self.zero_shot)
        )
        return summarise(done.number, now, then, zero_shot, self.neighbours, chosen[task.unlabeled])

    @cached_property
    def of_zero_shot(self) -> Summary:
        """Zero-shot's own summary, which the alarm compares with."""
        answers = _unlabeled_answers(self.zero_shot, self.task)
        return summarise(
            0, answers, answers, answers, self.neighbours, torch.full((len(answers),), -1)
        )


def _forget(state: Callable[[], TrainingState]) -> None:
    """Keep nothing."""


def _unlabeled_answers(probs: Probs, task: Task) -> SomeProbs:
    """(n, K) the answers of unlabeled rows over the candidates: what pseudolabels are chosen from."""
    return picked(probs, task.unlabeled, task.candidate_classes)


def short_classes(pseudolabels: PseudoLabels, task: Task, k: int) -> list[int]:
    """Candidate classes that got fewer than ``k`` pseudolabels."""
    counts = torch.bincount(pseudolabels.labels, minlength=task.n_classes)
    return [int(c) for c in task.candidate_classes if counts[c] < k]
