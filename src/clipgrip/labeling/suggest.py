"""A sheet of images that a person should label next: for a folder of images, or for a finished run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from clipgrip.advice.folders import folder_facts, folder_sentences
from clipgrip.advice.labels import labels_teach
from clipgrip.backbone.base import Model
from clipgrip.data.classes import UNLABELED_MARKS, ClassNames, canonical
from clipgrip.data.discover import discover
from clipgrip.data.entries import PATH_COLUMNS
from clipgrip.data.ingest import ingest
from clipgrip.data.issues import Issues
from clipgrip.data.rows import Row
from clipgrip.data.tables import csv_bytes
from clipgrip.files import AnyPath
from clipgrip.labeling.acquire import doubt, helpful, representative
from clipgrip.labeling.coverage import nearest_counts
from clipgrip.method import PRESETS, refiner_of, teacher_of
from clipgrip.prompts.classifier import predict_proba, zero_shot
from clipgrip.prompts.templates import DEFAULT_TEMPLATE, Template
from clipgrip.pseudolabel.refine import refine
from clipgrip.runs.auditing import Sheet
from clipgrip.runs.audits import audited
from clipgrip.runs.embedding import Embeds, embedded
from clipgrip.runs.events import Listener
from clipgrip.runs.knowledge import doubts, knowledge_of
from clipgrip.runs.labels import label_facts
from clipgrip.runs.reopen import reopen
from clipgrip.runs.start import Answers
from clipgrip.runs.store import open_store
from clipgrip.sentences import Sentence, mark
from clipgrip.task import ssl
from clipgrip.trust.knowledge import knows_nothing
from clipgrip.types import ClassEmbeds, ImageEmbeds, Probs
from clipgrip.words import ENGLISH, Words
from clipgrip.written import write_output

HEADER = ("path", "label", "why")
GUESSES = mark(
    "The model seems to know nothing of these classes, so its doubts mean nothing: typical images are chosen."
)
SUGGEST = "suggest"
"""Which command wrote a file."""


@dataclass(frozen=True)
class Suggestions:
    """Images to label, best first, each with a reason; and the labels that are known, so that the sheet has all."""

    rows: tuple[Row, ...] = field(repr=False)
    why: tuple[str, ...] = field(repr=False)
    known: tuple[tuple[str, str], ...] = field(repr=False)
    """(path, class name)"""
    classes: ClassNames | None
    pool: int
    kept_apart: int
    """Images that were drawn for an audit, and are not suggested."""
    answered: int
    """Images that were answered on the review page, and are not suggested again."""


def from_images(
    images: Path,
    n: int,
    backbone: Model,
    *,
    classes: ClassNames | None = None,
    labels: Path | None = None,
    test: Path | None = None,
    template: Template = DEFAULT_TEMPLATE,
    audits: Sequence[Sheet] = (),
    seed: int = 0,
    encoding: str | None = None,
    ignore_folders: bool = False,
    listener: Listener | None = None,
) -> Suggestions:
    """What to label before anything is learned.

    With class names the images that zero-shot, refined by the pool, doubts; without them, and where the model seems to
    know nothing of the classes, the representative ones (docs/decisions/0079).
    Images in folders named like ``classes`` are labeled already, unless ``ignore_folders``. DataError: the images, the
    labels or a sheet cannot be used.
    """
    listener = listener or Listener()
    found = ingest(
        images,
        classes=classes or names_in(images),
        labels=labels,
        test=test,
        encoding=encoding,
        folders=classes is not None and not ignore_folders,
        on_progress=partial(listener.progress, "hash"),
    )
    for sentence in folder_sentences(
        folder_facts(found.by_folder, len(found.manifest.pool), found.issues), ENGLISH
    ):
        listener.note(sentence)
    seen = embedded(backbone, found.manifest, listener)
    issues = Issues(found.issues, seen.issues).in_order()
    if issues:
        first = issues[0]
        counted = Sentence("{n} remarks on files", n=len(issues))
        listener.note(
            Sentence(
                "{counted}. The first: {path}: {detail}",
                counted=counted,
                path=first.path,
                detail=first.detail,
            )
        )
    embeds, names = seen.embeds, found.manifest.classes
    probs = None
    if classes is not None and (texts := zero_shot(backbone, classes.prompts, template)).any():
        probs = _answers(backbone, classes, texts, embeds, seed)
        if probs is None:
            listener.note(Sentence(GUESSES))
    apart = _drawn(audits, embeds.pool_rows, listener)
    return _suggested(embeds, names, probs, n, apart, frozenset(), seed, classes)


def from_run(
    folder: Path,
    n: int,
    *,
    audits: Sequence[Sheet] = (),
    apart: frozenset[str] = frozenset(),
    answered: frozenset[str] = frozenset(),
    seed: int = 0,
    listener: Listener | None = None,
) -> Suggestions:
    """What to label after a finished run: the images whose answers help its answers most.

    Args:
        folder: of the run whose answers count.
        n: how many images a person will label.
        audits: sheets whose images are never suggested.
        apart: content hashes of other images that are never suggested.
        answered: content hashes of images that people answered elsewhere, which are not asked again.
        seed: of the sample that stands for very many images.
        listener: told how far it is.

    Raises:
        RunError: the folder holds no finished run.
        BackboneError: the model is not here, or is another one than the run's.
    """
    listener = listener or Listener()
    outcome = reopen(folder, listener)
    embeds, classes = outcome.embeds, outcome.manifest.classes
    with open_store(folder) as store:
        apart |= audited(store, outcome.run.id) | _drawn(audits, embeds.pool_rows, listener)
    probs = None if knows_nothing(doubts(outcome.metrics)) else outcome.answers.pool
    if probs is None:
        listener.note(Sentence(GUESSES))
    return _suggested(embeds, classes, probs, n, apart, answered - apart, seed, classes)


def write_suggestions(place: AnyPath, found: Suggestions, say: Words = ENGLISH) -> None:
    """``path,label,why``: the suggested images with an empty label, then those whose label is known."""
    why = map(say.translated, found.why)
    rows = [(row.path, "", reason) for row, reason in zip(found.rows, why, strict=True)]
    known = [(path, label, say("known already")) for path, label in found.known]
    write_output(place, csv_bytes(HEADER, [*rows, *known]), SUGGEST)


def _answers(
    backbone: Model, classes: ClassNames, texts: ClassEmbeds, embeds: Embeds, seed: int
) -> Probs | None:
    """(N, C) that a run's first round would learn from: refined, from texts and labels joined; None for guesses."""
    images, labels, scale = embeds.pool, embeds.pool_labels, backbone.logit_scale
    method, task = PRESETS["default"]["textual"], ssl(labels, len(texts))
    answers = Answers(*(predict_proba(part, texts, scale) for part in (images, embeds.test)))
    text_probs = answers.pool
    teacher = teacher_of(method, task, images, text_probs, texts, seed=seed)
    found = knowledge_of(backbone, classes, texts, embeds, answers, task)
    if knows_nothing(found) and not labels_teach(label_facts(teacher, embeds, ())):
        return None
    if teacher is None:
        return refine(images, texts, logit_scale=scale, labeled=labels)
    return refiner_of(method, images, teacher.start, teacher)(teacher.start, task).probs


