"""Makes the task from the labels: they, or a list of seen classes, decide between UL, SSL and TRZSL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from clipgrip.config import Settings
from clipgrip.data.classes import ClassNames, canonical
from clipgrip.data.manifest import Manifest
from clipgrip.data.text import read_text
from clipgrip.errors import DataError, nearest
from clipgrip.sentences import Sentence
from clipgrip.task import Task, ssl, trzsl, ul
from clipgrip.types import Labels
from clipgrip.words import mark

NO_CLASS = mark('{place} line {line}: no class is called "{name}". Known: {known}.{nearest}')


def make_task(
    labels: Labels,
    classes: ClassNames,
    *,
    seen: Sequence[int] | None = None,
    all_candidates: bool,
    note: Callable[[str], None] = lambda _: None,
) -> Task:
    """UL without labels, SSL with labels for each class, TRZSL with labels for some classes only.

    ``seen`` are positions of the classes whose images are all labeled; by default those with any label.
    """
    labeled = sorted(set(labels[labels >= 0].tolist()))
    if not labeled and not seen:
        return ul(len(labels), len(classes))
    known = labeled if seen is None else sorted(set(seen))
    if all_candidates or len(known) == len(classes):
        return ssl(labels, len(classes))
    _check_labeled(known, labeled, classes)
    note(_explain(known, classes))
    return trzsl(labels, len(classes), known)


def with_folder_labels(settings: Settings, manifest: Manifest) -> Settings:
    """The settings for labels from folder names: images elsewhere may be of any class, so all are candidates.

    Where each class has a label that is the case anyway; then the settings, which are a part of the run's id, stay.
    """
    labeled = set(manifest.labels[manifest.pool].tolist())
    if labeled >= set(range(len(manifest.classes))):
        return settings
    return settings.model_copy(update={"candidates": "all"})


def stored_task(labels: Labels, classes: ClassNames, seen: Sequence[str]) -> Task:
    """The task of a stored run, whose seen classes are kept by name."""
    return Task(labels, torch.tensor([name not in seen for name in classes.display]))


def read_seen(
    path: Path, labels: Labels, classes: ClassNames, encoding: str | None = None
) -> list[int]:
    """Positions of seen classes from a file with one name a line. DataError: an unknown name, or no labels at all."""
    lines = [canonical(line) for line in read_text(path, encoding).splitlines()]
    places = {name: number for number, name in reversed([*enumerate(lines, 1)]) if name}
    for name, number in places.items():
        if name not in classes:
            known, slip = classes.listing(), nearest(name, classes.display)
            where = {"place": path.name, "line": number}
            raise DataError(NO_CLASS, **where, name=name, known=known, nearest=slip)
    seen = sorted(classes.index(name) for name in places)
    if not (labels >= 0).any():
        raise DataError(
            "{name} names seen classes, but no image of the pool is labeled. Give --labels too, or "
            "leave --seen away.",
            name=path.name,
        )
    return seen


def _check_labeled(seen: list[int], labeled: list[int], classes: ClassNames) -> None:
    for position in seen:
        if position not in labeled:
            raise DataError(
                'class "{klass}" is named as seen, but no image of the pool has that label. Label '
                "some, or take the class out of the list.",
                klass=classes.display[position],
            )


def _explain(seen: list[int], classes: ClassNames) -> str:
    rest = len(classes) - len(seen)
    return Sentence(
        "Labels for {seen} of {classes} classes: unlabeled images are taken to be of the other {rest}. "
        "If they may be of any class, give --candidates all.",
        seen=len(seen),
        classes=len(classes),
        rest=rest,
    )
