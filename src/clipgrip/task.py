"""Which rows are labeled, and which classes the unlabeled rows may take: a paradigm is data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from clipgrip.errors import DataError
from clipgrip.sentences import mark
from clipgrip.types import Labels, Mask


@dataclass(frozen=True)
class Task:
    """What is known of a pool of N rows and C classes."""

    labels: Labels
    """(N,) the class position of each row; -1 is unlabeled."""
    candidates: Mask
    """(C,) the classes that unlabeled rows may take."""

    @property
    def n_classes(self) -> int:
        """C."""
        return len(self.candidates)

    @property
    def labeled(self) -> Tensor:
        """Positions of the labeled rows."""
        return (self.labels >= 0).nonzero().squeeze(1)

    @property
    def unlabeled(self) -> Tensor:
        """Positions of the unlabeled rows."""
        return (self.labels < 0).nonzero().squeeze(1)

    @property
    def candidate_classes(self) -> Tensor:
        """Positions of the candidate classes, ascending."""
        return self.candidates.nonzero().squeeze(1)


def ul(n_rows: int, n_classes: int) -> Task:
    """Unsupervised: no row is labeled, each class is a candidate."""
    return Task(torch.full((n_rows,), -1), torch.ones(n_classes, dtype=torch.bool))


def ssl(labels: Labels, n_classes: int) -> Task:
    """Semi-supervised: ``labels`` (N,) are -1 where nobody labeled, and each class is a candidate there."""
    return Task(labels, torch.ones(n_classes, dtype=torch.bool))


def trzsl(labels: Labels, n_classes: int, seen: Sequence[int]) -> Task:
    """Transductive zero-shot: ``labels`` (N,) of the classes ``seen`` (positions); rows with -1 are of the others.

    Raises:
        DataError: all classes are seen.
    """
    candidates = torch.ones(n_classes, dtype=torch.bool)
    candidates[list(seen)] = False
    if not candidates.any():
        raise DataError(
            mark(
                "all classes are seen, so no class is left for the unlabeled images. Take classes out of "
                "the list of seen ones, or leave that list away."
            )
        )
    return Task(labels, candidates)


def paradigm(task: Task) -> str:
    """``UL``, ``SSL`` or ``TRZSL``: a name for people; no computation asks for it."""
    if not len(task.labeled):
        return "UL"
    return "SSL" if bool(task.candidates.all()) else "TRZSL"
