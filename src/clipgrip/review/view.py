"""What the newest round answers for every image under review, with the classes as people have them now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from clipgrip.backbone.base import Model
from clipgrip.data.classes import ClassNames
from clipgrip.data.rows import NO_ROWS, Hashes, HashIndex, Rows
from clipgrip.prompts.classifier import zero_shot
from clipgrip.prompts.residual import renumbered
from clipgrip.pseudolabel.refine import without_absent
from clipgrip.review.class_table import ClassTable
from clipgrip.review.states import Ints, Mask
from clipgrip.review.store import StoredClass
from clipgrip.runs.embedding import Embeds
from clipgrip.runs.identity import settings_of
from clipgrip.runs.inputs import embeds_through
from clipgrip.runs.outcome import Outcome
from clipgrip.runs.untuned_model import UntunedModel
from clipgrip.types import ClassEmbeds, ImageEmbeds, Probs
from clipgrip.types import Mask as ClassMask

BLOCK = 16_384
"""Rows that are looked at together for the first few of a queue."""
Numbers = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Order:
    """Rows of all images in one order, and those of each class of the model's answers in the same."""

    rows: Ints = field(repr=False)
    _labels: Ints = field(repr=False)
    """(N,) the class of each row."""

    @classmethod
    def of(cls, keys: np.ndarray, labels: Ints) -> Order:
        """By ascending keys (N,), equal ones by their row; ``labels`` (N,) are class ids."""
        return cls(np.argsort(keys, kind="stable"), labels)

    @cached_property
    def _by_class(self) -> tuple[Ints, Ints]:
        """The rows class by class, and the class of each, ascending: sorted when a class is asked for."""
        by_class = self.rows[np.argsort(self._labels[self.rows], kind="stable")]
        return by_class, self._labels[by_class]

    def among(self, klass: int | None) -> Ints:
        """All rows, or those that the model takes for a class."""
        if klass is None:
            return self.rows
        rows, classes = self._by_class
        first, end = np.searchsorted(classes, [klass, klass + 1])
        return rows[first:end]

    def first(self, wanted: Mask, n: int, klass: int | None = None) -> Ints:
        """The first ``n`` of these that are ``wanted`` (N,): no more rows are looked at than that takes."""
        rows, found, count = self.among(klass), [], 0
        for start in range(0, len(rows), BLOCK):
            block = rows[start : start + BLOCK]
            found.append(block[wanted[block]])
            count += len(found[-1])
            if count >= n:
                break
        return np.concatenate(found)[:n] if found else rows[:0]


@dataclass(frozen=True, eq=False)
class View:
    """N images in the order of their content hashes, and what the model says of them."""

    outcome: Outcome = field(repr=False)
    classes: ClassTable
    rows: Rows = field(repr=False)
    row_by_hash: HashIndex = field(repr=False)
    probs: Probs = field(repr=False)
    """(N, C), a column for each active class."""
    as_run: bool
    """Whether the classes are those that the run was tuned with."""

    @cached_property
    def _top(self) -> tuple[Numbers, Ints]:
        values, columns = self.probs.topk(min(2, self.probs.shape[1]), dim=1)
        return values.numpy(), self.classes.ids[columns.numpy()]

    @property
    def label(self) -> Ints:
        """(N,) class id of the model's answer."""
        return self._top[1][:, 0]

    @property
    def second(self) -> Ints:
        """(N,) class id of the runner-up."""
        return self._top[1][:, -1]

    @property
    def confidence(self) -> Numbers:
        """(N,) probability of the answer, as the model says it."""
        return self._top[0][:, 0]

    @cached_property
    def margin(self) -> Numbers:
        """(N,) answer less runner-up."""
        return self._top[0][:, 0] - self._top[0][:, -1]

    @cached_property
    def by_margin(self) -> Order:
        """The most doubtful first."""
        return Order.of(self.margin, self.label)

    @cached_property
    def by_confidence(self) -> Order:
        """The surest first."""
        return Order.of(-self.confidence, self.label)

    @cached_property
    def learned(self) -> Mask:
        """(N,) whether the round learned from a label of the image."""
        rows, found = self.outcome.manifest.rows, np.zeros(len(self.rows), np.bool_)
        places = self.row_by_hash.of(rows.hashes[(rows.labels >= 0) & ~rows.tests])
        found[places[places >= 0]] = True
        return found


