"""Prepares everything before the first round: for a new run, a stored one, `GripClassifier` and benchmarks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clipgrip.backbone.base import Eye, Model
from clipgrip.backbone.clip import ClipBackbone
from clipgrip.backbone.fastest import onnx_hint
from clipgrip.backbone.precomputed import PrecomputedModel
from clipgrip.config import Settings
from clipgrip.data.classes import ClassNames
from clipgrip.data.issues import Issues
from clipgrip.data.manifest import Manifest
from clipgrip.data.rows import NO_ROWS
from clipgrip.errors import BackboneError
from clipgrip.fewshot.joint import Joint
from clipgrip.fewshot.teacher import Teacher
from clipgrip.method import Method, learn, refiner_of, schedule, teacher_of
from clipgrip.prompts.residual import ResidualPrompt
from clipgrip.pseudolabel.banks import BankMap
from clipgrip.pseudolabel.refine import without_absent
from clipgrip.pseudolabel.refine.refiner import ZERO_SHOT, PoolRefiner
from clipgrip.runs import tuning_sample
from clipgrip.runs.embedding import (
    EmbeddedManifest,
    Embeds,
    embed_with_cache,
    load_model,
    nothing_left,
    with_engine,
)
from clipgrip.runs.events import Listener
from clipgrip.runs.eyes import EyeFacts, JoinedEyes, embed_eyes, eyes_of
from clipgrip.runs.identity import settings_of
from clipgrip.runs.precomputed import is_precomputed, read_precomputed
from clipgrip.runs.store import RunStore, StoredRun
from clipgrip.runs.tasks import stored_task, task_rule
from clipgrip.runs.tuning_sample import embeds_of, sample_rows, task_of
from clipgrip.runs.untuned_model import Answers, UntunedModel, method_for
from clipgrip.strategy import Reached, Round
from clipgrip.task import Task
from clipgrip.training import memory
from clipgrip.training.state import Keeper
from clipgrip.types import ClassEmbeds, Labels, Probs, WideEmbeds


@dataclass(frozen=True)
class Prepared:
    """A pool that is ready for its rounds; derived values are computed once, on first use."""

    settings: Settings
    start: UntunedModel
    embeds: Embeds = field(repr=False)
    task: Task = field(repr=False)
    eye_banks: JoinedEyes | None = field(default=None, repr=False)
    """The eyes and their weights; None without eyes."""

    @property
    def beside(self) -> JoinedEyes | None:
        return self.eye_banks.counting if self.eye_banks else None

    @property
    def method(self) -> Method:
        return self.start.method

    @cached_property
    def ks(self) -> list[int]:
        """Pseudolabels per class in each round; empty for zero-shot."""
        settings = self.settings
        return schedule(settings.strategy, self.task, k=settings.k, n_rounds=settings.rounds)

    @property
    def worthwhile_ks(self) -> Sequence[int]:
        """The ``ks`` of the rounds that are run: with labels, held-out ones may show that more rounds do not help."""
        return self.ks if self.teacher is None else self.teacher.worthwhile(self.ks)

    @property
    def compares(self) -> bool:
        """Whether anything compares images, and so uses the eyes: a refinement or a head."""
        method = self.method
        return bool(self.ks) and (method.refine != ZERO_SHOT or method.head is not None)

    @cached_property
    def learning(self) -> Prepared:
        """What the rounds learn from: this, or a sample of a pool of more than ``memory.TUNED_ROWS`` rows."""
        most, seed = memory.TUNED_ROWS, self.settings.seed
        rows = self.embeds.pool_rows
        hashes = rows.sha256s() if len(rows) else tuning_sample.vector_hashes(self.embeds.pool)
        drawn = sample_rows(self.task, hashes, most, seed) if self.ks else None
        if drawn is None:
            return self
        return replace(self, embeds=embeds_of(self.embeds, drawn), task=task_of(self.task, drawn))

    @cached_property
    def zero_shot(self) -> Answers:
        """The answers before anything is learned."""
        return self.answers({}, self.embeds, None)

    def answers(self, learned: dict[str, Tensor], through: Embeds, joint: Joint | None) -> Answers:
        """As `UntunedModel.answers`, those for the pool among the classes that may occur."""
        found = self.start.answers(learned, through, joint)
        return replace(found, pool=without_absent(found.pool, self.task.absent))

    @cached_property
    def teacher(self) -> Teacher | None:
        """What the labels teach before anything is tuned; None without labels, or where they teach nothing."""
        if not self.ks:
            return None
        # without rounds that use unlabeled images, held-out labels are tested without refinement too
        method = self.method if any(self.ks) else replace(self.method, refine=ZERO_SHOT)
        pool, texts = self.embeds.pool_joined, self.start.texts
        seed, eyes = self.settings.seed, self.eye_columns
        return teacher_of(
            method, self.task, pool, self.text_answers, texts, seed=seed, eye_columns=eyes
        )

    @property
    def eye_columns(self) -> int:
        """How many of the last columns of ``embeds.pool_joined`` are the eyes'; texts read only the others."""
        return self.embeds.pool_joined.shape[1] - self.start.zero_shot.shape[1]

    @property
    def text_answers(self) -> Probs | None:
        """(N, C) zero-shot's answers for the pool; None without texts."""
        return self.zero_shot.pool if self.start.has_texts else None

    @property
    def first(self) -> Probs:
        """(N, C) the answers that the rounds begin with: zero-shot's, joined with the labels."""
        return self.zero_shot.pool if self.teacher is None else self.teacher.start

    @cached_property
    def refiner(self) -> PoolRefiner:
        """Shared by the accuracy estimate and the rounds, so that the first answers are refined only once."""
        pool, eyes = self.embeds.pool_joined, self.eye_columns
        return refiner_of(self.method, pool, self.first, self.teacher, eye_columns=eyes)

    def learn(
        self,
        inputs: Tensor,
        reached: Reached | None = None,
        *,
        on_step: Callable[[int, int, float], None] = lambda *_: None,
        keeper: Keeper | None = None,
    ) -> Iterator[Round]:
        """The rounds after ``reached``; ``inputs`` (N, ...) are the pool as the prompt consumes it."""
        return learn(
            self.start.prompt,
            inputs,
            self.task,
            reached or Reached(0, self.first),
            ks=self.worthwhile_ks,
            method=self.method,
            image_embeds=self.embeds.pool_joined,
            beside=self.embeds.pool_beside,
            refine=self.refiner,
            teacher=self.teacher,
            texts=self.start.texts,
            seed=self.settings.seed,
            on_step=on_step,
            keeper=keeper,
        )


