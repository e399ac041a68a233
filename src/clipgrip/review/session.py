"""One review at work: the only thing with state. It writes an event and computes the next snapshot."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from clipgrip.clock import precisely
from clipgrip.errors import DataError
from clipgrip.review.calibrated import keep_calibration
from clipgrip.review.class_table import first_classes
from clipgrip.review.loaded_round import first_round, load_round
from clipgrip.review.measure import measured_rows
from clipgrip.review.snapshot import ReviewSnapshot, read_snapshot
from clipgrip.review.store import Answer, Change, ReviewStore, StoredClass
from clipgrip.sentences import mark


def at_once(work: Callable[[], None]) -> None:
    """Do it now."""
    work()


class ReviewSession:
    """Store, lock and the present snapshot. What it says it saved is on the disk.

    Readers take ``snapshot`` once and need no lock. Who decides by a snapshot what to write holds ``lock`` meanwhile.
    """

    def __init__(
        self,
        folder: Path,
        store: ReviewStore,
        later: Callable[[Callable[[], None]], None] = at_once,
    ) -> None:
        """Begin or go on with the review in a run's folder.

        ``later`` does what is given to it, in its order: a million answers take tens of seconds to be written anew, and
        no page waits for them. RunError: the run is not finished, or the newest round is damaged.
        """
        self.folder, self.store = folder, store
        self.lock, self._later = threading.RLock(), later
        _begin(folder, store)
        self._snapshot = read_snapshot(folder, store)
        keep_calibration(self._snapshot)

    @property
    def snapshot(self) -> ReviewSnapshot:
        """The review as it is now."""
        return self._snapshot

    def load(self) -> None:
        """Read the newest round and all answers anew; people go on with the old ones until the new are there."""
        loaded = load_round(self.folder, self.store.rounds())
        with self.lock:
            view = loaded.classifier.view(self.store.classes())
            version = self._snapshot.version + 1
            self._snapshot = ReviewSnapshot.of(loaded, view, self.store.answers(), version)
            self._keep()

    def answer(self, answers: Sequence[Answer]) -> int:
        """Keep answers; on the disk when this returns. How many were new.

        DataError: an image or a class is not known, or an audited image is answered for another purpose.
        """
        with self.lock:
            before = self._snapshot
            for one in answers:
                check_answer(before, one)
            new = self.store.add_answers(answers)
            # another server's answers may be among them
            self._snapshot = before.with_answers(self.store.answers(after=before.last))
            self._calibrate(before, answers)
            return new

    def undo(self, token: str, person: str) -> Answer | None:
        """Take an answer back; None where there is none to take back."""
        with self.lock:
            answer = self.store.find(token)
            if answer is None or not self.store.undo(token, person, precisely()):
                return None
            before = self._snapshot
            self._snapshot = before.without(answer)
            self._calibrate(before, [answer])
            return answer

    def _calibrate(self, before: ReviewSnapshot, answers: Sequence[Answer]) -> None:
        """Calibrate anew where these answers, given or taken back, are audited ones or change one that was counted."""
        row_of = before.view.row_by_hash
        rows = np.array([row_of[a.image] for a in answers if a.image in row_of], dtype=np.int64)
        was, is_ = (one.states.klass[rows] for one in (before, self._snapshot))
        changed = rows[(was >= 0) & (was != is_)]
        corrected = bool(len(changed)) and bool(np.isin(changed, measured_rows(before)).any())
        if corrected or any(one.purpose == "audit" for one in answers):
            self._keep(corrected=corrected)

    def _keep(self, *, corrected: bool = False) -> None:
        """By the answers there are when its turn has come."""
        self._later(lambda: keep_calibration(self._snapshot, corrected=corrected))

    def change_classes(
        self, classes: Sequence[StoredClass], action: str, person: str, facts: dict[str, object]
    ) -> None:
        """Keep changed classes and answer anew with them.

        PromptError: a text is too long for the model; nothing is kept.
        """
        with self.lock:
            before = self._snapshot
            every = {one.id: one for one in (*before.classes.stored, *classes)}
            view = before.round.classifier.view(tuple(every.values()))
            self.store.write_classes(classes, Change(action, person, precisely(), facts))
            self._snapshot = ReviewSnapshot.of(
                before.round, view, self.store.answers(), before.version + 1
            )


def _begin(folder: Path, store: ReviewStore) -> None:
    """Keep the run that the review begins with as its first round."""
    if store.rounds():
        return
    names, first = first_round(folder)
    if not store.classes():
        change = Change("begin", "", precisely(), {"run": first.run})
        store.write_classes(first_classes(names), change)
    store.add_round(first)


def check_answer(snapshot: ReviewSnapshot, answer: Answer) -> None:
    """Whether an answer may be kept.

    DataError: an image or a class is not known, or an audited image is answered for another purpose.
    """
    row, states = snapshot.row(answer.image), snapshot.states
    if (answer.verdict == "class") != (answer.klass is not None):
        raise DataError(
            mark("an answer is a class, or no class where it cannot be told. Reload the page.")
        )
    if answer.klass is not None and answer.klass not in snapshot.classes.column:
        raise DataError(
            mark("that class is no longer there. Reload the page to see the classes of now.")
        )
    if states.audit[row] and answer.purpose == "review":
        raise DataError(
            mark(
                "this image belongs to the random audit, which measures the model and is never "
                "learned from. Answer it on the audit page."
            )
        )
    if answer.purpose == "audit" and not (row in snapshot.round.draw.drawn or states.audit[row]):
        raise DataError(mark("this image was not drawn for the audit. Reload the page."))
