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
    absent: Mask | None = None
    """(C,) classes of the list that no row is of, as somebody said; None where nobody did."""

    @property
    def seen(self) -> Mask:
        """(C,) the classes whose rows are all labeled."""
        return ~self.candidates if self.absent is None else ~(self.candidates | self.absent)

    @property
    def shares_classes(self) -> bool:
        """Whether unlabeled rows may be of every class that labeled rows are of."""
        return not bool(self.seen.any())

    @property
    def occurring(self) -> Tensor | None:
        """Positions of the classes that some row may be of, ascending; None for all."""
        return None if self.absent is None else (~self.absent).nonzero().squeeze(1)

    def among(self, values: Tensor) -> Tensor:
        """Of values (n, C) the columns of the classes that some row may be of."""
        return values if self.absent is None else values[:, ~self.absent]

    @property
    def absent_classes(self) -> tuple[int, ...]:
        """Positions of the classes that no row is of."""
        return () if self.absent is None else tuple(self.absent.nonzero().squeeze(1).tolist())

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
    return "SSL" if task.shares_classes else "TRZSL"
