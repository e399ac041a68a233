"""The strategy's rounds, each stored as soon as it is done."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from clipgrip.backbone.clip import ClipBackbone
from clipgrip.config import Settings
from clipgrip.data.classes import ClassNames
from clipgrip.data.task import Task
from clipgrip.evaluate import pool_summary, test_scores
from clipgrip.fewshot.joint import Joint, joined_probs
from clipgrip.fewshot.teacher import Teacher
from clipgrip.method import PRESETS, Method, learn, schedule, untuned
from clipgrip.prompts.base import Prompt
from clipgrip.prompts.classifier import zero_shot
from clipgrip.pseudolabel.pseudolabels import PseudoLabels
from clipgrip.pseudolabel.quality import per_class_counts
from clipgrip.pseudolabel.refine.refiner import ZERO_SHOT, PoolRefiner
from clipgrip.pseudolabel.stop import Summary
from clipgrip.runs.embedding import Embeds
from clipgrip.runs.events import Listener
from clipgrip.runs.inputs import Inputs
from clipgrip.runs.store import RunStore, StoredRound
from clipgrip.runs.training import StoredTraining
from clipgrip.strategy import Reached, Round, joined, short_classes
from clipgrip.training.learner import PromptLearner
from clipgrip.types import ClassEmbeds, Probs


@dataclass(frozen=True)
class Answers:
    """Probabilities for the pool (N, C) and for the test images (n, C)."""

    pool: Probs
    test: Probs


@dataclass(frozen=True)
class Start:
    """What stands before the first round: zero-shot's class embeddings (C, D) and the untuned prompt."""

    classes: ClassNames
    zero_shot: ClassEmbeds = field(repr=False)
    prompt: Prompt = field(repr=False)
    method: Method

    @classmethod
    def of(
        cls, backbone: ClipBackbone, classes: ClassNames, settings: Settings, method: Method
    ) -> Start:
        """Encode the class names, as zero-shot and as the prompt to tune."""
        prompt = untuned(
            backbone,
            classes.prompts,
            method,
            template=settings.template,
            seed=settings.seed,
            kind=settings.prompt,
        )
        return cls(classes, zero_shot(backbone, classes.prompts, settings.template), prompt, method)

    def suited_to(
        self, task: Task, backbone: ClipBackbone, settings: Settings, own: Method | None = None
    ) -> Start:
        """This start, or another one where images that cannot be decoded have changed what suits the task."""
        method = method_for(settings, task, own)
        if method == self.method:
            return self
        return Start.of(backbone, self.classes, settings, method)

    def tuned(self, learned: dict[str, Tensor]) -> Prompt:
        """The prompt with learned values."""
        return self.prompt.with_learned(learned)

    def class_embeds(self, learned: dict[str, Tensor]) -> ClassEmbeds:
        """(C, D) of learned values; zero-shot's where nothing was learned."""
        if not learned:
            return self.zero_shot
        with torch.no_grad():
            return self.tuned(learned).class_embeds()

    def answers(
        self, learned: dict[str, Tensor], embeds: Embeds, joint: Joint | None = None
    ) -> Answers:
        """Probabilities for pool and test from embeddings as the learned prompt sees the images, joined with labels."""
        class_embeds, scale = self.class_embeds(learned), self.prompt.logit_scale
        pool, test = (
            joined_probs(images, class_embeds, scale, joint)
            for images in (embeds.pool, embeds.test)
        )
        return Answers(pool, test)


def method_for(settings: Settings, task: Task, own: Method | None = None) -> Method:
    """How the settings tune on this task: the preset's method, or one's own, with the numbers that settings change."""
    method = (own or PRESETS[settings.preset][settings.prompt]).suited_to(task)
    if settings.strategy == "zero-shot":  # nothing is tuned, so a template needs no words to tune
        method = Method(init="random", n_ctx=0, refinement=method.refinement)
    method = replace(method, refinement=method.refinement.with_values(settings.refinement))
    # a user who speaks of k wants the surest of each class and not all images: k of them, in grip a growing number
    return replace(method, select="balanced") if settings.k else method


def run_rounds(
    store: RunStore,
    identity: str,
    start: Start,
    embeds: Embeds,
    inputs: Inputs,
    task: Task,
    settings: Settings,
    hear: Listener,
    *,
    refine: PoolRefiner | None = None,
    teacher: Teacher | None = None,
) -> None:
    """Run what is not stored yet of the schedule; ``refine`` may have refined zero-shot's answers already."""
    ks = schedule(settings.strategy, task, k=settings.k, n_rounds=settings.rounds)
    hear.planned(len(ks))
    last = [0.0]

    def on_step(step: int, steps: int, loss: float) -> None:
        last[0] = loss
        hear.progress("round", step, steps)

    fresh = learn(
        start.prompt,
        inputs.pool,
        task,
        reached(store.rounds(identity), start, embeds, inputs, task, teacher),
        ks=ks,
        method=start.method,
        image_embeds=embeds.pool,
        refine=refine,
        teacher=teacher,
        seed=settings.seed,
        on_step=on_step,
        keeper=StoredTraining(store, identity),
    )
    began, refined = time.monotonic(), None
    for done in fresh:
        seconds = round(time.monotonic() - began, 3)
        stored = _stored(done, start, embeds, inputs, task, {"loss": last[0], "seconds": seconds})
        store.add_round(identity, stored)
        hear.round_done(stored.facts)
        if done.why and (done.refined_by, done.why) != refined:
            refined = done.refined_by, done.why
            hear.note(_refined_line(done))
        if done.stop:
            hear.note(
                f"Stopped: {done.stop.reason}. Back to {name_of_round(done.stop.best)}, the best before."
            )
        began = time.monotonic()


