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
from clipgrip.backbone.base import Eye, Model
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
from clipgrip.runs.audit_sheet import Sheet
from clipgrip.runs.audit_store import audited
from clipgrip.runs.embedding import EmbeddedManifest, Embeds, embed_with_cache
from clipgrip.runs.events import Listener
from clipgrip.runs.eyes import embed_eyes
from clipgrip.runs.knowledge import doubts, knowledge_of
from clipgrip.runs.labels import label_facts
from clipgrip.runs.reopen import reopen
from clipgrip.runs.store import open_store
from clipgrip.runs.untuned_model import Answers
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
    eyes: Sequence[Eye] = (),
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
    seen = embed_with_cache(backbone, found.manifest, listener)
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
    names, probs, texts = found.manifest.classes, None, None
    if classes is not None:
        texts = zero_shot(backbone, classes.prompts, template)
        texts = texts if bool(texts.any()) else None
    embeds = _joined(backbone, eyes, seen, texts, listener)
    if classes is not None and texts is not None:
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


def _joined(
    backbone: Model,
    eyes: Sequence[Eye],
    seen: EmbeddedManifest,
    texts: ClassEmbeds | None,
    listener: Listener,
) -> Embeds:
    """What the eyes see beside the model, as a run would join it."""
    own, settings = seen.embeds, PRESETS["default"]["textual"].banks
    answers = None if texts is None else predict_proba(own.pool, texts, backbone.logit_scale)
    return embed_eyes(eyes, seen, answers, own.pool_labels, listener, settings=settings)[0]


def _answers(
    backbone: Model, classes: ClassNames, texts: ClassEmbeds, embeds: Embeds, seed: int
) -> Probs | None:
    """(N, C) the answers that a run's first round would learn from; None if they are guesses (`knows_nothing`)."""
    images, labels, scale = embeds.pool, embeds.pool_labels, backbone.logit_scale
    method, task = PRESETS["default"]["textual"], ssl(labels, len(texts))
    answers = Answers(*(predict_proba(part, texts, scale) for part in (images, embeds.test)))
    text_probs = answers.pool
    joined, eyes = embeds.pool_joined, embeds.pool_joined.shape[1] - images.shape[1]
    teacher = teacher_of(method, task, joined, text_probs, texts, seed=seed, eye_columns=eyes)
    found = knowledge_of(backbone, classes, texts, embeds, answers, task)
    if knows_nothing(found) and not labels_teach(label_facts(teacher, embeds, ())):
        return None
    first = text_probs if teacher is None else teacher.start
    return refiner_of(method, joined, first, teacher, eye_columns=eyes)(first, task).probs


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
    images, labels, rows = embeds.pool_joined, embeds.pool_labels, embeds.pool_rows
    elsewhere = torch.from_numpy(rows.among(answered))
    barred = torch.from_numpy(rows.among(apart)).nonzero().squeeze(1)
    known = (elsewhere | (labels >= 0)).nonzero().squeeze(1)
    if probs is None:
        chosen = representative(images, n, labeled=known, excluded=barred, seed=seed)
    else:
        chosen = helpful(images, probs, n, labeled=known, excluded=barred, seed=seed)
    labeled = [(row.path, names.display[row.label]) for row in rows if row.label >= 0]
    return Suggestions(
        rows=tuple(rows[row] for row in chosen.tolist()),
        why=_reasons(images, chosen, known, probs),
        known=tuple(sorted(labeled)),
        classes=classes,
        pool=len(rows),
        kept_apart=len(barred),
        answered=int(elsewhere.sum()),
    )


def _reasons(
    images: ImageEmbeds, chosen: Tensor, known: Tensor, probs: Probs | None
) -> tuple[str, ...]:
    """Why each image was chosen. The model's answer is left out, because it would influence people."""
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
    """The class names of a table of images; two placeholders if it holds fewer than two."""
    labels = discover(images).labels if images.is_file() else ()
    names = dict.fromkeys(canonical(one.label) for one in labels)
    known = [name for name in names if name not in UNLABELED_MARKS]
    return ClassNames.from_names([*known, "class 1", "class 2"] if len(known) < 2 else known)


def _drawn(sheets: Iterable[Sheet], rows: Sequence[Row], listener: Listener) -> frozenset[str]:
    """Content hashes of the images that are listed on sheets of audits; a note if none of a sheet's images is here."""
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