@dataclass(frozen=True)
class PreparedRun:
    """A prepared pool with the model and manifest it came from; ``issues`` are of images that could not be decoded."""

    backbone: Model = field(repr=False)
    manifest: Manifest = field(repr=False)
    ready: Prepared
    issues: Issues


def prepare(
    settings: Settings,
    manifest: Manifest,
    listener: Listener,
    *,
    seen: Sequence[int] | None = None,
    method: Method | None = None,
    model: Model | None = None,
) -> PreparedRun:
    """Prepare a run on a manifest.

    The task is checked before any image is encoded, and again afterwards, as undecodable images may change it. In the
    settings of the result, the model's engine stands in the place of ``auto``.

    Args:
        seen: positions of the classes whose images are all labeled; None where nobody says so.
        method: replaces that of the preset.
        model: the model of the settings, where it is loaded already; required for precomputed embeddings.

    ClipgripError: no image is left, or the task, the model, the texts or the images cannot be used.
    """
    backbone, classes = model or load_model(settings), manifest.classes
    if isinstance(backbone, ClipBackbone) and backbone.has_choice and (advice := onnx_hint()):
        listener.note(advice)
    settings = with_engine(settings, backbone)
    eyes = backbone.eyes if isinstance(backbone, PrecomputedModel) else eyes_of(settings, backbone)
    if len(manifest.pool) == 0:
        raise nothing_left(manifest, Issues())
    settings, task_for = task_rule(settings, classes, seen)
    expected = task_for(torch.from_numpy(manifest.labels[manifest.pool]))
    schedule(settings.strategy, expected, k=settings.k, n_rounds=settings.rounds)
    start = UntunedModel.of(backbone, classes, settings, method_for(settings, expected, method))
    found = embed_with_cache(backbone, manifest, listener)
    task = task_for(found.embeds.pool_labels, note=listener.note)
    start = start.suited_to(task, backbone, settings, method)
    ready = _with_eyes(eyes, Prepared(settings, start, found.embeds, task), found, listener)
    return PreparedRun(backbone, found.manifest, ready, found.issues)