def _refined_line(done: Round) -> str:
    """How a round's answers were improved before it learned from them."""
    how = "as they were" if done.refined_by == ZERO_SHOT else f"refined by {done.refined_by}"
    return f"  learned from the answers {how}: {'; '.join(done.why)}"


def reached(
    stored: list[StoredRound],
    start: Start,
    embeds: Embeds,
    inputs: Inputs,
    task: Task,
    teacher: Teacher | None = None,
) -> Reached:
    """How far the stored rounds have come, bit for bit as the loop left it."""
    first = start.answers({}, embeds).pool if teacher is None else teacher.start
    if not stored:
        return Reached(0, first)
    last = stored[-1]
    previous = None
    if (
        start.method.select == "rounds"
    ):  # the only rule that looks back; a pass over pixels is not cheap
        previous = _answers(stored[:-1], first, start, embeds, inputs, task, teacher)
    answers = _answers(stored, first, start, embeds, inputs, task, teacher)
    return Reached(last.number, answers, last.changed, previous, first, _past(stored))


def _past(stored: list[StoredRound]) -> tuple[Summary, ...]:
    """What stop rules were told; nothing of a run that began before they were asked."""
    summaries = [done.facts.get("summary") for done in stored]
    return tuple(Summary(**one) for one in summaries if one) if all(summaries) else ()


def kept_round(stored: Sequence[StoredRound]) -> StoredRound | None:
    """The round whose values are the run's: the last, or the one that a stop went back to; None for zero-shot."""
    stop = stored[-1].facts.get("stop") if stored else None
    if stop is None:
        return stored[-1] if stored else None
    return next((done for done in stored if done.number == stop["kept"]), None)


def name_of_round(number: int) -> str:
    """What people call it."""
    return f"round {number}" if number else "zero-shot"


def _answers(
    stored: list[StoredRound],
    first: Probs,
    start: Start,
    embeds: Embeds,
    inputs: Inputs,
    task: Task,
    teacher: Teacher | None,
) -> Probs:
    """(N, C) of the last stored round for the pool."""
    if not stored:
        return first
    # the loop's own sums, in its batches: others differ in the last bit, which can turn a choice
    learner = PromptLearner(start.tuned(stored[-1].learned), inputs.pool)
    pseudolabels = pseudolabels_of(stored[-1], embeds, len(start.classes))
    return joined(learner, task, pseudolabels, teacher, start.method.head)[0]


def pseudolabels_of(stored: StoredRound, embeds: Embeds, n_classes: int) -> PseudoLabels:
    """What the round learned from, one-hot; images that have gone are left out."""
    at = {row.sha256: number for number, row in enumerate(embeds.pool_rows)}
    here = [(at[sha256], c, p) for sha256, c, p in stored.pseudolabels if sha256 in at]
    rows, labels, confidence = zip(*here, strict=True) if here else ((), (), ())
    return PseudoLabels.hard(
        torch.tensor(rows, dtype=torch.long),
        torch.tensor(labels, dtype=torch.long),
        torch.tensor(confidence),
        n_classes,
    )


def _stored(
    done: Round, start: Start, embeds: Embeds, inputs: Inputs, task: Task, facts: dict[str, Any]
) -> StoredRound:
    labels, names = done.pseudolabels.labels, start.classes.display
    learned = done.learner.prompt.learned()
    stored = StoredRound(done.number, done.k, done.changed, learned, {}, _named(done, embeds))
    takes_all = start.method.select == "everything"  # then no class is short of a k
    short = [] if takes_all else short_classes(done.pseudolabels, task, done.k)
    test = done.predict_proba(inputs.test)
    stored.facts.update(
        number=done.number,
        k=done.k,
        chosen=len(labels),
        per_class=per_class_counts(labels, task.n_classes),
        rule=start.method.select,
        short_classes=[names[c] for c in short],
        changed=done.changed,
        refined={
            "method": done.refined_by,
            "why": [{"text": one.text, "values": one.values} for one in done.why],
        },
        evidence=asdict(done.evidence) if done.evidence else None,
        joined=done.joint is not None,
        pool=pool_summary(done.probs[task.unlabeled]),
        test=test_scores(test, embeds.test_labels, task.candidates),
        **facts,
    )
    if done.summary:
        stored.facts["summary"] = asdict(done.summary)
    if done.stop:
        stored.facts["stop"] = {"reason": done.stop.reason, "kept": done.stop.best}
    return stored


def _named(done: Round, embeds: Embeds) -> tuple[tuple[str, int, float], ...]:
    chosen = done.pseudolabels
    triples = zip(
        chosen.rows.tolist(), chosen.labels.tolist(), chosen.confidence.tolist(), strict=True
    )
    return tuple(
        (embeds.pool_rows[row].sha256, label, confidence) for row, label, confidence in triples
    )
