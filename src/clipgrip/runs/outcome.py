"""A run with its answers: the value from which files, reports and commands take everything."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch

from clipgrip.backbone.base import Model
from clipgrip.backbone.precomputed import PrecomputedModel
from clipgrip.backbone.prompted import seen_through
from clipgrip.config import Settings
from clipgrip.data.classes import ClassNames
from clipgrip.data.manifest import Manifest
from clipgrip.evaluate import pool_summary, test_scores
from clipgrip.fewshot.joint import Joint
from clipgrip.mapped import picked
from clipgrip.prompts.base import Prompt
from clipgrip.runs.checkpoint import RESIDUAL, PromptFacts, head_digest, read_head
from clipgrip.runs.confidence import calibration_facts
from clipgrip.runs.embedding import Embeds
from clipgrip.runs.events import Listener
from clipgrip.runs.eyes import JoinedEyes
from clipgrip.runs.identity import settings_of
from clipgrip.runs.inputs import embeds_through
from clipgrip.runs.labels import joint_of_run
from clipgrip.runs.prepare import Prepared, PreparedRun
from clipgrip.runs.rounds import best_round
from clipgrip.runs.store import RunStore, StoredRound, StoredRun
from clipgrip.runs.untuned_model import Answers, UntunedModel
from clipgrip.task import Task
from clipgrip.types import Mask

METHOD_UNKNOWN = "unknown"
"""``method_id`` of runs from before it was stored."""


@dataclass(frozen=True)
class Outcome:
    """A finished run. ``answers`` are those of the best round, or zero-shot's without rounds."""

    folder: Path
    run: StoredRun
    manifest: Manifest
    ready: Prepared = field(repr=False)
    """Everything before the first round."""
    model: Model = field(repr=False)
    rounds: tuple[StoredRound, ...] = field(repr=False)
    answers: Answers = field(repr=False)
    prompt: PromptFacts = field(repr=False)
    joint: Joint | None = field(default=None, repr=False)
    """The classifier that joins the prompt's answers with labels or pseudolabels; None without one."""

    @property
    def learned(self) -> dict[str, torch.Tensor]:
        """The learned values of the best round; empty for zero-shot."""
        best = best_round(self.rounds)
        return best.learned if best else {}

    @property
    def stopped(self) -> dict[str, Any] | None:
        """The round in which the run was stopped early, why, and the best round as ``kept`` (0: zero-shot)."""
        stop = self.rounds[-1].facts.get("stop") if self.rounds else None
        return {"round": self.rounds[-1].number, **stop} if stop else None

    @property
    def task(self) -> Task:
        return self.ready.task

    @property
    def embeds(self) -> Embeds:
        """The embeddings by the untuned model."""
        return self.ready.embeds

    @property
    def start(self) -> UntunedModel:
        return self.ready.start

    @property
    def zero_shot(self) -> Answers:
        """The answers before anything was learned."""
        return self.ready.zero_shot

    @property
    def _untuned(self) -> Answers | None:
        """`zero_shot`; None where there were no texts to answer by."""
        return self.zero_shot if self.start.has_texts else None

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """The content of metrics.json; only ``created`` and the seconds differ between equal runs."""
        return {
            "clipgrip": self.run.facts["versions"]["clipgrip"],
            "run": self.run.id,
            "created": self.run.created,
            "settings": self.run.settings,
            "method_id": METHOD_UNKNOWN,
            **self.run.facts,
            "labels": self.labels,
            "zero_shot": self._summary(self._untuned) if self._untuned else None,
            "rounds": [done.facts for done in self.rounds],
            "stopped": self.stopped,
            "final": self._summary(self.answers),
            "calibration": calibration_facts(self.answers, self._untuned, self.embeds),
            "seconds": self._seconds(),
        }

    def _summary(self, answers: Answers) -> dict[str, Any]:
        return {
            "pool": pool_summary(
                picked(answers.pool, self.task.unlabeled), len(self.task.absent_classes)
            ),
            "test": test_scores(answers.test, self.embeds.test_labels, ~self.task.seen),
        }

    @cached_property
    def labels(self) -> dict[str, Any] | None:
        """The facts about the given labels, with how many of them the final classifier answers right."""
        taught = self.run.facts.get("labels")
        if not taught:
            return None
        rows = self.task.labeled
        right = int((picked(self.answers.pool, rows).argmax(1) == self.task.labels[rows]).sum())
        return {**taught, "fit": {"right": right, "n": len(rows)}}

    def _seconds(self) -> dict[str, float]:
        seconds = self.run.facts["seconds"] | {
            "rounds": round(sum(done.facts["seconds"] for done in self.rounds), 3)
        }
        return {**seconds, "total": round(sum(seconds.values()), 3)}


