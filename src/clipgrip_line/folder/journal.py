"""What was answered, by content, and what is still to be handed on: one SQLite file, each step one transaction.

An answer and the fact that every outlet is owed it are written together. An outlet that has done its part is crossed
off afterwards, so a kill in between means that it does it again, never that it is forgotten.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clipgrip_line.causes import cause
from clipgrip_line.errors import LineError
from clipgrip_line.folder import compaction, recording
from clipgrip_line.folder.item import Item, renewed
from clipgrip_line.folder.recording import Found
from clipgrip_line.folder.schema import MIGRATIONS
from clipgrip_line.monitoring.store import NotKept
from clipgrip_line.monitoring.tables import Newer, migrate

NAME = "journal.db"
COMPACTED = 1_000
"""New files after which the old ones are made compact."""
ITEM = (
    "SELECT items.number, path, at, size, mtime, items.image, coalesce(content, reason) "
    "FROM items LEFT JOIN answers ON answers.image = items.image"
)


class Journal:
    """Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._fresh = COMPACTED
        """Files since the last time that all was compact."""
        self.recipients: Sequence[str] = ()
        """Channels that get notices."""
        with self._sentences():
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            try:
                self._open()
            except BaseException:
                self._db.close()
                raise

    def _open(self) -> None:
        self._db.execute("PRAGMA journal_mode=TRUNCATE")  # a share may not do for more
        self._db.execute("PRAGMA synchronous=EXTRA")
        try:
            with self._step() as db:
                migrate(db, MIGRATIONS)
        except Newer:
            raise LineError(
                "{path} was written by a newer clipgrip-line. Use that one, or give another --out.",
                path=self.path,
            ) from None

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

    def remember(self, name: str, value: str) -> None:
        """A fact under its name, for commands that read the journal beside the watch; NotKept where it cannot be."""
        self.do(lambda db: db.execute("INSERT OR REPLACE INTO facts VALUES(?, ?)", (name, value)))

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
            return compaction.is_known(self._db, bytes.fromhex(image))

    def record(
        self, found: Sequence[Found], at: str, owed: Mapping[str, Collection[str]]
    ) -> list[str]:
        """Keep what was found, and say which kind each is: ``answer``, ``repeat`` of a content, ``refused``.

        ``owed`` says by kind which channels get it.

        Raises:
            sqlite3.Error: it could not be kept: nothing of it is.
        """
        with self._step() as db:
            kinds = [recording.record(db, one, at, owed) for one in found]
        self._fresh += len(kinds)
        return kinds

    def compact(self, present: Collection[str]) -> None:
        """Forget what nobody needs any more of old files; ``present`` are the paths that files have now.

        Raises:
            sqlite3.Error: not now.
        """
        if self._fresh < COMPACTED:
            return
        with self._step() as db:
            if compaction.compact(db) < compaction.AT_ONCE:
                compaction.forget_paths(db, present)
                self._fresh = 0

    answered = "seen"
    """What the watch reads."""

    @property
    def reader(self) -> sqlite3.Connection:
        """For the watch, which looks within `quiet`."""
        return self._db

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """No other thread writes meanwhile."""
        with self._lock:
            yield

    def do(self, change: Callable[[sqlite3.Connection], Any]) -> Any:
        """One change, whole or not at all; NotKept where the disk refuses."""
        try:
            with self._step() as db:
                return change(db)
        except sqlite3.Error as error:
            raise NotKept.because(error) from error

    def notice(self, db: sqlite3.Connection, at: str, body: Mapping[str, Any]) -> None:
        """A message to those who want to be told, in order with the answers."""
        text = json.dumps(body, ensure_ascii=False)
        recording.add_item(db, (b"", 0, 0, at, "notice", None, text), self.recipients)

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
            _bury(db, channel, [number], reason)

    def trim(self, channel: str, most: int, reason: str) -> tuple[int, int]:
        """Bury the oldest beyond ``most``, and forget the oldest dead letters beyond as many; how many of each."""
        over = self.owed(channel) - most
        buried = self._bury_oldest(channel, over, reason) if over > 0 else 0
        over = self.buried(channel) - most
        return buried, self._forget_dead(channel, over) if over > 0 else 0

    def _forget_dead(self, channel: str, n: int) -> int:
        oldest = "SELECT number FROM dead WHERE channel=? ORDER BY number LIMIT ?"
        with self._step() as db:
            query = f"DELETE FROM dead WHERE channel=? AND number IN ({oldest})"
            return db.execute(query, (channel, channel, n)).rowcount

    def _bury_oldest(self, channel: str, n: int, reason: str) -> int:
        oldest = "SELECT number FROM waiting WHERE channel=? ORDER BY number LIMIT ?"
        with self._step() as db:
            numbers = [row[0] for row in db.execute(oldest, (channel, n))]
            _bury(db, channel, numbers, reason)
        return n

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

    def counts(self) -> dict[str, int]:
        """Over the whole life: files by kind (answer, repeat, refused), contents as ``verdict ok`` and so on."""
        with self._lock:
            return dict(self._db.execute("SELECT kind, n FROM counts").fetchall())

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
                "{path} is damaged or no journal ({reason}). The answers so far are in the CSV files; move this "
                "file away to begin anew: what lies in the folder is then answered once more.",
                path=self.path,
                reason=cause(error),
            ) from None


def _bury(db: sqlite3.Connection, channel: str, numbers: Sequence[int], reason: str) -> None:
    rows = [(channel, number, reason) for number in numbers]
    db.executemany("DELETE FROM waiting WHERE channel=? AND number=?", [row[:2] for row in rows])
    db.executemany("INSERT OR REPLACE INTO dead VALUES(?,?,?)", rows)


def _item(row: Sequence[Any]) -> Item:
    number, path, at, size, mtime, image, text = row
    return Item(
        number,
        os.fsdecode(path),
        at,
        size,
        mtime,
        image.hex() if image else "",
        renewed(json.loads(text)),
    )
