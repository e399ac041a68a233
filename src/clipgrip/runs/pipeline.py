"""From files to a finished run. What is stored is never done again; nothing is ever overwritten."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import torch

from clipgrip.backbone.clip import ClipBackbone
from clipgrip.backbone.optional_cache import cache_of
from clipgrip.config import Project
from clipgrip.data.ingest import ingest
from clipgrip.data.issues import Issue
from clipgrip.data.manifest import Manifest
from clipgrip.data.task import Task, paradigm
from clipgrip.errors import RunError
from clipgrip.fewshot.teacher import Teacher
from clipgrip.method import refiner_of, schedule, teacher_of
from clipgrip.prompts.base import learned_parameters
from clipgrip.pseudolabel.refine.refiner import ZERO_SHOT, PoolRefiner
from clipgrip.runs.confidence import estimate_facts
from clipgrip.runs.embedding import Embeds, embed_manifest, model_of, nothing_left
from clipgrip.runs.events import Listener
from clipgrip.runs.identity import machine, run_id, versions
from clipgrip.runs.inputs import inputs_of
from clipgrip.runs.knowledge import knowledge, to_facts
from clipgrip.runs.labels import label_facts
from clipgrip.runs.lock import locked
from clipgrip.runs.outcome import Outcome, assemble, backbone_facts, data_facts, seen_names
from clipgrip.runs.outputs import write_outputs
from clipgrip.runs.place import check_place, choose_folder, is_ours, wanted_folder
from clipgrip.runs.rounds import Start, method_for, run_rounds
from clipgrip.runs.store import RunStore, StoredRun, open_store
from clipgrip.runs.tasks import make_task
from clipgrip.trust.advice import headline, reasons
from clipgrip.trust.folders import folder_facts, folder_sentences
from clipgrip.trust.knowledge import Finding, knows_nothing
from clipgrip.trust.labels import label_sentences, labels_teach
from clipgrip.types import Probs
from clipgrip.words import Words

SAY = Words("en")
"""The language of notes."""


def run(project: Project, listener: Listener | None = None) -> Outcome:
    """Run a project, or go on with it, or only open it, as far as it is done; then write its files.

    Raises:
        ClipgripError: the input cannot be used; the message says what to do.
    """
    hear, began = listener or Listener(), time.monotonic()
    check_place(wanted_folder(project.out, project.images))
    ingested = ingest(
        project.images,
        classes=project.classes,
        labels=project.labels,
        test=project.test,
        encoding=project.encoding,
        folders=not project.ignore_folders,
        on_progress=lambda done, total: hear.progress("hash", done, total),
    )
    folders = folder_facts(ingested)
    for sentence in folder_sentences(folders, SAY):
        hear.note(sentence)
    if ingested.by_folder and project.seen is None and not _has_all_labels(ingested.manifest):
        project = project.model_copy(
            update={"candidates": "all"}
        )  # what lies elsewhere is anything
    for issue in ingested.issues:
        if issue.reason in ("text-encoding", "class-list"):
            hear.note(f"{issue.path}: {issue.detail}.")
    issues = tuple(issue for issue in ingested.issues if not is_ours(ingested.root, issue.path))
    seconds = {"ingest": round(time.monotonic() - began, 3)}
    return carry_out(
        project, ingested.manifest, hear, issues=issues, seconds=seconds, folders=folders
    )


def _has_all_labels(manifest: Manifest) -> bool:
    """Whether each class has a label."""
    return set(manifest.labels[manifest.pool].tolist()) >= set(range(len(manifest.classes)))


def carry_out(
    project: Project,
    manifest: Manifest,
    hear: Listener,
    *,
    issues: tuple[Issue, ...] = (),
    seconds: dict[str, float] | None = None,
    folders: dict[str, Any] | None = None,
) -> Outcome:
    """The run of images that are read and labeled already; of the project's files only ``seen`` is read.

    ``folders`` is what the folders of the images were taken for.

    Raises:
        ClipgripError: as `run`.
    """
    began = time.monotonic()
    backbone = model_of(project.settings)
    method = method_for(project.settings, _expected_task(project, manifest))
    start = Start.of(backbone, manifest.classes, project.settings, method)
    embedded = embed_manifest(
        backbone,
        manifest,
        cache=cache_of(backbone),
        on_progress=lambda done, total: hear.progress("embed", done, total),
    )
    times = {**(seconds or {"ingest": 0.0}), "embed": round(time.monotonic() - began, 3)}
    task = make_task(
        embedded.embeds.pool_labels,
        embedded.manifest.classes,
        seen=project.seen,
        all_candidates=project.candidates == "all",
        encoding=project.encoding,
        note=hear.note,
    )
    start = start.suited_to(task, backbone, project.settings)
    found = knowledge(start, backbone, embedded.embeds, task)
    left = tuple(sorted({*issues, *embedded.issues}))
    job = Job(
        project, backbone, embedded.manifest, embedded.embeds, task, start, left, times, found, folders
    )  # fmt: skip
    return job.finish(hear)


def _expected_task(project: Project, manifest: Manifest) -> Task:
    """The task if every image can be decoded: what can be said against it is said before any is encoded."""
    if len(manifest.pool) == 0:
        raise nothing_left(manifest, ())
    settings, labels = project.settings, torch.from_numpy(manifest.labels[manifest.pool])
    everywhere = settings.candidates == "all"
    task = make_task(
        labels,
        manifest.classes,
        seen=project.seen,
        all_candidates=everywhere,
        encoding=project.encoding,
    )
    schedule(settings.strategy, task, k=settings.k, n_rounds=settings.rounds)
    return task


@dataclass(frozen=True)
class Job:
    """A run whose input is ready: settings, model, images, embeddings, task and untuned prompt."""

    project: Project
    backbone: ClipBackbone
    manifest: Manifest
    embeds: Embeds
    task: Task
    start: Start
    issues: tuple[Issue, ...]
    seconds: dict[str, float]
    found: tuple[Finding, ...] = ()
    """What speaks against zero-shot's answers."""
    folders: dict[str, Any] | None = None

    def finish(self, hear: Listener) -> Outcome:
        """Do what is left to do in the run's folder, under its lock."""
        settings = self.project.settings
        seen = seen_names(self.manifest.classes, self.task)
        identity = run_id(settings, self.manifest, self.backbone, seen, self.start.method)
        folder = choose_folder(self.project.out, self.project.images, identity, hear.note)
        with locked(folder), open_store(folder, create=True) as store:
            stored = store.run(identity) or self._begun(store, identity)
            if not stored.finished:
                self._say_what_is_known(stored.facts, hear)
            self._run_rounds(store, identity, hear)
            store.finish(identity, _now())
            outcome = assemble(
                folder, store, stored, self.backbone, self.manifest, self.embeds, self.task, hear
            )
            write_outputs(outcome, self.issues, hear)
        return outcome

    def _say_what_is_known(self, facts: dict[str, Any], hear: Listener) -> None:
        """Before the rounds: what the labels say, or else what speaks against the answers."""
        for line in label_sentences(facts.get("labels"), SAY):
            hear.note(line)
        if not labels_teach(facts.get("labels")):
            untold = knows_nothing(self.found) and self._teacher is None
            told = [headline(SAY)] if untold else []
            for line in told + reasons(self.found, SAY):
                hear.note(line)

    def _run_rounds(self, store: RunStore, identity: str, hear: Listener) -> None:
        """Nothing to do for zero-shot and for a run that is finished, so its images are not read."""
        stored = store.run(identity)
        if self.project.settings.strategy == "zero-shot" or (stored and stored.finished):
            return
        hear.note(f"Tuning {self._values():,} values of a {self.project.settings.prompt} prompt.")
        inputs = inputs_of(
            self.start.prompt,
            self.backbone,
            self.embeds,
            lambda done, total: hear.progress("pixels", done, total),
        )
        settings = self.project.settings
        run_rounds(
            store,
            identity,
            self.start,
            self.embeds,
            inputs,
            self.task,
            settings,
            hear,
            refine=self._refiner,
            teacher=self._teacher,
        )

    @cached_property
    def _zero_shot(self) -> Probs:
        return self.start.answers({}, self.embeds).pool

    @cached_property
    def _teacher(self) -> Teacher | None:
        """What the labels teach, asked before anything is tuned."""
        method, settings = self.start.method, self.project.settings
        if settings.strategy == "supervised":  # no unlabeled image is learned from
            method = replace(method, refine=ZERO_SHOT)
        texts = self.start.zero_shot
        pool, zero_shot = self.embeds.pool, self._zero_shot
        return teacher_of(method, self.task, pool, zero_shot, texts, seed=settings.seed)

    @cached_property
    def _refiner(self) -> PoolRefiner:
        """One for the estimate and the rounds, so that the first answers are refined once."""
        first = self._zero_shot if self._teacher is None else self._teacher.start
        return refiner_of(self.start.method, self.embeds.pool, first, self._teacher)

    def _values(self) -> int:
        """How many numbers are tuned."""
        tunes = self.project.settings.strategy != "zero-shot"
        return learned_parameters(self.start.prompt) if tunes else 0

    def _begun(self, store: RunStore, identity: str) -> StoredRun:
        if store.run() is not None:
            raise RunError(
                "another run began in the same folder at the same moment. Run the command again."
            )
        facts = {
            "versions": versions(),
            "machine": machine(),
            "data": data_facts(self.manifest, self.task, len(self.issues), self.folders),
            "paradigm": paradigm(self.task),
            "method": self.start.method.facts(),
            "method_id": self.start.method.fingerprint(),
            "knowledge": to_facts(self.found),
            "labels": label_facts(self._teacher, self.embeds),
            "estimate": estimate_facts(
                self._zero_shot,
                None if self._teacher else self._refiner,
                self.embeds,
                self.task,
                self.found,
            ),
            "tuned": {"prompt": self.project.settings.prompt, "values": self._values()},
            "backbone": backbone_facts(self.backbone),
            "seconds": self.seconds,
        }
        fingerprints = self.manifest.fingerprint, self.backbone.fingerprint
        settings = self.project.settings.model_dump()
        run = StoredRun(identity, _now(), None, settings, *fingerprints, facts)
        return store.begin(run, self.manifest)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