@dataclass(frozen=True)
class RoundClassifier:
    """Applies the newest round's prompt to any class names: the images are not encoded again."""

    outcome: Outcome = field(repr=False)
    backbone: Model = field(repr=False)
    rows: Rows = field(repr=False)
    embeds: ImageEmbeds = field(repr=False)
    """(N, D) as the learned prompt sees the images."""
    beside: Float[Tensor, "N e"] | None = field(default=None, repr=False)
    """What eyes see of them."""

    @cached_property
    def row_by_hash(self) -> HashIndex:
        """Content hash -> row."""
        return HashIndex(self.rows.hashes)

    @classmethod
    def of(cls, outcome: Outcome, hashes: Hashes) -> RoundClassifier:
        """For the images with these content hashes, pool or test."""
        backbone = outcome.model
        seen = _through(outcome, backbone)
        rows = seen.pool_rows.and_(seen.test_rows)
        places = np.flatnonzero(np.isin(rows.hashes, hashes))
        places = places[np.argsort(rows.hashes[places], kind="stable")]
        beside = None
        if seen.pool_beside is not None and seen.test_beside is not None:
            beside = _picked(seen.pool_beside, seen.test_beside, places)
        embeds = _picked(seen.pool, seen.test, places)
        return cls(outcome, backbone, rows.take(places), embeds, beside)

    def probs(self, table: ClassTable) -> Probs:
        """(N, C) for the active classes, from the round's learned values and what labels taught it of them.

        Raises:
            PromptError: a text is too long for the model.
        """
        classes, settings = table.class_names, settings_of(self.outcome.run)
        start = UntunedModel.of(self.backbone, classes, settings, self.outcome.start.method)
        beside = self.beside
        none = None if beside is None else beside[:0]
        nothing = Embeds(self.embeds, self.embeds[:0], NO_ROWS, NO_ROWS, beside, none)
        joint = self.outcome.joint
        places = _places(classes, self.outcome.manifest.classes)
        if joint is not None:
            joint = joint.renumbered(places, start.zero_shot)
        found = start.answers(renumbered(self.outcome.learned, places), nothing, joint).pool
        return without_absent(found, self.absent(table))

    def absent(self, table: ClassTable) -> ClassMask | None:
        """(C,) the active classes that the run's images could not be of; None where all or none could.

        What is newer than the run may be of them, and so may a class into which one that could occur was merged.
        """
        gone, of_run = self.outcome.task.absent_classes, self.outcome.manifest.classes
        found = [place in gone for place in _places(table.class_names, of_run)]
        for one in table.stored:
            into = table.counts_as[one.id]
            if one.state == "merged" and into is not None:
                absent = one.name in of_run and of_run.index(one.name) in gone
                found[table.column[into]] &= absent
        return torch.tensor(found) if any(found) and not all(found) else None

    def texts(self, classes: Sequence[StoredClass]) -> ClassEmbeds:
        """(C, D) of the untuned texts."""
        template = settings_of(self.outcome.run).template
        return zero_shot(self.backbone, [one.prompt for one in classes], template)

    def view(self, classes: Sequence[StoredClass]) -> View:
        """The answers for the active classes."""
        table = ClassTable(tuple(classes))
        names = table.class_names
        return View(
            outcome=self.outcome,
            classes=table,
            rows=self.rows,
            row_by_hash=self.row_by_hash,
            probs=self.probs(table),
            as_run=names.prompts == self.outcome.manifest.classes.prompts,
        )


def _places(classes: ClassNames, of_run: ClassNames) -> list[int | None]:
    """For each class its position in the run; None for one that the run did not have.

    A class keeps what labels taught of it when only its name changes, or only its prompt.
    """
    pairs = list(zip(of_run.display, of_run.prompts, strict=True))
    found: list[int | None] = []
    for pair in zip(classes.display, classes.prompts, strict=True):
        same = [n for n, known in enumerate(pairs) if known == pair]
        alike = same or [n for n, known in enumerate(pairs) if known[0] == pair[0]]
        alike = alike or [n for n, known in enumerate(pairs) if known[1] == pair[1]]
        found.append(next((n for n in alike if n not in found), None))
    return found


def _picked(pool: Tensor, test: Tensor, places: Ints) -> Tensor:
    """Rows of both together; nothing is copied where it is all of the pool."""
    every = torch.cat([pool, test]) if len(test) else pool
    whole = len(places) == len(every) and bool((places == np.arange(len(every))).all())
    return every if whole else every[torch.from_numpy(places)]


def _through(outcome: Outcome, backbone: Model) -> Embeds:
    if not outcome.learned:  # zero-shot, or a run that went back to it
        return outcome.embeds
    return embeds_through(outcome.start.tuned(outcome.learned), backbone, outcome.embeds)
