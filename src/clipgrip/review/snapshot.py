"""A review at one moment, computed from a round and people's answers: what pages, queues, exports and reports read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from clipgrip.data.rows import hashes_of
from clipgrip.errors import DataError
from clipgrip.review.answers import Opinion, opinions
from clipgrip.review.class_table import ClassTable, first_classes
from clipgrip.review.layers import Layers
from clipgrip.review.loaded_round import LoadedRound, first_round, load_round
from clipgrip.review.states import ImageState, ImageStates, Ints
from clipgrip.review.store import Answer, ReviewStore
from clipgrip.review.view import View


@dataclass(frozen=True, eq=False)
class ReviewSnapshot:
    """The newest round's answers and people's answers side by side. Immutable."""

    round: LoadedRound
    view: View
    by_image: Layers[tuple[Answer, ...]] = field(repr=False)
    """Content hash -> answers that were not taken back, in the order in which they were stored."""
    opinions: Layers[Opinion] = field(repr=False)
    """People's opinion by content hash, of images that are not open."""
    states: ImageStates = field(repr=False)
    last: int = 0
    """Number of the last stored answer that is included."""
    version: int = 1
    """Rises when the answers of the model or the classes change, and when an image is open again."""

    @classmethod
    def of(
        cls, loaded: LoadedRound, view: View, answers: Sequence[Answer], version: int = 1
    ) -> ReviewSnapshot:
        """From a round, its answers for the classes of now, and what people answered."""
        states = ImageStates.unanswered(_file_labels(loaded, view))
        nothing = cls(loaded, view, Layers(), Layers(), states, version=version)
        return nothing.with_answers(answers)

    @cached_property
    def answers(self) -> tuple[Answer, ...]:
        """Those that were not taken back, in the order in which they were stored."""
        every = (one for some in self.by_image.values() for one in some)
        return tuple(sorted(every, key=lambda one: one.number))

    @property
    def classes(self) -> ClassTable:
        """Every class that ever was, and the columns of the active ones."""
        return self.view.classes

    def row(self, image: str) -> int:
        """Row of an image. DataError: no image of this review has that content hash."""
        row = self.view.row_by_hash.get(image)
        if row is None:
            raise DataError(
                'no image of this review is called "{image}". Reload the page.', image=image[:64]
            )
        return row

    def with_answers(self, answers: Sequence[Answer]) -> ReviewSnapshot:
        """The snapshot with answers stored since; only the opinions on their images are computed anew."""
        changed: dict[str, tuple[Answer, ...]] = {}
        for one in answers:
            before = changed.get(one.image, self.by_image.get(one.image, ()))
            changed[one.image] = (*before, one)
        last = max((one.number for one in answers), default=self.last)
        return replace(self._judged(changed), last=max(last, self.last))

    def without(self, answer: Answer) -> ReviewSnapshot:
        """The snapshot without an answer that was taken back."""
        known = self.by_image.get(answer.image, ())
        rest = tuple(one for one in known if one.token != answer.token)
        return replace(self._judged({answer.image: rest}), version=self.version + 1)

    def _judged(self, changed: Mapping[str, tuple[Answer, ...]]) -> ReviewSnapshot:
        """The snapshot with other answers for some images."""
        fresh = opinions((one for some in changed.values() for one in some), self.classes.counts_as)
        # an image whose file is gone has no row, and nothing that reads rows may meet its opinion
        row_of = self.view.row_by_hash
        rows = {image: row_of[image] for image in changed if image in row_of}
        return replace(
            self,
            by_image=self.by_image.changed(
                {image: some or None for image, some in changed.items()}
            ),
            opinions=self.opinions.changed({image: fresh.get(image) for image in rows}),
            states=_with_opinions(self.states, {n: fresh.get(i) for i, n in rows.items()}),
        )


def read_snapshot(folder: Path, store: ReviewStore) -> ReviewSnapshot:
    """A review as it is stored now, read without a lock and without writing: for reports.

    RunError: its newest round is not there, or damaged.
    """
    rounds, classes = store.rounds(), store.classes()
    if not rounds:  # it never came to its first page
        names, first = first_round(folder)
        rounds, classes = [first], classes or first_classes(names)
    loaded = load_round(folder, rounds)
    return ReviewSnapshot.of(loaded, loaded.classifier.view(classes), store.answers())


def _file_labels(loaded: LoadedRound, view: View) -> Ints:
    """(N,) class id that the files of the first run gave, under the classes of now."""
    found = np.full(len(view.rows), -1, dtype=np.int64)
    rows = view.row_by_hash.of(hashes_of(loaded.file_labels))
    for row, position in zip(rows.tolist(), loaded.file_labels.values(), strict=True):
        klass = view.classes.of_first_run(position)
        if row >= 0 and klass is not None:
            found[row] = klass
    return found


def _with_opinions(states: ImageStates, changed: Mapping[int, Opinion | None]) -> ImageStates:
    """The states of these rows by people's opinions; without one, a row is as the run's own files left it."""
    state, klass, audit = states.state.copy(), states.klass.copy(), states.audit.copy()
    for row, opinion in changed.items():
        if opinion is None:
            klass[row], audit[row] = states.file_label[row], False
            state[row] = ImageState.GIVEN if klass[row] >= 0 else ImageState.OPEN
        else:
            klass[row] = -1 if opinion.klass is None else opinion.klass
            state[row], audit[row] = opinion.state, opinion.audit
    return ImageStates(state, klass, audit, states.file_label)