def prepare_stored(
    folder: Path,
    store: RunStore,
    run: StoredRun,
    listener: Listener,
    *,
    beside: JoinedEyes | None = None,
) -> PreparedRun:
    """Prepare a stored run again; ``beside`` holds the weights by which it joined the embeddings of its eyes.

    BackboneError: the model is not here, or is another one than the run's.
    """
    settings, manifest = settings_of(run), store.manifest(run.id)
    counting = [EyeFacts(**_eye_facts(one)) for one in run.facts.get("eyes", ()) if one["weight"]]
    backbone: Model
    if is_precomputed(settings):
        backbone = given = read_precomputed(folder, run.backbone_fingerprint)
        names = {one.name for one in counting}
        eyes: list[Eye] = [eye for eye in given.eyes if eye.name in names]
    else:
        backbone, eyes = load_model(settings), [one.load() for one in counting]
    if backbone.fingerprint != run.backbone_fingerprint:
        raise BackboneError(
            'the run in {folder} was made with another model than "{backbone}" as it is here now. '
            "Bring back the same model, or run anew.",
            folder=folder,
            backbone=settings.backbone,
        )
    found = embed_with_cache(backbone, manifest, listener)
    task = stored_task(found.embeds.pool_labels, manifest.classes, run.facts["data"])
    known = run.facts.get("method")
    method = Method.from_facts(known) if known else method_for(settings, task)
    start = UntunedModel.of(backbone, found.manifest.classes, settings, method)
    ready = Prepared(settings, start, found.embeds, task)
    ready = _with_eyes(eyes, ready, found, listener, None if beside is None else beside.banks)
    return PreparedRun(backbone, found.manifest, ready, found.issues)


def _with_eyes(
    eyes: Sequence[Eye],
    ready: Prepared,
    found: EmbeddedManifest,
    listener: Listener,
    banks: BankMap | None = None,
) -> Prepared:
    """Add the embeddings of the eyes, weighted by ``banks`` or by what fits the pool."""
    known = ready.text_answers, ready.task.labels, listener
    embeds, eye_banks = embed_eyes(eyes, found, *known, settings=ready.method.banks, banks=banks)
    return replace(ready, embeds=embeds, eye_banks=eye_banks)


def _eye_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `EyeFacts` among the facts that a run stores about an eye."""
    return {one.name: facts[one.name] for one in fields(EyeFacts)}


def prepare_arrays(
    image_embeds: WideEmbeds,
    labels: Labels,
    classes: ClassNames,
    class_embeds: ClassEmbeds,
    logit_scale: float,
    *,
    settings: Settings,
    method: Method,
) -> Prepared:
    """Prepare embeddings (N, D) with labels (N,), -1 for unlabeled, and class embeddings (C, D).

    There is no text tower, so a residual of the class embeddings is tuned. Several banks have to be joined already.
    """
    settings, task_for = task_rule(settings, classes)
    pool = image_embeds.to(class_embeds.dtype)
    prompt = ResidualPrompt.untuned(class_embeds, logit_scale)
    start = UntunedModel(classes, class_embeds, prompt, method)
    return Prepared(settings, start, Embeds(pool, pool[:0], NO_ROWS, NO_ROWS), task_for(labels))
