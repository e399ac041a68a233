"""Makes the task from the labels: they, or a list of seen classes, decide between UL, SSL and TRZSL."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from clipgrip.config import Settings
from clipgrip.data.classes import ClassNames, canonical
from clipgrip.data.manifest import Manifest
from clipgrip.data.occurring import positions_of
from clipgrip.data.text import read_text
from clipgrip.errors import DataError, nearest
from clipgrip.sentences import Sentence, shortlist
from clipgrip.task import Task, ssl, trzsl, ul
from clipgrip.types import Labels
from clipgrip.words import mark

ADDED = mark(
    "Images are labeled {names}, which may_occur leaves out: these classes occur, so they are added to it."
)
ALL_SEEN = mark(
    "may_occur names seen classes only, so no class is left for the unlabeled images. Add those that they may be of, "
    "or leave --seen away."
)
LABELS_ALONE = mark(
    "{option} is not used: there are no texts, so labels alone decide, and an image may be of any class with a label."
)
NO_CLASS = mark('{place} line {line}: no class is called "{name}". Known: {known}.{nearest}')


def make_task(
    labels: Labels,
    classes: ClassNames,
    *,
    seen: Sequence[int] | None = None,
    all_candidates: bool,
    may_occur: Sequence[str] | None = None,
    note: Callable[[str], None] = lambda _: None,
) -> Task:
    """UL without labels, SSL with labels for each class, TRZSL with labels for some classes only.

    ``seen`` are positions of the classes whose images are all labeled; by default those with any label, unless somebody
    names all classes that ``may_occur``.
    """
    labeled = sorted(set(labels[labels >= 0].tolist()))
    if may_occur is not None:
        _check_labeled(seen or [], labeled, classes)
        return _among(labels, classes, positions_of(may_occur, classes), seen or [], note)
    if not labeled and not seen:
        return ul(len(labels), len(classes))
    known = labeled if seen is None else sorted(set(seen))
    if all_candidates or len(known) == len(classes):
        return ssl(labels, len(classes))
    _check_labeled(known, labeled, classes)
    note(_explain(known, classes))
    return trzsl(labels, len(classes), known)


def task_rule(
    settings: Settings, classes: ClassNames, seen: Sequence[int] | None = None
) -> tuple[Settings, Callable[..., Task]]:
    """`make_task` of labels as the settings want it, and the settings with each class as the list names it.

    In its order, so that equal choices are one run. DataError: a name is unknown.
    """
    if (may_occur := settings.may_occur) is not None:
        may_occur = tuple(classes.display[c] for c in positions_of(may_occur, classes))
        settings = settings.model_copy(update={"may_occur": may_occur})
    everywhere = settings.candidates == "all"
    rule = partial(
        make_task, classes=classes, seen=seen, all_candidates=everywhere, may_occur=may_occur
    )
    return settings, rule


def by_labels_alone(settings: Settings, note: Callable[[str], None]) -> Settings:
    """The settings where there are no texts: every class with a label stays possible, and no other is."""
    if settings.may_occur is not None:
        note(Sentence(LABELS_ALONE, option="--may-occur"))
    return settings.model_copy(update={"candidates": "all", "may_occur": None})


def _among(
    labels: Labels,
    classes: ClassNames,
    chosen: list[int],
    seen: Sequence[int],
    note: Callable[[str], None],
) -> Task:
    """The task where only the ``chosen`` classes occur, and those with a label: it shows that they do."""
    absent = torch.ones(len(classes), dtype=torch.bool)
    absent[chosen] = False
    labeled = labels[labels >= 0].unique()
    if added := [classes.display[c] for c in labeled[absent[labeled]].tolist()]:
        note(Sentence(ADDED, names=shortlist(added)))
    absent[labeled] = False
    candidates = ~absent
    candidates[list(seen)] = False
    if not candidates.any():
        raise DataError(ALL_SEEN)
    return Task(labels, candidates, absent if absent.any() else None)


def with_folder_labels(settings: Settings, manifest: Manifest) -> Settings:
    """The settings for labels from folder names: images elsewhere may be of any class, so all are candidates.

    Where each class has a label that is the case anyway; then the settings, which are a part of the run's id, stay.
    """
    labeled = set(manifest.labels[manifest.pool].tolist())
    if labeled >= set(range(len(manifest.classes))):
        return settings
    return settings.model_copy(update={"candidates": "all"})


def stored_task(labels: Labels, classes: ClassNames, data: Mapping[str, Any]) -> Task:
    """The task of a stored run, whose facts ``data`` name the classes that are seen, and those that are absent."""
    seen, absent = (
        torch.tensor([name in names for name in classes.display])
        for names in (data["seen"], data.get("absent", ()))
    )
    return Task(labels, ~(seen | absent), absent if absent.any() else None)


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


def _check_labeled(seen: Sequence[int], labeled: list[int], classes: ClassNames) -> None:
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
