"""The data decides the paradigm; a list of seen classes decides it for the data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from clipgrip.data.classes import ClassNames, canonical
from clipgrip.data.task import Task, ssl, trzsl, ul
from clipgrip.data.text import read_text
from clipgrip.errors import DataError
from clipgrip.types import Labels


def make_task(
    labels: Labels,
    classes: ClassNames,
    *,
    seen: Path | None,
    all_candidates: bool,
    encoding: str | None = None,
    note: Callable[[str], None] = lambda _: None,
) -> Task:
    """UL without labels, SSL with labels for each class, TRZSL with labels for some classes only.

    ``seen`` names the classes whose images are all labeled; without it they are those that have a label.
    """
    if not (labels >= 0).any():
        if seen:
            raise DataError(
                f"{seen.name} names seen classes, but no image of the pool is labeled. Give --labels too, "
                "or leave --seen away."
            )
        return ul(len(labels), len(classes))
    labeled = sorted(set(labels[labels >= 0].tolist()))
    names = read_seen(seen, classes, encoding) if seen else labeled
    if all_candidates or len(names) == len(classes):
        return ssl(labels, len(classes))
    _check_labeled(names, labeled, classes)
    note(_explain(names, classes))
    return trzsl(labels, len(classes), names)


def read_seen(path: Path, classes: ClassNames, encoding: str | None = None) -> list[int]:
    """Class positions from a file with one name a line."""
    lines = [canonical(line) for line in read_text(path, encoding).splitlines()]
    return sorted({classes.index(name) for name in lines if name})


def _check_labeled(seen: list[int], labeled: list[int], classes: ClassNames) -> None:
    for position in seen:
        if position not in labeled:
            raise DataError(
                f'class "{classes.display[position]}" is named as seen, but no image of the pool has that label. '
                "Label some, or take the class out of the list."
            )


def _explain(seen: list[int], classes: ClassNames) -> str:
    rest = len(classes) - len(seen)
    return (
        f"Labels for {len(seen)} of {len(classes)} classes: unlabeled images are taken to be of the other {rest}. "
        "If they may be of any class, give --candidates all."
    )
