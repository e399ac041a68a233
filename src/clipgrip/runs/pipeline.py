"""Carries out a run, from input files to its outputs. Stored work is never repeated, and nothing is overwritten."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from clipgrip.advice.doubted import in_short
from clipgrip.advice.folders import folder_facts, folder_sentences
from clipgrip.advice.labels import labels_teach
from clipgrip.advice.model import headline
from clipgrip.backbone.base import Model
from clipgrip.backbone.eyes import check_here
from clipgrip.backbone.precomputed import PrecomputedModel
from clipgrip.clock import now
from clipgrip.config import Project, Settings
from clipgrip.data.embeddings import embeddings_at
from clipgrip.data.ingest import Ingested, ingest
from clipgrip.data.issues import Issue, Issues
from clipgrip.data.manifest import Manifest
from clipgrip.data.occurring import checked_classes
from clipgrip.errors import RunError
from clipgrip.executors import current
from clipgrip.prompts.base import learned_parameters
from clipgrip.runs.checkpoint import RESIDUAL
from clipgrip.runs.confidence import estimate_facts
from clipgrip.runs.events import Listener
from clipgrip.runs.eyes import with_named_eyes
from clipgrip.runs.identity import machine, run_id, versions
from clipgrip.runs.inputs import inputs_of
from clipgrip.runs.knowledge import knowledge
from clipgrip.runs.labels import label_facts
from clipgrip.runs.lock import locked
from clipgrip.runs.naming import doubted_names, name_facts, to_tell
from clipgrip.runs.outcome import (
    Outcome,
    assemble,
    backbone_facts,
    data_facts,
    kind_of,
    seen_names,
)
from clipgrip.runs.outputs import write_outputs
from clipgrip.runs.precomputed import (
    classes_of,
    embedding_settings,
    image_settings,
    model_of_run,
    unused_settings,
    write_precomputed,
)
from clipgrip.runs.prepare import Prepared, PreparedRun, prepare
from clipgrip.runs.rounds import run_rounds
from clipgrip.runs.run_folder import (
    check_place,
    choose_folder,
    is_ours,
    wanted_folder,
    with_stored_engine,
)
from clipgrip.runs.store import RunStore, StoredRun, open_store
from clipgrip.runs.tasks import LABELS_ALONE, by_labels_alone, read_seen, with_folder_labels
from clipgrip.runs.tuning_sample import sample_facts, sample_sentence
from clipgrip.sentences import Sentence, mark
from clipgrip.task import paradigm
from clipgrip.trust.knowledge import Finding, knows_nothing
from clipgrip.words import Words

PROMPT = mark("Tuning {values} values of a {prompt} prompt.")
RESIDUALS = mark("Tuning {values} values: a shift of each class embedding.")
SEEN_AND_ALL = Sentence(
    "--seen is not used: with --candidates all an image without a label may be of any class."
)
MANY_CLASSES = 5000
MANY = mark("{n} classes make each step slow, so minutes may pass without a word.")
SAY = Words("en")
"""Sentences of notes are English; the listener translates them."""


def run(project: Project, listener: Listener | None = None) -> Outcome:
    """Run a project, or resume it where it was stopped, and write its files.

    ClipgripError: the input cannot be used; the message says what to do.
    """
    listener, began = listener or Listener(), time.monotonic()
    wanted = wanted_folder(project.out, project.images)
    check_place(wanted)
    embedded = embeddings_at(project.images)  # kept, so that the file is read only once
    settings = embedding_settings(project) if embedded is not None else image_settings(project)
    if embedded is None:
        check_here(settings.backbone, settings.eye)
    elif (unused := unused_settings(project)) is not None:
        listener.note(unused)
    ingested = ingest(
        project.images,
        classes=checked_classes(settings.may_occur, classes_of(project), project.encoding),
        labels=project.labels,
        test=project.test,
        encoding=project.encoding,
        folders=not project.ignore_folders,
        on_progress=lambda done, total: listener.progress("hash", done, total),
    )
    folders = _remarks(ingested, listener)
    issues = Issues(one for one in ingested.issues if not is_ours(ingested.root, one.path))
    seconds = {"ingest": round(time.monotonic() - began, 3)}
    manifest, seen = ingested.manifest, None
    if ingested.by_folder and project.seen is None:
        settings = with_folder_labels(settings, manifest)
    model = model_of_run(project, manifest) if embedded is not None else None
    if model is not None and not model.texts:
        settings = by_labels_alone(settings, listener.note)
    if project.seen:
        seen = _seen_classes(project, manifest, settings, listener)
    return carry_out(
        settings,
        manifest,
        wanted,
        listener,
        seen=seen,
        issues=issues,
        seconds=seconds,
        folders=folders,
        model=model,
    )


def _seen_classes(
    project: Project, manifest: Manifest, settings: Settings, listener: Listener
) -> list[int] | None:
    """The seen classes of a project; None, with a note, where unlabeled images may be of any class anyway."""
    assert project.seen is not None
    given = torch.from_numpy(manifest.labels[manifest.pool])
    seen = read_seen(project.seen, given, manifest.classes, project.encoding)
    if settings.candidates != "all":
        return seen
    alone = Sentence(LABELS_ALONE, option="--seen")
    listener.note(alone if project.candidates == "auto" else SEEN_AND_ALL)
    return None


def _remarks(ingested: Ingested, listener: Listener) -> dict[str, Any] | None:
    """Give notes on how folders and text files were read; returns the facts about folders named like classes."""
    if (classes := len(ingested.manifest.classes)) >= MANY_CLASSES:
        listener.note(Sentence(MANY, n=f"{classes:,}"))
    folders = folder_facts(ingested.by_folder, len(ingested.manifest.pool), ingested.issues)
    for sentence in folder_sentences(folders, SAY):
        listener.note(sentence)
    for issue in ingested.issues.among(("text-encoding", "class-list")):
        listener.note(Sentence("{path}: {detail}.", path=issue.path, detail=issue.detail))
    return folders


def carry_out(
    settings: Settings,
    manifest: Manifest,
    wanted: Path,
    listener: Listener,
    *,
    seen: Sequence[int] | None = None,
    issues: Iterable[Issue] = (),
    seconds: dict[str, float] | None = None,
    folders: dict[str, Any] | None = None,
    model: Model | None = None,
) -> Outcome:
    """Run on a manifest, in the folder ``wanted`` or a numbered one beside it.

    Args:
        seen: positions of the classes whose images are all labeled; None where nobody says so.
        issues: of the ingestion, for issues.csv.
        seconds: spent so far, by stage.
        folders: facts about folders named like classes, for metrics.json.
        model: the model of the settings, where it is loaded already.

    ClipgripError as `run`.
    """
    began = time.monotonic()
    settings = with_stored_engine(with_named_eyes(settings), wanted)
    prepared = prepare(settings, manifest, listener, seen=seen, model=model)
    current().rest()
    times = {**(seconds or {"ingest": 0.0}), "embed": round(time.monotonic() - began, 3)}
    findings = knowledge(prepared.ready, prepared.backbone)
    all_issues = Issues(issues, prepared.issues).in_order()
    return Job(prepared, wanted, all_issues, times, findings, folders).finish(listener)


@dataclass(frozen=True)
class Job:
    """A prepared run, and the folder where it goes unless that holds another one."""

    prepared: PreparedRun
    wanted: Path
    issues: Issues
    seconds: dict[str, float]
    findings: tuple[Finding, ...] = ()
    """Findings against zero-shot's answers (`runs.knowledge`)."""
    folders: dict[str, Any] | None = None

    @property
    def ready(self) -> Prepared:
        return self.prepared.ready

    def finish(self, listener: Listener) -> Outcome:
        """Do what is not stored yet in the run's folder, under its lock."""
        manifest, ready = self.prepared.manifest, self.ready
        seen = seen_names(manifest.classes, ready.task)
        backbone = self.prepared.backbone
        eyes = ready.eye_banks.keys if ready.eye_banks else ()
        identity = run_id(ready.settings, manifest, backbone, seen, ready.method, eyes=eyes)
        folder = choose_folder(self.wanted, identity, listener.note)
        with locked(folder), open_store(folder, create=True) as store:
            if isinstance(backbone, PrecomputedModel):
                write_precomputed(folder, backbone)
            stored = store.run(identity) or self._store_new_run(store, identity)
            if not stored.finished:
                self._warn_before_rounds(stored.facts, listener)
            self._run_rounds(store, identity, listener)
            store.finish(identity, now())
            outcome = assemble(folder, store, stored, self.prepared, listener)
            write_outputs(outcome, self.issues, listener)
        return outcome

    def _warn_before_rounds(self, facts: dict[str, Any], listener: Listener) -> None:
        """Report what may be a reason to stop before the rounds; everything else is said at the end."""
        if sampled := sample_sentence(facts):
            listener.step(sampled)
        guesses = knows_nothing(self.findings) and self.ready.learning.teacher is None
        if guesses and not labels_teach(facts.get("labels")):
            listener.step(headline(SAY))  # the end gives the reasons
        if doubted := [to_tell(one) for one in doubted_names(facts)]:
            listener.step(in_short(doubted, self.ready.task.n_classes, SAY))

    def _run_rounds(self, store: RunStore, identity: str, listener: Listener) -> None:
        """Run the missing rounds. For zero-shot and finished runs no image has to be read for pixels."""
        stored, ready = store.run(identity), self.ready
        if not ready.ks or (stored and stored.finished):
            return
        if tuned := self._tuned_values():
            kind = kind_of(ready.settings, self.prepared.backbone)
            text = RESIDUALS if kind == RESIDUAL else PROMPT
            prompt = ready.settings.prompt
            listener.detail(Sentence(text, values=f"{tuned:,}", prompt=prompt))
        progress = partial(listener.progress, "pixels")
        learning = ready.learning
        inputs = inputs_of(ready.start.prompt, self.prepared.backbone, learning.embeds, progress)
        run_rounds(store, identity, learning, inputs, listener)

    def _tuned_values(self) -> int:
        """How many values are tuned; 0 where labels alone decide."""
        start = self.ready.start
        return learned_parameters(start.prompt) if self.ready.ks and start.has_texts else 0

    def _accuracy_estimate(self) -> dict[str, Any] | None:
        """The estimate of zero-shot's accuracy; None without texts."""
        known = self.ready.learning
        if known.text_answers is None:
            return None
        refiner = None if known.teacher else known.refiner
        return estimate_facts(known.text_answers, refiner, known.embeds, known.task, self.findings)

    def _store_new_run(self, store: RunStore, identity: str) -> StoredRun:
        if store.run() is not None:
            raise RunError(
                mark(
                    "another run began in the same folder at the same moment. Run the command again."
                )
            )
        ready, backbone, manifest = self.ready, self.prepared.backbone, self.prepared.manifest
        learning = ready.learning
        facts = {
            "versions": versions(),
            "machine": machine(),
            "data": data_facts(manifest, ready.task, len(self.issues), self.folders),
            "paradigm": paradigm(ready.task),
            "method": ready.method.facts(),
            "method_id": ready.method.fingerprint(),
            "knowledge": [{"kind": one.kind, **one.values} for one in self.findings],
            "names": name_facts(ready, self.findings),
            "labels": label_facts(
                learning.teacher, learning.embeds, ready.ks, manifest.classes.display
            ),
            "estimate": self._accuracy_estimate(),
            **sample_facts(learning.task, ready.task),
            "tuned": {"prompt": kind_of(ready.settings, backbone), "values": self._tuned_values()},
            "backbone": backbone_facts(backbone),
            **({"eyes": ready.eye_banks.facts(read=ready.compares)} if ready.eye_banks else {}),
            "seconds": self.seconds,
        }
        fingerprints = manifest.fingerprint, backbone.fingerprint
        run = StoredRun(identity, now(), None, ready.settings.model_dump(), *fingerprints, facts)
        return store.begin(run, manifest)
