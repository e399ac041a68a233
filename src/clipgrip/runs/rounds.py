"""Runs the strategy's rounds and stores each as soon as it is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from clipgrip.data.rows import HashIndex
from clipgrip.evaluate import pool_summary, test_scores
from clipgrip.fewshot.head import HeadSettings
from clipgrip.mapped import picked
from clipgrip.method import Method
from clipgrip.pseudolabel.pseudolabels import PseudoLabels
from clipgrip.pseudolabel.quality import per_class_counts
from clipgrip.pseudolabel.refine import without_absent
from clipgrip.pseudolabel.refine.reasons import DONE
from clipgrip.pseudolabel.refine.refiner import ZERO_SHOT
from clipgrip.pseudolabel.stop import Summary, stop_sentence
from clipgrip.runs.embedding import Embeds
from clipgrip.runs.events import Listener
from clipgrip.runs.inputs import Inputs
from clipgrip.runs.packed_labels import NamedLabels
from clipgrip.runs.prepare import Prepared
from clipgrip.runs.store import RunStore, StoredRound
from clipgrip.sentences import Sentence, combined
from clipgrip.strategy import Reached, Round, answers_of, joint_of, short_classes
from clipgrip.training.learner import PromptLearner
from clipgrip.training.state import TrainingState
from clipgrip.types import Probs

SECONDS = 20.0
"""How often a training in progress is stored: the most that a kill may cost, plus one step."""


def run_rounds(
    store: RunStore, identity: str, ready: Prepared, inputs: Inputs, listener: Listener
) -> None:
    """Run the rounds of the schedule that are not stored yet."""
    listener.planned(len(ready.worthwhile_ks))
    last = [0.0]

    def on_step(step: int, steps: int, loss: float) -> None:
        last[0] = loss
        listener.progress("round", step, steps)

    fresh = ready.learn(
        inputs.pool,
        reached(store.rounds(identity), ready, inputs),
        on_step=on_step,
        keeper=StoredTraining(store, identity),
    )
    began, refined = time.monotonic(), None
    for done in fresh:
        seconds = round(time.monotonic() - began, 3)
        stored = _to_stored_round(done, ready, inputs, {"loss": last[0], "seconds": seconds})
        store.add_round(identity, stored)
        listener.round_done(stored.facts)
        if done.why and (done.refined_by, done.why) != refined:
            refined = done.refined_by, done.why
            listener.detail(_refined_line(done))
        if done.stop:
            listener.step(
                Sentence(
                    "Stopped: {reason}. Back to {back}, the best before.",
                    reason=stop_sentence(done.stop.reason),
                    back=name_of_round(done.stop.best, taught=ready.teacher is not None),
                )
            )
        began = time.monotonic()


def _refined_line(done: Round) -> str:
    """A sentence on how the answers were refined before the round learned from them."""
    why = combined(done.why)
    return Sentence(
        "before it learned, {done}: {why}", done=Sentence(DONE[done.refined_by]), why=why
    )


def reached(stored: list[StoredRound], ready: Prepared, inputs: Inputs) -> Reached:
    """The state of the loop after the stored rounds, bit for bit as it was."""
    if not stored:
        return Reached(0, ready.first)
    last = stored[-1]
    answers = _answers(stored, ready, inputs)
    return Reached(last.number, answers, last.changed, ready.first, _stored_summaries(stored))


def _stored_summaries(stored: list[StoredRound]) -> tuple[Summary, ...]:
    """The summaries of all stored rounds for the stop rules; () where older versions stored none."""
    summaries = [done.facts.get("summary") for done in stored]
    return tuple(Summary(**one) for one in summaries if one) if all(summaries) else ()


def best_round(stored: Sequence[StoredRound]) -> StoredRound | None:
    """The round whose values count: the last one, or the one that an early stop went back to; None for zero-shot."""
    stop = stored[-1].facts.get("stop") if stored else None
    if stop is None:
        return stored[-1] if stored else None
    return next((done for done in stored if done.number == stop["kept"]), None)


def skipped_rounds(rounds: Sequence[Mapping[str, Any]]) -> tuple[int, int] | None:
    """Numbers of the first and last round that were skipped before the final one, as the answers had settled."""
    numbers = [0, *(one["number"] for one in rounds)]
    if len(numbers) < 2 or numbers[-1] == numbers[-2] + 1:
        return None
    return numbers[-2] + 1, numbers[-1] - 1


def name_of_round(number: int, *, taught: bool = False) -> str:
    """A round in words; round 0 is zero-shot, or the labels alone where they ``taught``."""
    if number:
        return Sentence("round {number}", number=number)
    return Sentence("the labels alone") if taught else Sentence("zero-shot")


def _answers(stored: list[StoredRound], ready: Prepared, inputs: Inputs) -> Probs:
    """(N, C) the pool's answers after the last of the stored rounds."""
    if not stored:
        return ready.first
    # computed exactly as in the loop: another order of sums changes last bits, and so maybe a pseudolabel
    prompt = ready.start.tuned(stored[-1].learned)
    learner = PromptLearner(prompt, inputs.pool, beside=ready.embeds.pool_beside)
    chosen = pseudolabels_of(stored[-1], ready.embeds, ready.task.n_classes)
    head = head_of(stored[-1], ready.method)
    joint = joint_of(learner, ready.task, chosen, ready.teacher, head, ready.start.texts)
    return without_absent(answers_of(learner, joint), ready.task.absent)


