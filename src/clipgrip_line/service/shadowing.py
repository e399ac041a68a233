"""A second version beside the one that answers: it sees the same images when there is time, and its answers are kept.

Nothing waits for it. Where the two differ, people's answers say which was right.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import sqlite3
import threading
from collections.abc import Sequence
from typing import Any

from clipgrip_line.answers import Answer
from clipgrip_line.errors import ClipgripError
from clipgrip_line.service.ledger import Ledger, NotKept
from clipgrip_line.service.live import Answering, LiveImage

log = logging.getLogger(__name__)
MOST = 64
"""Images that wait for the shadow; more are left out, and counted."""
SHOWN = 12


class Shadow(threading.Thread):
    """Answers in the background with another model."""

    def __init__(self, ledger: Ledger, model: Answering) -> None:
        super().__init__(name="shadow", daemon=True)
        self.ledger, self.model = ledger, model
        self.skipped = 0
        self._right: tuple[object, dict[str, Any]] = (None, {})
        self._queue: queue.Queue[tuple[int, bytes] | None] = queue.Queue(MOST)

    def stored(self, seen: Sequence[LiveImage], documents: Sequence[dict[str, Any]]) -> None:
        """Images that were answered; those for which there is no room are left out."""
        for one, document in zip(seen, documents, strict=True):
            try:
                self._queue.put_nowait((document["number"], one.asked.data))
            except queue.Full:
                self.skipped += 1

    def run(self) -> None:
        """The loop."""
        while (found := self._queue.get()) is not None:
            try:
                self._answer(*found)
            except NotKept:
                self.skipped += 1
            except Exception:
                self.skipped += 1
                log.exception("the shadow failed on an image")

    def stop(self) -> None:
        """Ends after the present image; what waits is left out."""
        while True:
            try:
                self._queue.put_nowait(None)
                return
            except queue.Full:
                with contextlib.suppress(queue.Empty):  # it may have taken the last one meanwhile
                    self._queue.get_nowait()

    def _answer(self, number: int, data: bytes) -> None:
        try:
            pixels = self.model.pixels(data)
        except ClipgripError:
            self.skipped += 1
            return
        probs = self.model.scoring.probs(self.model.embed([pixels]))
        answer = self.model.answers_of([pixels.image_id], probs)[0]
        self.ledger.do(lambda db: _keep(db, number, answer))

    def right(self, db: sqlite3.Connection, live: str, images: int) -> dict[str, Any]:
        """How often each was right; counted anew when people said more, or another hundred images were seen."""
        counted = db.execute("SELECT count(*), coalesce(sum(undone), 0) FROM said").fetchone()
        state = (live, counted, images // 100 if images > 1000 else images)
        if self._right[0] != state:
            self._right = (state, right(db, live, self.model.version))
        return self._right[1]


def _keep(db: sqlite3.Connection, number: int, answer: Answer) -> None:
    """The shadow's answer, and the tallies that screens read."""
    row = db.execute("SELECT version, class FROM answer WHERE number = ?", (number,)).fetchone()
    if row is None:  # forgotten meanwhile
        return
    live, differs = row[0], row[1] != answer.class_name
    values = (number, answer.version, answer.class_name, answer.confidence, answer.verdict)
    db.execute("INSERT OR REPLACE INTO shadow VALUES (?, ?, ?, ?, ?)", values)
    db.execute(
        "INSERT INTO compared VALUES (?, ?, 1, ?) ON CONFLICT DO UPDATE SET "
        "images = images + 1, differ = differ + excluded.differ",
        (live, answer.version, differs),
    )
    if differs:
        row = (number, live, answer.version)
        db.execute("INSERT OR REPLACE INTO differing VALUES (?, ?, ?)", row)


def compared(db: sqlite3.Connection, live: str, shadow: str) -> dict[str, Any]:
    """Images that both saw, how many they differ on, and the latest of those."""
    pair = (live, shadow)
    images, differ = db.execute(
        "SELECT images, differ FROM compared WHERE live = ? AND shadow = ?", pair
    ).fetchone() or (0, 0)
    latest = db.execute(
        "SELECT a.number, a.image, a.class, a.confidence, s.class, s.confidence FROM differing d "
        "JOIN answer a ON a.number = d.answer JOIN shadow s ON s.answer = d.answer "
        "WHERE d.live = ? AND d.shadow = ? ORDER BY d.answer DESC LIMIT ?",
        (*pair, SHOWN),
    )
    keys = ("number", "image", "class", "confidence", "shadow_class", "shadow_confidence")
    rows = [dict(zip(keys, row, strict=True)) for row in latest]
    return {"images": images, "differ": differ, "latest": rows}


def right(db: sqlite3.Connection, live: str, shadow: str) -> dict[str, Any]:
    """Which was right on images that people answered, and on those of them that were drawn for an audit."""
    # CROSS JOIN: begin at the few that people said, not at all that both saw
    query = (
        "SELECT count(DISTINCT p.image), count(DISTINCT CASE WHEN a.class = p.class THEN p.image END), "
        "count(DISTINCT CASE WHEN s.class = p.class THEN p.image END) "
        "FROM said p CROSS JOIN answer a ON a.image = p.image CROSS JOIN shadow s ON s.answer = a.number "
        "WHERE a.version = ? AND s.version = ? AND p.undone = 0 AND p.class <> ''"
    )
    pair, keys = (live, shadow), ("answered", "right", "shadow_right")
    every = db.execute(query, pair).fetchone()
    audited = db.execute(f"{query} AND p.why = 'audit'", pair).fetchone()
    return {**dict(zip(keys, every, strict=True)), "audited": dict(zip(keys, audited, strict=True))}
