"""The classes of a review at one moment: their names, and which column of the model's answers each id has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from clipgrip.data.classes import ClassNames
from clipgrip.review.answers import effective
from clipgrip.review.states import Ints
from clipgrip.review.store import StoredClass


@dataclass(frozen=True)
class ClassTable:
    """Every class that ever was. An id stays for good; a column is a position among the active classes."""

    stored: tuple[StoredClass, ...]
    """In the order of the ids."""

    @cached_property
    def active(self) -> tuple[StoredClass, ...]:
        """The active classes, which images can be answered with."""
        return tuple(one for one in self.stored if one.state == "active")

    @cached_property
    def class_names(self) -> ClassNames:
        """Names and prompts of the active classes. DataError: they do not go together."""
        return ClassNames(
            tuple(one.name for one in self.active), tuple(one.prompt for one in self.active)
        )

    @cached_property
    def names(self) -> Mapping[int, str]:
        """Class id -> name, of every class that ever was."""
        return {one.id: one.name for one in self.stored}

    @cached_property
    def counts_as(self) -> Mapping[int, int | None]:
        """Class id -> the class that it counts as today; None where it was split or taken away."""
        return effective(self.stored)

    @cached_property
    def ids(self) -> Ints:
        """(C,) id of each column."""
        return np.array([one.id for one in self.active], dtype=np.int64)

    @cached_property
    def column(self) -> Mapping[int, int]:
        """Class id -> column."""
        return {one.id: n for n, one in enumerate(self.active)}

    def columns(self, ids: Ints) -> Ints:
        """Column of each class id; -1 for one that is not active."""
        return np.array([self.column.get(id_, -1) for id_ in ids.tolist()], dtype=np.int64)

    def of_first_run(self, position: int) -> int | None:
        """The class id that a class of the first run counts as today: those have the first ids, in its order."""
        return self.counts_as.get(position + 1)

    def counts(self, ids: Ints) -> dict[int, int]:
        """(C,) how many of these ids are of each active class."""
        least = 1 + max((one.id for one in self.stored), default=0)
        numbers = np.bincount(ids[ids >= 0], minlength=least)
        return {one.id: int(numbers[one.id]) for one in self.active}


def first_classes(of_run: ClassNames) -> list[StoredClass]:
    """The classes of a run as a review begins with them."""
    pairs: Sequence[tuple[str, str]] = list(zip(of_run.display, of_run.prompts, strict=True))
    return [StoredClass(n, name, prompt) for n, (name, prompt) in enumerate(pairs, 1)]
