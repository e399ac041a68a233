"""A second version beside the one that answers: it sees the same images when there is time, and its answers are kept.

Nothing waits for it. Where the two differ, people's answers say which was right.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from clipgrip_line.errors import ClipgripError
from clipgrip_line.service.ledger import Ledger, NotKept
from clipgrip_line.service.live import Answering, Seen

if TYPE_CHECKING:
    from clipgrip_line.service.service import Service

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
        self._queue: queue.Queue[tuple[int, bytes] | None] = queue.Queue(MOST)

    def kept(self, seen: Sequence[Seen], documents: Sequence[dict[str, Any]]) -> None:
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
                self._queue.get_nowait()

    def _answer(self, number: int, data: bytes) -> None:
        try:
            pixels = self.model.pixels(data)
        except ClipgripError:
            self.skipped += 1
            return
        probs = self.model.scoring.probs(self.model.embed([pixels]))
        answer = self.model.answers_of([pixels.image_id], probs)[0]
        row = (number, answer.version, answer.class_name, answer.confidence, answer.verdict)
        self.ledger.do(
            lambda db: (
                db.execute("INSERT OR REPLACE INTO shadow VALUES (?, ?, ?, ?, ?)", row) and None
            )
        )


def shadow_facts(service: Service) -> dict[str, Any] | None:
    """How far the shadow differs from the version that answers; None without one."""
    if service.shadow is None:
        return None
    found = compared(service.ledger.reader, service.model.version, service.shadow.model.version)
    return {**found, "version": service.shadow.model.version, "skipped": service.shadow.skipped}


def compared(db: sqlite3.Connection, live: str, shadow: str) -> dict[str, Any]:
    """Images that both saw, where they differ, and which was right on images that people answered."""
    both = (
        "FROM shadow s JOIN answer a ON a.number = s.answer WHERE a.version = ? AND s.version = ?"
    )
    pair = (live, shadow)
    (images,) = db.execute(f"SELECT count(*) {both}", pair).fetchone()
    (differ,) = db.execute(f"SELECT count(*) {both} AND a.class <> s.class", pair).fetchone()
    said = (
        "SELECT count(DISTINCT p.image), count(DISTINCT CASE WHEN a.class = p.class THEN p.image END), "
        "count(DISTINCT CASE WHEN s.class = p.class THEN p.image END) "
        "FROM shadow s JOIN answer a ON a.number = s.answer JOIN said p ON p.image = a.image "
        "WHERE a.version = ? AND s.version = ? AND p.undone = 0 AND p.class <> ''"
    )
    answered, live_right, shadow_right = db.execute(said, pair).fetchone()
    audited = db.execute(f"{said} AND p.why = 'audit'", pair).fetchone()
    latest = db.execute(
        f"SELECT a.number, a.image, a.class, a.confidence, s.class, s.confidence {both} AND a.class <> s.class "
        "ORDER BY a.number DESC LIMIT ?",
        (*pair, SHOWN),
    )
    keys = ("number", "image", "class", "confidence", "shadow_class", "shadow_confidence")
    return {
        "images": images,
        "differ": differ,
        "answered": answered,
        "right": live_right,
        "shadow_right": shadow_right,
        "audited": dict(zip(("answered", "right", "shadow_right"), audited, strict=True)),
        "latest": [dict(zip(keys, row, strict=True)) for row in latest],
    }
