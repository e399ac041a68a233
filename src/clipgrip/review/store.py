"""review.db: what people answered about the images of a run and its later rounds. Rows are added, never changed."""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from clipgrip.errors import RunError
from clipgrip.review.schema import MIGRATIONS, SEALED
from clipgrip.runs.database import open_database, plain_errors
from clipgrip.runs.seal import Seals
from clipgrip.runs.store import check_run, parsed
from clipgrip.sentences import quoted

NAME = "review.db"
ROUND = "round-"
"""Begins the name of the folder of each later round, which lies in the folder of the review."""

ANSWER = "token, image, verdict, class, purpose, person, at, seconds, round, proposed, confidence, number"
"""The columns of an `Answer`, in the order of its fields."""

Verdict = Literal["class", "unsure", "ask"]
"""A class; "cannot tell"; or a wish for a second opinion."""
Purpose = Literal["review", "audit", "settle", "import"]
"""Why the image was shown: doubtful, drawn at random to measure, to settle a disagreement, or not at all."""


@dataclass(frozen=True)
class Answer:
    """One key press. ``token`` names it for good, so that sending it twice keeps it once."""

    token: str
    image: str
    """Content hash."""
    verdict: Verdict
    klass: int | None
    """Id of the class; None where the verdict is none."""
    purpose: Purpose
    person: str
    at: str
    """UTC, ISO 8601."""
    seconds: float | None
    """How long the image was looked at; None where nobody measured."""
    round: int
    proposed: int | None = None
    """Class id that the model answered then."""
    confidence: float | None = None
    number: int = 0
    """Order in which it was stored; 0 before."""


@dataclass(frozen=True)
class StoredClass:
    """A class under a name that may change; its id never does."""

    id: int
    name: str
    prompt: str
    state: Literal["active", "merged", "gone"] = "active"
    merged_into: int | None = None


@dataclass(frozen=True)
class ReviewRound:
    """A run of the model that was reviewed; 1 is the run that the review began with."""

    number: int
    folder: str
    """Relative to the folder of the review."""
    run: str
    at: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """Anything that people did beside answering: classes, rounds, imports, promises."""

    action: str
    person: str
    at: str
    facts: dict[str, Any]


