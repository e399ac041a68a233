"""Answers as they are kept: one row each, the shift's count, and the picture where a person has to see it."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clipgrip_line.clock import now, written
from clipgrip_line.service.ledger import named_rows
from clipgrip_line.service.limits import Limits
from clipgrip_line.service.live import LiveImage
from clipgrip_line.service.shifts import Shifts

PROMISE, AUDIT = "promise", "audit"
"""Why an image waits for a person: nothing promised covers it, or it was drawn to audit what is promised."""
EVERY = 1000
"""Answers between two looks at what is to be forgotten."""
MANY = 32
"""Pictures between two looks at the room that they take."""
_COLUMNS = (
    *("at", "image", "version", "class", "confidence", "top", "decided", "verdict", "name", "lot"),
    *("serial", "station", "request", "position", "shift", "label", "sure", "codes", "fresh"),
)
_INSERT = f"""INSERT INTO answer ({", ".join(_COLUMNS)}) VALUES ({", ".join("?" * (len(_COLUMNS) - 1))},
 NOT EXISTS (SELECT 1 FROM answer WHERE image = ? AND version = ?))"""


@dataclass(frozen=True)
class Keeping:
    """How answers are kept."""

    limits: Limits
    shifts: Shifts
    decided: Callable[[LiveImage, str], LiveImage]
    """Who decides an image of a version. Asked while it is written, so a promise that fell before it holds no more."""
    audit_every: int = 200
    """One of so many new images is drawn for the audit, by its content; 0 draws none."""

    def write(self, db: sqlite3.Connection, seen: Sequence[LiveImage]) -> list[dict[str, Any]]:
        """Keep a batch; the documents that are acknowledged, in the same order."""
        return [self._one(db, self.decided(one, one.answer.version)) for one in seen]

    def _one(self, db: sqlite3.Connection, one: LiveImage) -> dict[str, Any]:
        asked, answer, moment = one.asked, one.answer, now()
        at, shift = written(moment), self.shifts.of_moment(moment)
        about = answer.as_json()
        row = (
            *(at, answer.image_id, answer.version, answer.class_name, answer.confidence),
            *(json.dumps(about["top"], ensure_ascii=False), answer.decided, answer.verdict),
            *(asked.name, asked.lot, asked.serial, asked.station, asked.request, asked.position),
            *(shift, one.label, one.sure, one.codes, answer.image_id, answer.version),
        )
        number = db.execute(_INSERT, row).lastrowid or 0
        db.execute(
            "INSERT INTO tally VALUES (?, ?, ?, 1) ON CONFLICT DO UPDATE SET n = n + 1",
            (shift, answer.class_name, answer.verdict),
        )
        why = self._why(db, one, number)
        if why:
            self._ask(db, one, number, why, at)
        if number % EVERY == 0:
            self._forget(db, number)
        return {
            **about,
            **came_with(asked.name, asked.lot, asked.serial),
            "number": number,
            "at": at,
        }

    def _why(self, db: sqlite3.Connection, one: LiveImage, number: int) -> str:
        if one.answer.decided == "person":
            return PROMISE
        if not drawn(one.answer.image_id, self.audit_every):
            return ""
        (fresh,) = db.execute("SELECT fresh FROM answer WHERE number = ?", (number,)).fetchone()
        return AUDIT if fresh else ""

    def _ask(self, db: sqlite3.Connection, one: LiveImage, number: int, why: str, at: str) -> None:
        image = one.answer.image_id
        if db.execute("SELECT 1 FROM said WHERE image = ? AND undone = 0", (image,)).fetchone():
            return  # a person has answered this very picture
        added = db.execute(
            "INSERT OR IGNORE INTO picture VALUES (?, ?, ?)", (image, at, one.asked.data)
        )
        db.execute("INSERT OR IGNORE INTO waiting VALUES (?, ?, ?)", (image, number, why))
        if added.rowcount and (added.lastrowid or 0) % MANY == 0:
            self._make_room(db)

    def _forget(self, db: sqlite3.Connection, number: int) -> None:
        last = (number - self.limits.answers,)
        db.execute("DELETE FROM answer WHERE number <= ?", last)
        db.execute("DELETE FROM shadow WHERE answer <= ?", last)
        db.execute("DELETE FROM differing WHERE answer <= ?", last)
        self._make_room(db)

    def _make_room(self, db: sqlite3.Connection) -> None:
        """The oldest pictures leave, by the order in which they came."""
        (size,) = db.execute("SELECT coalesce(sum(length(data)), 0) FROM picture").fetchone()
        for image, length in db.execute(
            "SELECT image, length(data) FROM picture ORDER BY rowid"
        ).fetchall():
            if size <= self.limits.pictures:
                break
            db.execute("DELETE FROM picture WHERE image = ?", (image,))
            db.execute("DELETE FROM waiting WHERE image = ?", (image,))
            size -= length


def drawn(image: str, every: int) -> bool:
    """Whether an image is drawn for the audit: by its content, so nobody chooses, and a restart draws the same."""
    if every < 1:
        return False
    digest = hashlib.sha256(b"audit" + bytes.fromhex(image)).digest()
    return int.from_bytes(digest[:8]) % every == 0


def came_with(name: str, lot: str, serial: str) -> dict[str, str]:
    """What was passed through, as far as there is any."""
    return {
        key: value for key, value in (("name", name), ("lot", lot), ("serial", serial)) if value
    }


def document_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """A kept answer as it was acknowledged."""
    about = {
        "image_id": row["image"],
        "class": row["class"],
        "confidence": round(row["confidence"], 6),
        "top": json.loads(row["top"]),
        "decided_by": row["decided"],
        **{key: row[key] for key in ("verdict", "version")},
    }
    passed = came_with(row["name"], row["lot"], row["serial"])
    return {**about, **passed, "number": row["number"], "at": row["at"]}


def latest(db: sqlite3.Connection, n: int) -> list[dict[str, Any]]:
    """The last answers, oldest first."""
    rows = named_rows(db.execute("SELECT * FROM answer ORDER BY number DESC LIMIT ?", (n,)))
    return [document_of(row) for row in reversed(rows)]


def repeated(db: sqlite3.Connection, request: str) -> dict[int, dict[str, Any]]:
    """By place, what a request of this name was answered before, so that it may be sent again after a cut."""
    rows = db.execute("SELECT * FROM answer WHERE request = ? ORDER BY position", (request,))
    return {row["position"]: document_of(row) for row in named_rows(rows)}
