"""What was answered, by content, and what is still to be handed on: one SQLite file, each step one transaction.

An answer and the fact that every outlet is owed it are written together. An outlet that has done its part is crossed
off afterwards, so a kill in between means that it does it again, never that it is forgotten.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clipgrip_line.errors import LineError
from clipgrip_line.folder.item import Item
from clipgrip_line.sentences import mark

NAME = "journal.db"
VERSION = 1
SCHEMA = """
CREATE TABLE IF NOT EXISTS facts(name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS answers(
  image BLOB PRIMARY KEY, verdict TEXT NOT NULL, content TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS items(
  number INTEGER PRIMARY KEY AUTOINCREMENT, path BLOB NOT NULL, size INTEGER NOT NULL,
  mtime INTEGER NOT NULL, at TEXT NOT NULL, kind TEXT NOT NULL, image BLOB, reason TEXT);
CREATE TABLE IF NOT EXISTS files(
  path BLOB PRIMARY KEY, size INTEGER NOT NULL, mtime INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS waiting(
  channel TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY(channel, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dead(
  channel TEXT NOT NULL, number INTEGER NOT NULL, reason TEXT NOT NULL,
  PRIMARY KEY(channel, number)) WITHOUT ROWID;
"""
ITEM = (
    "SELECT items.number, path, at, size, mtime, items.image, coalesce(content, reason) "
    "FROM items LEFT JOIN answers ON answers.image = items.image"
)


@dataclass(frozen=True)
class Found:
    """A file that is done: its content was answered (now, or before: ``content`` is None), or it was refused."""

    path: str
    size: int
    mtime: int
    image: str = ""
    content: Mapping[str, Any] | None = field(default=None, repr=False)
    reason: str = ""
    final: bool = True
    """Whether the file, as it is, needs no further look."""


class Journal:
    """Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        with self._sentences():
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=TRUNCATE")  # a share may not do for more
            self._db.execute("PRAGMA synchronous=EXTRA")
            found = self._db.execute("PRAGMA user_version").fetchone()[0]
            if found > VERSION:
                self._db.close()
                raise LineError(
                    mark(
                        "{path} was written by a newer clipgrip-line. Use that one, or give another --out."
                    ),
                    path=path,
                )
            with self._step() as db:
                for statement in filter(str.strip, SCHEMA.split(";")):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version={VERSION}")

    def close(self) -> None:
        """No more is written."""
        with self._lock:
            self._db.close()

    def begin(self, folder: str) -> None:
        """Where paths begin; in another folder the same path says nothing of the content."""
        with self._step() as db:
            known = db.execute("SELECT value FROM facts WHERE name='folder'").fetchone()
            if known is None or known[0] != folder:
                db.execute("DELETE FROM files")
                db.execute("INSERT OR REPLACE INTO facts VALUES('folder', ?)", (folder,))

    def is_done(self, path: str, size: int, mtime: int) -> bool:
        """Whether the file as it is now was answered or refused."""
        with self._lock:
            row = self._db.execute(
                "SELECT size, mtime FROM files WHERE path=?", (os.fsencode(path),)
            ).fetchone()
        return row == (size, mtime)

    def knows(self, image: str) -> bool:
        """Whether this content was answered."""
        with self._lock:
            row = self._db.execute("SELECT 1 FROM answers WHERE image=?", (bytes.fromhex(image),))
            return row.fetchone() is not None

    def record(
        self, found: Sequence[Found], at: str, owed: Mapping[str, Collection[str]]
    ) -> list[str]:
        """Keep what was found, and say which kind each is: ``answer``, ``repeat`` of a content, ``refused``.

        ``owed`` says by kind which channels get it.

        Raises:
            sqlite3.Error: it could not be kept: nothing of it is.
        """
        with self._step() as db:
            return [self._record(db, one, at, owed) for one in found]

    def _record(
        self, db: sqlite3.Connection, one: Found, at: str, owed: Mapping[str, Collection[str]]
    ) -> str:
        path, kind, image = os.fsencode(one.path), "refused", None
        if one.image and not one.reason:
            image, kind = bytes.fromhex(one.image), "repeat"
            if one.content is not None:
                text = json.dumps(one.content, ensure_ascii=False)
                added = db.execute(
                    "INSERT OR IGNORE INTO answers VALUES(?,?,?)",
                    (image, one.content["verdict"], text),
                ).rowcount
                kind = "answer" if added else "repeat"
        reason = json.dumps({"reason": one.reason}) if one.reason else None
        number = db.execute(
            "INSERT INTO items(path, size, mtime, at, kind, image, reason) VALUES(?,?,?,?,?,?,?)",
            (path, one.size, one.mtime, at, kind, image, reason),
        ).lastrowid
        db.executemany("INSERT INTO waiting VALUES(?,?)", [(name, number) for name in owed[kind]])
        if one.final:
            db.execute("INSERT OR REPLACE INTO files VALUES(?,?,?)", (path, one.size, one.mtime))
        return kind

    def waiting(self, channel: str, most: int, after: int = 0) -> list[Item]:
        """What a channel is still owed, the oldest first."""
        query = (
            f"{ITEM} JOIN waiting ON waiting.number = items.number "
            "WHERE channel=? AND waiting.number>? ORDER BY waiting.number LIMIT ?"
        )
        with self._lock:
            return [_item(row) for row in self._db.execute(query, (channel, after, most))]

    def done(self, channel: str, numbers: Iterable[int]) -> None:
        """Cross off what a channel has done."""
        self.all_done([(channel, number) for number in numbers])

    def all_done(self, pairs: Sequence[tuple[str, int]]) -> None:
        """Cross off what several channels have done."""
        if pairs:
            with self._step() as db:
                db.executemany("DELETE FROM waiting WHERE channel=? AND number=?", pairs)

    def bury(self, channel: str, number: int, reason: str) -> None:
        """A dead letter: no longer tried, kept until it is asked for."""
        with self._step() as db:
            db.execute("DELETE FROM waiting WHERE channel=? AND number=?", (channel, number))
            db.execute("INSERT OR REPLACE INTO dead VALUES(?,?,?)", (channel, number, reason))

    def trim(self, channel: str, most: int, reason: str) -> int:
        """Bury the oldest beyond ``most``; how many."""
        over = self.owed(channel) - most
        if over <= 0:
            return 0
        oldest = "SELECT number FROM waiting WHERE channel=? ORDER BY number LIMIT ?"
        with self._step() as db:
            numbers = [row[0] for row in db.execute(oldest, (channel, over))]
            db.executemany(
                "DELETE FROM waiting WHERE channel=? AND number=?", [(channel, n) for n in numbers]
            )
            db.executemany(
                "INSERT OR REPLACE INTO dead VALUES(?,?,?)", [(channel, n, reason) for n in numbers]
            )
        return over

    def revive(self, channel: str) -> int:
        """Let the dead letters of a channel wait again; how many."""
        with self._step() as db:
            db.execute(
                "INSERT OR IGNORE INTO waiting SELECT channel, number FROM dead WHERE channel=?",
                (channel,),
            )
            return db.execute("DELETE FROM dead WHERE channel=?", (channel,)).rowcount

    def owed(self, channel: str) -> int:
        """How many wait."""
        return self._count("SELECT count(*) FROM waiting WHERE channel=?", channel)

    def buried(self, channel: str) -> int:
        """How many are dead letters."""
        return self._count("SELECT count(*) FROM dead WHERE channel=?", channel)

    def verdicts(self) -> dict[str, int]:
        """Contents by verdict."""
        with self._lock:
            rows = self._db.execute("SELECT verdict, count(*) FROM answers GROUP BY verdict")
            return dict(rows.fetchall())

    def kinds(self) -> dict[str, int]:
        """Files by kind: answer, repeat, refused."""
        with self._lock:
            rows = self._db.execute("SELECT kind, count(*) FROM items GROUP BY kind")
            return dict(rows.fetchall())

    def last(self) -> Item | None:
        """The newest that was answered."""
        query = f"{ITEM} WHERE kind='answer' ORDER BY items.number DESC LIMIT 1"
        with self._lock:
            row = self._db.execute(query).fetchone()
        return _item(row) if row else None

    def _count(self, query: str, channel: str) -> int:
        with self._lock:
            return int(self._db.execute(query, (channel,)).fetchone()[0])

    @contextmanager
    def _step(self) -> Iterator[sqlite3.Connection]:
        """All of it or nothing."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        """A file that is no journal, or damaged, as a sentence."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            raise LineError(
                mark(
                    "{path} is damaged or no journal ({reason}). The answers so far are in the CSV files; move this "
                    "file away to begin anew: what lies in the folder is then answered once more."
                ),
                path=self.path,
                reason=str(error),
            ) from None


def _item(row: Sequence[Any]) -> Item:
    number, path, at, size, mtime, image, content = row
    return Item(
        number,
        os.fsdecode(path),
        at,
        size,
        mtime,
        image.hex() if image else "",
        json.loads(content),
    )