def prompt_facts(
    settings: Settings,
    backbone: Model,
    start: UntunedModel,
    *,
    tuned: Prompt | None,
    run: str = "",
    joint: Joint | None = None,
    beside: JoinedEyes | None = None,
) -> PromptFacts:
    """The facts for a checkpoint; ``tuned`` is None where nothing was learned."""
    return PromptFacts(
        kind=kind_of(settings, backbone) if tuned else "zero-shot",
        init=start.method.init,
        class_names=start.classes.display,
        class_prompts=start.classes.prompts,
        settings=settings.model_dump(),
        backbone_fingerprint=backbone.fingerprint,
        precision=backbone.precision,
        image_key=(seen_through(tuned, backbone) if tuned else backbone).image_key,
        embed_dim=backbone.embed_dim,
        logit_scale=backbone.logit_scale,
        run=run,
        head=head_digest(joint),
        eyes=beside.digest if beside else "",
    )


def kind_of(settings: Settings, model: Model) -> str:
    """The kind of prompt that is tuned; a residual on precomputed embeddings."""
    return RESIDUAL if isinstance(model, PrecomputedModel) else settings.prompt


def data_facts(
    manifest: Manifest, task: Task, not_used: int, folders: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The part of metrics.json about the images; ``folders`` where some are named like classes."""
    return {
        "fingerprint": manifest.fingerprint,
        "pool": len(manifest.pool),
        "labeled": len(task.labeled),
        "unlabeled": len(task.unlabeled),
        "test": len(manifest.test),
        "seen": seen_names(manifest.classes, task),
        **({"absent": _names(manifest.classes, task.absent)} if task.absent is not None else {}),
        "not_used": not_used,
        "classes": list(manifest.classes.display),
        "prompts": list(manifest.classes.prompts),
        **({} if folders is None else {"folders": folders}),
    }


def backbone_facts(backbone: Model) -> dict[str, Any]:
    """The part of metrics.json about the model."""
    return {
        "name": backbone.name,
        "fingerprint": backbone.fingerprint,
        "logit_scale": backbone.logit_scale,
        "precision": backbone.precision,
        **({"revision": backbone.revision} if backbone.revision else {}),
    }


def seen_names(classes: ClassNames, task: Task) -> list[str]:
    """Names of the seen classes, which are no candidates for unlabeled images."""
    return _names(classes, task.seen)


def _names(classes: ClassNames, chosen: Mask) -> list[str]:
    return [name for name, one in zip(classes.display, chosen.tolist(), strict=True) if one]


def assemble(
    folder: Path,
    store: RunStore,
    run: StoredRun,
    prepared: PreparedRun,
    listener: Listener,
    *,
    written: PromptFacts | None = None,
) -> Outcome:
    """The outcome of the stored rounds, with the head of the prompt file ``written``.

    Without that file the head is computed again, by the current code and from the images that are still there.
    """
    ready, backbone = prepared.ready, prepared.backbone
    rounds = tuple(store.rounds(run.id))
    best = best_round(rounds)
    learned = best.learned if best else {}
    tuned = ready.start.tuned(learned) if best else None
    through = ready.embeds
    if tuned:
        progress = partial(listener.progress, "answer")
        through = embeds_through(tuned, backbone, ready.embeds, progress)
    joint = (
        _joint_again(run, ready, backbone, best, through)
        if written is None
        else read_head(folder, written)
    )
    facts = prompt_facts(
        settings_of(run),
        backbone,
        ready.start,
        tuned=tuned,
        run=run.id,
        joint=joint,
        beside=ready.beside if joint else None,  # the text alone reads none of it
    )
    return Outcome(
        folder=folder,
        run=run,
        manifest=prepared.manifest,
        ready=ready,
        model=backbone,
        rounds=rounds,
        answers=ready.answers(learned, through, joint),
        prompt=facts,
        joint=joint,
    )


def _joint_again(
    run: StoredRun, ready: Prepared, backbone: Model, best: StoredRound | None, through: Embeds
) -> Joint | None:
    """The head, computed again; ``through`` are all images as the best round's prompt sees them."""
    learning, seen = ready.learning, through
    if learning is not ready:
        tuned = ready.start.tuned(best.learned) if best else None
        seen = embeds_through(tuned, backbone, learning.embeds) if tuned else learning.embeds
    return joint_of_run(run.facts, learning, seen, best)