def _suggested(
    embeds: Embeds,
    names: ClassNames,
    probs: Probs | None,
    n: int,
    apart: frozenset[str],
    answered: frozenset[str],
    seed: int,
    classes: ClassNames | None,
) -> Suggestions:
    labels, rows = embeds.pool_labels, embeds.pool_rows
    elsewhere = torch.from_numpy(rows.among(answered))
    barred = torch.from_numpy(rows.among(apart)).nonzero().squeeze(1)
    known = (elsewhere | (labels >= 0)).nonzero().squeeze(1)
    if probs is None:
        chosen = representative(embeds.pool, n, labeled=known, excluded=barred, seed=seed)
    else:
        chosen = helpful(embeds.pool, probs, n, labeled=known, excluded=barred, seed=seed)
    labeled = [(row.path, names.display[row.label]) for row in rows if row.label >= 0]
    return Suggestions(
        rows=tuple(rows[row] for row in chosen.tolist()),
        why=_reasons(embeds.pool, chosen, known, probs),
        known=tuple(sorted(labeled)),
        classes=classes,
        pool=len(rows),
        kept_apart=len(barred),
        answered=int(elsewhere.sum()),
    )


def _reasons(
    images: ImageEmbeds, chosen: Tensor, known: Tensor, probs: Probs | None
) -> tuple[str, ...]:
    """Plain words for each chosen image. The model's answers are left out: they lead people on."""
    near = nearest_counts(images, torch.cat([chosen, known]))[: len(chosen)].tolist()
    total = len(images)
    if probs is None:
        text = mark("typical: stands for {count} of {total} images")
        return tuple(Sentence(text, count=count, total=total) for count in near)
    sure = (100 * (1 - doubt([probs])[chosen])).floor().int().tolist()
    text = mark("the model is {percent}% sure; stands for {count} of {total} images")
    return tuple(
        Sentence(text, percent=percent, count=count, total=total)
        for percent, count in zip(sure, near, strict=True)
    )


def names_in(images: Path) -> ClassNames:
    """The labels that a table of images brings; two names stand in where there are none."""
    claims = discover(images).claims if images.is_file() else ()
    names = dict.fromkeys(canonical(claim.label) for claim in claims)
    known = [name for name in names if name not in UNLABELED_MARKS]
    return ClassNames.from_names([*known, "class 1", "class 2"] if len(known) < 2 else known)


def _drawn(sheets: Iterable[Sheet], rows: Sequence[Row], listener: Listener) -> frozenset[str]:
    """Content hashes of the images that stand on the sheets of audits."""
    places = {canonical(path): row.sha256 for row in rows for path in row.paths}
    found: set[str] = set()
    for sheet in sheets:
        column = sheet.table.need(PATH_COLUMNS)
        drawn = {canonical(cells[column]) for cells in sheet.table.rows}
        here = {places[path] for path in drawn if path in places}
        if not here:
            listener.note(
                Sentence(
                    "{name} is the sheet of an audit, but none of its {n_drawn} images is among these.",
                    name=sheet.table.name,
                    n_drawn=len(drawn),
                )
            )
        found |= here
    return frozenset(found)