class ReviewStore:
    """One open database. Each method is one transaction and safe for threads."""

    def __init__(self, db: sqlite3.Connection, seals: Seals, path: Path) -> None:
        self._db, self._seals, self._path, self._lock = db, seals, path, threading.RLock()

    def secret(self) -> bytes:
        """Random bytes that are this review's own: the same after a restart."""
        with self._writing() as db:
            row = db.execute("SELECT value FROM secret").fetchone()
            if row is None:
                row = (secrets.token_bytes(32),)
                db.execute("INSERT INTO secret VALUES (?)", row)
                self._seals.renew("secret")
        return bytes(row[0])

    def add_answers(self, answers: Sequence[Answer]) -> int:
        """Keep answers, all or none, on the disk when this returns; how many were not there yet."""
        with self._writing() as db:
            before, last = db.total_changes, self._last("answer")
            db.executemany(
                "INSERT INTO answer (token, image, verdict, class, purpose, person, at, seconds, round, proposed, "
                "confidence) VALUES (:token, :image, :verdict, :klass, :purpose, :person, :at, :seconds, :round, "
                ":proposed, :confidence) ON CONFLICT (token) DO NOTHING",
                [asdict(answer) for answer in answers],
            )
            new = db.total_changes - before
            self._seals.grow("answer", "number > ?", (last,))
            return new

    def undo(self, token: str, person: str, at: str) -> bool:
        """Take an answer back; the answer stays on record. False where there is none, or it was taken back before."""
        with self._writing() as db:
            before = db.total_changes
            db.execute(
                "INSERT OR IGNORE INTO undo SELECT number, ?, ? FROM answer WHERE token = ?",
                (person, at, token),
            )
            taken = db.total_changes > before
            self._seals.renew("undo")
            return taken

    def answers(self, *, after: int = 0, undone: bool = False) -> list[Answer]:
        """Answers in the order they were stored, those after a number only; without the undone unless asked for."""
        where = "" if undone else "AND number NOT IN (SELECT answer FROM undo)"
        rows = self._all(
            f"SELECT {ANSWER} FROM answer WHERE number > ? {where} ORDER BY number", (after,)
        )
        return [Answer(*row) for row in rows]

    def find(self, token: str) -> Answer | None:
        """The answer of a token, also one that was taken back; None where there is none."""
        rows = self._all(f"SELECT {ANSWER} FROM answer WHERE token = ?", (token,))
        return Answer(*rows[0]) if rows else None

    def undone(self) -> list[tuple[str, str, str]]:
        """(token, person, time) of every answer that was taken back."""
        return self._all(
            "SELECT token, undo.person, undo.at FROM undo JOIN answer ON number = answer ORDER BY answer"
        )

    def classes(self) -> list[StoredClass]:
        """Every class that ever was, in the order of the ids."""
        rows = self._all("SELECT id, name, prompt, state, merged_into FROM class ORDER BY id")
        return [StoredClass(*row) for row in rows]

    def write_classes(self, classes: Sequence[StoredClass], change: Change) -> None:
        """Keep classes as they are from now on, with the record of who changed what."""
        with self._writing() as db:
            db.executemany(
                "INSERT INTO class VALUES (:id, :name, :prompt, :state, :merged_into) ON CONFLICT (id) DO UPDATE SET "
                "name = :name, prompt = :prompt, state = :state, merged_into = :merged_into",
                [asdict(one) for one in classes],
            )
            self._seals.renew("class")
            self._record(change)

    def rounds(self) -> list[ReviewRound]:
        """Every round, oldest first."""
        rows = self._all("SELECT number, folder, run, at, facts FROM round ORDER BY number")
        return [
            ReviewRound(number, folder, run, at, parsed(facts))
            for number, folder, run, at, facts in rows
        ]

    def add_round(self, done: ReviewRound) -> None:
        """Keep a finished round; the same one twice is kept once."""
        facts = json.dumps(done.facts, sort_keys=True, allow_nan=False)
        with self._writing() as db:
            db.execute(
                "INSERT OR IGNORE INTO round VALUES (?, ?, ?, ?, ?)",
                (done.number, done.folder, done.run, done.at, facts),
            )
            self._seals.renew("round")

    def record(self, change: Change) -> None:
        """Keep what somebody did."""
        with self._writing():
            self._record(change)

    def changes(self) -> list[Change]:
        """What people did beside answering, oldest first."""
        rows = self._all("SELECT action, person, at, facts FROM change ORDER BY number")
        return [Change(action, person, at, parsed(facts)) for action, person, at, facts in rows]

    def _all(self, query: str, values: tuple[object, ...] = ()) -> list[Any]:
        with self._lock, plain_errors(self._path):
            return self._db.execute(query, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, plain_errors(self._path), self._db:
            self._db.execute(
                "BEGIN IMMEDIATE"
            )  # so that nobody else writes between reading and sealing
            yield self._db

    def _last(self, table: str) -> int:
        return int(self._db.execute(f"SELECT coalesce(max(number), 0) FROM {table}").fetchone()[0])

    def _record(self, change: Change) -> None:
        facts = json.dumps(change.facts, sort_keys=True, ensure_ascii=False, allow_nan=False)
        last = self._last("change")
        self._db.execute(
            "INSERT INTO change (action, person, at, facts) VALUES (?, ?, ?, ?)",
            (change.action, change.person, change.at, facts),
        )
        self._seals.grow("change", "number > ?", (last,))


@contextmanager
def open_review(folder: Path, *, create: bool = False) -> Iterator[ReviewStore]:
    """The review that lies in the folder of the run it began with.

    RunError: no run or, without ``create``, no review is there; or the file is damaged or cannot be written.
    """
    check_run(folder)
    path, outer = folder / NAME, folder.resolve().parent
    if has_review(outer) and folder.resolve().name.startswith(ROUND):
        raise RunError(
            "{folder} is a later round of the review in {outer}, which goes on there. Give {outer} "
            "instead.",
            folder=folder,
            outer=outer,
        )
    if not create and not path.is_file():
        raise RunError(
            "nobody has reviewed the run in {folder} yet (no {name} in it). Begin with clipgrip "
            "review {folder}.",
            folder=quoted(folder),
            name=NAME,
        )
    with open_database(path, MIGRATIONS, SEALED, threads=True) as (db, seals):
        seals.check()
        yield ReviewStore(db, seals, path)


def has_review(folder: Path) -> bool:
    """Whether a review lies in the folder."""
    return (folder / NAME).is_file()


def newest_round(folder: Path) -> Path:
    """The folder of the model that a run's review works with now; the folder itself where nobody has reviewed it.

    The folder may be one that cannot be written. RunError: the review is damaged.
    """
    return round_folders(folder)[-1]


def round_folders(folder: Path) -> list[Path]:
    """The folder of a run and those of its review's rounds, in their order. RunError: the review is damaged."""
    if not has_review(folder):
        return [folder]
    with open_database(folder / NAME, MIGRATIONS, SEALED) as (db, seals):
        seals.check("round")
        rows = db.execute("SELECT folder FROM round ORDER BY number").fetchall()
    return [folder, *(folder / name for (name,) in rows)]
