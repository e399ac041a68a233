"""line.db, and the one thread that writes it: what comes together is committed together, and known to be on the disk.

Nobody is given an answer before the group that it was written with has been committed (SQLite, WAL, synchronous=FULL).
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from clipgrip_line.errors import LineError
from clipgrip_line.monitoring.store import NotKept as NotKept
from clipgrip_line.monitoring.tables import Newer, migrate
from clipgrip_line.sentences import mark
from clipgrip_line.service.schema import MIGRATIONS

log = logging.getLogger(__name__)
NAME = "line.db"
MOST = 256
"""Writes of one group."""
OWN = (
    *(sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError),
    sqlite3.InterfaceError,
)
"""What SQLite refuses because of the change itself."""
GONE = mark("its file was taken away or replaced; put it back, or start the service again")
Write = Callable[[sqlite3.Connection], Any]
Group = list[tuple[Write, Future[Any]]]


class Ledger:
    """The database of a service: written through `write`, read through `reader`, a connection of each thread."""

    def __init__(self, folder: Path) -> None:
        """Open, and bring the schema up to date. LineError: it is damaged, or of a newer program."""
        self.path = folder / NAME
        folder.mkdir(parents=True, exist_ok=True)
        self._queue: queue.SimpleQueue[tuple[Write, Future[Any]] | None] = queue.SimpleQueue()
        self._local = threading.local()
        self._readers: list[sqlite3.Connection] = []
        self.groups = 0
        self.failing = ""
        try:
            renew(self.path)
        except sqlite3.DatabaseError as error:
            raise LineError(
                "{path} cannot be opened ({error}). If the file is damaged, move it away: the service begins a "
                "new one, and the old one keeps what it holds.",
                path=self.path,
                error=error,
            ) from error
        self._identity = _identity(self.path)
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    def write(self, change: Write) -> Future[Any]:
        """Queue a change; its future has the result once it is on the disk, or the error."""
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()  # what was given is written, though whoever asked may go
        self._queue.put((change, future))
        return future

    def do(self, change: Write) -> Any:
        """Write, and wait for it. NotKept: the disk refused."""
        return self.write(change).result()

    @property
    def reader(self) -> sqlite3.Connection:
        """A connection that only reads, of this thread; sqlite3.OperationalError where the file is gone."""
        found: sqlite3.Connection | None = getattr(self._local, "db", None)
        if found is None:
            self._check_place()
            found = connect(self.path, check_same_thread=False)
            found.execute("PRAGMA query_only=ON")
            self._local.db = found
            self._readers.append(found)
        return found

    def is_gone(self) -> bool:
        """Whether another file, or none, lies now where the one lay that is written."""
        return _identity(self.path) != self._identity

    def _check_place(self) -> None:
        """What is written into a file that was taken away is lost, and a new one would be begun without tables."""
        if self.is_gone():
            raise sqlite3.OperationalError(GONE)

    answered = "answer"
    """The table of what was answered."""

    def notice(self, db: sqlite3.Connection, at: str, body: Mapping[str, Any]) -> None:
        """A message for the webhook, in the change that is being written."""
        db.execute("INSERT INTO notice (at, body) VALUES (?, ?)", (at, json.dumps(body)))

    def close(self) -> None:
        """Write what waits, then close."""
        self._queue.put(None)
        self._thread.join()
        for one in self._readers:
            one.close()

    def _run(self) -> None:
        db: sqlite3.Connection | None = None
        while (group := self._group()) is not None:
            try:
                self._check_place()
                db = db or connect(self.path)
            except sqlite3.Error as error:  # whoever waits is told, and the next group tries again
                for _, future in group:
                    self._refused(future, error)
                continue
            self._commit(db, group)
        if db is not None:
            db.close()

    def _group(self) -> Group | None:
        first = self._queue.get()
        if first is None:
            return None
        group = [first]
        while len(group) < MOST and not self._queue.empty():
            following = self._queue.get()
            if following is None:
                self._queue.put(None)
                break
            group.append(following)
        return group

    def _commit(self, db: sqlite3.Connection, group: Group) -> None:
        """All in one transaction; where that fails each by itself, so that only what fails is refused.

        A change that broke the group spoils no neighbour, and a full disk still refuses every one.
        """
        try:
            results = _written(db, group)
        except Exception as error:
            if len(group) > 1:
                for one in group:
                    self._commit(db, [one])
            else:
                self._refused(group[0][1], error)
            return
        self.failing = ""
        self.groups += 1
        # what failed is said after the commit, too: whoever asks again then reads what the others wrote
        for (_, future), result in zip(group, results, strict=True):
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)

    def _refused(self, future: Future[Any], error: Exception) -> None:
        if not self.failing:
            log.error("%s could not be written: %s", self.path, error)
        refused = NotKept.because(error)
        self.failing = str(refused)
        future.set_exception(refused)


def _written(db: sqlite3.Connection, group: Group) -> list[Any]:
    """What each change gave, or the error of its own that undid it alone; all of them are on the disk.

    Raises:
        sqlite3.Error: the database refused, and nothing of the group is kept.
    """
    try:
        return _transaction(db, group, apart=False)
    except Exception as error:
        if _is_of_the_file(error):
            raise
        return [error] if len(group) == 1 else _transaction(db, group, apart=True)


def _transaction(db: sqlite3.Connection, group: Group, *, apart: bool) -> list[Any]:
    """``apart``: a change that fails is undone alone, and its error is its result; two statements more for each."""
    try:
        db.execute("BEGIN IMMEDIATE")
        results = [_apart(db, one) if apart else one(db) for one, _ in group]
        db.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            if db.in_transaction:
                db.execute("ROLLBACK")
        raise
    return results


def _apart(db: sqlite3.Connection, change: Write) -> Any:
    db.execute("SAVEPOINT one")
    try:
        result = change(db)
    except Exception as error:
        if _is_of_the_file(error):
            raise
        db.execute("ROLLBACK TO one")
        result = error
    db.execute("RELEASE one")
    return result


def _is_of_the_file(error: Exception) -> bool:
    """It is full, damaged or locked, which is no fault of a change."""
    return isinstance(error, sqlite3.Error) and not isinstance(error, OWN)


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file lies there; None where there is none. That of an open file is not given to another one."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def named_rows(found: sqlite3.Cursor) -> list[dict[str, Any]]:
    """What a query found, by the names of its columns."""
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found]


def connect(path: Path, *, check_same_thread: bool = True) -> sqlite3.Connection:
    """Durable at every commit; other processes are waited for."""
    db = sqlite3.connect(
        path, timeout=10, isolation_level=None, check_same_thread=check_same_thread
    )
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    return db


def renew(path: Path) -> None:
    """The newest schema, whatever the file holds.

    LineError: a newer program wrote it. sqlite3.DatabaseError: it is no such file.
    """
    db = connect(path)
    try:
        if db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),):
            return  # nothing is written, so a full disk keeps nobody from reading
        db.execute("BEGIN IMMEDIATE")
        migrate(db, MIGRATIONS)
        db.execute("COMMIT")
    except Newer:
        raise LineError(
            "{path} was written by a newer clipgrip-line. Install that version here, or give another --state.",
            path=path,
        ) from None
    finally:
        db.close()
