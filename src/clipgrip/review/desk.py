"""The desk: the newest round's answers and people's answers side by side, kept up to date in memory."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipgrip.data.manifest import Row
from clipgrip.errors import DataError, RunError
from clipgrip.review.answers import Opinion, effective, opinions
from clipgrip.review.store import Answer, Change, ReviewStore, StoredClass, StoredRound
from clipgrip.review.view import Answerer, View
from clipgrip.runs.auditing import Audit
from clipgrip.runs.reopen import reopen
from clipgrip.runs.store import open_store

AUDIT_SEED = 0
STATES = ("open", "decided", "disagree", "unsure", "asked", "given")
"""Where an image stands; ``given``: its label came with the run's own files."""
OPEN, DECIDED, DISAGREE, UNSURE, ASKED, GIVEN = range(len(STATES))

Whole = NDArray[np.int64]


def now() -> str:
    """UTC to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass
class Standing:
    """Per image: its state, the class id that people gave it (-1: none), and whether it is for the audit alone."""

    state: NDArray[np.int8]
    klass: Whole
    audit: NDArray[np.bool_]


@dataclass
class Desk:
    """One review at work. Safe for threads; what it says it saved is on the disk."""

    folder: Path
    store: ReviewStore
    lock: threading.RLock = field(default_factory=threading.RLock)
    version: int = 0
    """Rises when the answers of the model or the classes change, and when an image is open again."""

    def __post_init__(self) -> None:
        self._first()
        self.load()

    # -- what is loaded ------------------------------------------------------------------------------------------

    def load(self) -> None:
        """Read the newest round and all answers anew."""
        rounds = self.store.rounds()
        outcome = reopen(self.folder / rounds[-1].folder)
        pool = self._began_with(rounds[0])
        labels = {row.sha256: row.label for row in pool if row.label >= 0}
        answerer = Answerer.of(outcome, frozenset(row.sha256 for row in pool))
        audit = Audit.of(outcome, AUDIT_SEED) if len(outcome.task.unlabeled) else None
        order = [] if audit is None else audit.order
        place = {row.sha256: n for n, row in enumerate(answerer.rows)}
        found = [] if audit is None else [place.get(image, -1) for image in audit.hashes]
        with self.lock:  # people go on with the old answers until the new ones are there
            self.rounds, self.round = rounds, rounds[-1]
            self._answerer, self._labels = answerer, labels
            self.missing = tuple(row for row in pool if row.sha256 not in place)
            """Images under review that no round can read any more: their files are gone."""
            self.audit = audit
            """The draw over what this round left unlabeled; None where people labeled everything."""
            self.audit_rows: Whole = np.array(found, dtype=np.int64)
            """Row of each image of the audit's pool; -1 where it is not under review."""
            drawn = self.audit_rows[order]
            self.drawn: Whole = drawn[drawn >= 0]
            """Rows as they are drawn."""
            self._drawn = frozenset(self.drawn.tolist())
            self._see(answerer.view(self.store.classes()))

    def _see(self, view: View) -> None:
        """Work with the answers of ``view`` from now on, and with the classes as they are stored."""
        with self.lock:
            self.classes = self.store.classes()
            self.names = {one.id: one.name for one in self.classes}
            self.counts_as = effective(self.classes)
            self.view = view
            self._answers: dict[str, list[Answer]] = defaultdict(list)
            self._tokens: dict[str, Answer] = {}  # in the order in which they were stored
            self._last = 0
            for answer in self.store.answers():
                self._keep(answer)
            self.opinions: dict[str, Opinion] = {}
            n = len(self.view.rows)
            self.standing = Standing(np.zeros(n, np.int8), np.full(n, -1), np.zeros(n, np.bool_))
            self._give()
            self._judge(self._answers)
            self.version += 1

    @property
    def answerer(self) -> Answerer:
        """Answers for classes that are only tried out."""
        return self._answerer

    def answers(self) -> list[Answer]:
        """All answers that were not taken back, in their order."""
        with self.lock:
            return list(self._tokens.values())

    def opinion(self, image: str) -> Opinion | None:
        """What people said of an image."""
        return self.opinions.get(image)

    def row(self, image: str) -> int:
        """Row of an image.

        Raises:
            DataError: no image of this review has that content hash.
        """
        place = self.view.place.get(image)
        if place is None:
            raise DataError(f'no image of this review is called "{image[:64]}". Reload the page.')
        return place

    # -- what people do ------------------------------------------------------------------------------------------

    def answer(self, answers: Sequence[Answer]) -> int:
        """Keep answers; on the disk when this returns. How many were new.

        Raises:
            DataError: an image or a class is not known, or an audited image is answered for another purpose.
        """
        with self.lock:
            for answer in answers:
                self._check(answer)
            fresh = [answer for answer in answers if answer.token not in self._tokens]
            kept = self.store.add_answers(fresh)
            stored = self.store.answers(after=self._last)  # another server's answers among them
            for answer in stored:
                self._keep(answer)
            self._judge({answer.image for answer in stored})
            return kept

    def undo(self, token: str, person: str) -> Answer | None:
        """Take an answer back; None where there is none to take back."""
        with self.lock:
            answer = self._tokens.get(token)
            if answer is None or not self.store.undo(token, person, now()):
                return None
            del self._tokens[token]
            self._answers[answer.image].remove(answer)
            self._judge([answer.image])
            self.version += 1
            return answer

    def change_classes(
        self, classes: Sequence[StoredClass], action: str, person: str, facts: dict[str, object]
    ) -> None:
        """Keep changed classes and answer anew with them.

        Raises:
            PromptError: a text is too long for the model; nothing is kept.
        """
        with self.lock:
            every = {one.id: one for one in (*self.classes, *classes)}
            view = self._answerer.view(tuple(every.values()))
            self.store.write_classes(classes, Change(action, person, now(), facts))
            self._see(view)

    # -- inside --------------------------------------------------------------------------------------------------

    def _check(self, answer: Answer) -> None:
        row = self.row(answer.image)
        if (answer.verdict == "class") != (answer.klass is not None):
            raise DataError(
                "an answer is a class, or no class where it cannot be told. Reload the page."
            )
        if answer.klass is not None and self.counts_as.get(answer.klass) != answer.klass:
            raise DataError(
                "that class is no longer there. Reload the page to see the classes of now."
            )
        if self.standing.audit[row] and answer.purpose == "review":
            raise DataError(
                "this image belongs to the random audit, which measures the model and is never learned from. "
                "Answer it on the audit page."
            )
        if answer.purpose == "audit" and not (row in self._drawn or self.standing.audit[row]):
            raise DataError("this image was not drawn for the audit. Reload the page.")

    def _keep(self, answer: Answer) -> None:
        if answer.token not in self._tokens:
            self._tokens[answer.token] = answer
            self._last = answer.number
            self._answers[answer.image].append(answer)

    def _give(self) -> None:
        """Labels from the files of the first run, whose classes have the first ids in its order."""
        for image, label in self._labels.items():
            n, klass = self.view.place.get(image), self.counts_as.get(label + 1)
            if n is not None and klass is not None:
                self.view.given[n] = self.standing.klass[n] = klass
                self.standing.state[n] = GIVEN

    def _judge(self, images: Iterable[str]) -> None:
        fresh = opinions(
            (answer for image in images for answer in self._answers.get(image, ())), self.counts_as
        )
        for image in images:
            row = self.view.place.get(image)
            if row is None:
                continue  # its file is gone
            opinion = fresh.get(image)
            self.opinions.pop(image, None)
            if opinion is not None:
                self.opinions[image] = opinion
            self._stand(row, opinion)

    def _stand(self, row: int, opinion: Opinion | None) -> None:
        given = int(self.view.given[row])
        if opinion is None:
            self.standing.state[row] = GIVEN if given >= 0 else OPEN
            self.standing.klass[row], self.standing.audit[row] = given, False
            return
        self.standing.state[row] = STATES.index(opinion.state)
        self.standing.klass[row] = -1 if opinion.klass is None else opinion.klass
        self.standing.audit[row] = opinion.audit

    def _first(self) -> None:
        """The run that the review begins with."""
        if self.store.rounds():
            return
        with open_store(self.folder) as runs:
            run = runs.run()
            if run is None or run.finished is None:
                raise RunError(
                    f"the run in {self.folder} is not finished. Run the same clipgrip run command again to finish it."
                )
            names = runs.classes(run.id)
        classes = [
            StoredClass(n, name, prompt)
            for n, (name, prompt) in enumerate(zip(names.display, names.prompts, strict=True), 1)
        ]
        if not self.store.classes():
            self.store.write_classes(classes, Change("begin", "", now(), {"run": run.id}))
        self.store.add_round(StoredRound(1, ".", run.id, now()))

    def _began_with(self, first: StoredRound) -> tuple[Row, ...]:
        """The images under review, which are the first run's pool, never its test, with the labels it was given."""
        with open_store(self.folder / first.folder) as runs:
            manifest = runs.manifest(first.run)
        return tuple(manifest.rows[n] for n in manifest.pool.tolist())


def counted(values: Whole, ids: Sequence[int]) -> Mapping[int, int]:
    """How often each id stands in ``values``."""
    found, counts = np.unique(values, return_counts=True)
    numbers = dict(zip(found.tolist(), counts.tolist(), strict=True))
    return {id_: numbers.get(id_, 0) for id_ in ids}