def head_of(stored: StoredRound, method: Method) -> HeadSettings | None:
    """The settings of the head that a round without labels fitted; None where refinement left the answers unchanged."""
    refined = stored.facts.get("refined") or {}
    return None if refined.get("method") == ZERO_SHOT else method.head


def pseudolabels_of(stored: StoredRound, embeds: Embeds, n_classes: int) -> PseudoLabels:
    """The round's pseudolabels as one-hot targets; images that have gone are left out."""
    known = stored.pseudolabels
    places = HashIndex(embeds.pool_rows.hashes).of(known.hashes)
    labels, confidence = torch.from_numpy(known.labels), torch.from_numpy(known.confidence).float()
    here = torch.from_numpy(places >= 0)
    rows = torch.from_numpy(places)[here]
    return PseudoLabels.hard(rows, labels[here], confidence[here], n_classes)


def _to_stored_round(
    done: Round, ready: Prepared, inputs: Inputs, facts: dict[str, Any]
) -> StoredRound:
    embeds, task, rule = ready.embeds, ready.task, ready.method.select
    labels, names = done.pseudolabels.labels, ready.start.classes.display
    learned = done.learner.prompt.learned()
    stored = StoredRound(
        done.number, done.k, done.changed, learned, {}, _named_labels(done, embeds)
    )
    takes_all = rule == "everything"  # then no class is short of a k
    short = [] if takes_all else short_classes(done.pseudolabels, task, done.k)
    test = done.predict_proba(inputs.test, inputs.test_beside)
    stored.facts.update(
        number=done.number,
        k=done.k,
        chosen=len(labels),
        per_class=per_class_counts(labels, task.n_classes),
        rule=rule,
        short_classes=[names[c] for c in short],
        changed=done.changed,
        refined={
            "method": done.refined_by,
            "why": [{"text": one.text, "values": one.values} for one in done.why],
        },
        evidence=asdict(done.evidence) if done.evidence else None,
        joined=done.joint is not None,
        pool=pool_summary(picked(done.probs, task.unlabeled), len(task.absent_classes)),
        test=test_scores(test, embeds.test_labels, ~task.seen),
        **facts,
    )
    if done.summary:
        stored.facts["summary"] = asdict(done.summary)
    if done.stop:
        stored.facts["stop"] = {"reason": done.stop.reason, "kept": done.stop.best}
    return stored


def _named_labels(done: Round, embeds: Embeds) -> NamedLabels:
    chosen = done.pseudolabels
    hashes = embeds.pool_rows.hashes[chosen.rows.numpy()]
    return NamedLabels(hashes, chosen.labels.numpy(), chosen.confidence.double().numpy())


@dataclass
class StoredTraining:
    """Stores a training in progress in runs.db now and then, from where it is resumed after a kill."""

    store: RunStore
    run: str
    _since: float = field(default_factory=time.monotonic)

    def recall(self, number: int) -> TrainingState | None:
        """The last stored state of round ``number``; None without one."""
        self._since = time.monotonic()
        return self.store.training(self.run, number)

    def offer(self, number: int, state: Callable[[], TrainingState]) -> None:
        """Store the state if the last one is older than `SECONDS`."""
        if time.monotonic() - self._since >= SECONDS:
            self.store.keep_training(self.run, number, state())
            self._since = time.monotonic()
