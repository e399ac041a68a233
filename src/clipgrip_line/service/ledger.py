"""line.db, and the one thread that writes it: what comes together is committed together, and known to be on the disk.

Nobody is given an answer before the group that it was written with has been committed (SQLite, WAL, synchronous=FULL).
"""

from __future__ import annotations

import contextlib
import json
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from clipgrip_line.errors import LineError
from clipgrip_line.monitoring.store import NotKept as NotKept
from clipgrip_line.sentences import mark
from clipgrip_line.service.schema import MIGRATIONS

log = logging.getLogger(__name__)
NAME = "line.db"
MOST = 256
"""Writes of one group."""
Write = Callable[[sqlite3.Connection], Any]


class Ledger:
    """The database of a service: written through `write`, read through `reader`, a connection of each thread."""

    def __init__(self, folder: Path) -> None:
        """Open, and bring the schema up to date.

        Raises:
            LineError: it is damaged, or of a newer program.
        """
        self.path = folder / NAME
        folder.mkdir(parents=True, exist_ok=True)
        self._queue: queue.SimpleQueue[tuple[Write, Future[Any]] | None] = queue.SimpleQueue()
        self._local = threading.local()
        self._readers: list[sqlite3.Connection] = []
        self.groups, self.writes = 0, 0
        self.failing = ""
        try:
            migrate(self.path)
        except sqlite3.DatabaseError as error:
            raise LineError(
                mark(
                    "{path} cannot be opened ({error}). If the file is damaged, move it away: the service begins a "
                    "new one, and the old one keeps what it holds."
                ),
                path=self.path,
                error=error,
            ) from error
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    def write(self, change: Write) -> Future[Any]:
        """Queue a change; its future has the result once it is on the disk, or the error."""
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()  # what was given is written, though whoever asked may go
        self._queue.put((change, future))
        return future

    def do(self, change: Write) -> Any:
        """Write, and wait for it.

        Raises:
            NotKept: the disk refused.
        """
        return self.write(change).result()

    @property
    def reader(self) -> sqlite3.Connection:
        """A connection that only reads, of this thread."""
        found: sqlite3.Connection | None = getattr(self._local, "db", None)
        if found is None:
            found = connect(self.path, check_same_thread=False)
            found.execute("PRAGMA query_only=ON")
            self._local.db = found
            self._readers.append(found)
        return found

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
        db = connect(self.path)
        try:
            while (group := self._group()) is not None:
                self._commit(db, group)
        finally:
            db.close()

    def _group(self) -> list[tuple[Write, Future[Any]]] | None:
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

    def _commit(self, db: sqlite3.Connection, group: list[tuple[Write, Future[Any]]]) -> None:
        done: list[tuple[Future[Any], Any]] = []
        # what failed is said after the commit, too: whoever asks again then reads what the others wrote
        failed: list[tuple[Future[Any], Exception]] = []
        try:
            db.execute("BEGIN IMMEDIATE")
            for change, future in group:
                db.execute("SAVEPOINT one")
                try:
                    done.append((future, change(db)))
                except sqlite3.OperationalError:
                    raise
                except Exception as error:
                    db.execute("ROLLBACK TO one")
                    failed.append((future, error))
                db.execute("RELEASE one")
            db.execute("COMMIT")
        except sqlite3.Error as error:
            self._refused(db, group, error)
            return
        self.failing = ""
        self.groups += 1
        self.writes += len(done)
        for future, result in done:
            future.set_result(result)
        for future, reason in failed:
            future.set_exception(reason)

    def _refused(
        self, db: sqlite3.Connection, group: list[tuple[Write, Future[Any]]], error: sqlite3.Error
    ) -> None:
        with contextlib.suppress(sqlite3.Error):
            if db.in_transaction:
                db.execute("ROLLBACK")
        if not self.failing:
            log.error("%s could not be written: %s", self.path, error)
        self.failing = str(error)
        for _, future in group:
            if not future.done():
                future.set_exception(NotKept(str(error)))


def connect(path: Path, *, check_same_thread: bool = True) -> sqlite3.Connection:
    """Durable at every commit; other processes are waited for."""
    db = sqlite3.connect(
        path, timeout=10, isolation_level=None, check_same_thread=check_same_thread
    )
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    return db


def migrate(path: Path) -> None:
    """The newest schema, whatever the file holds.

    Raises:
        LineError: a newer program wrote it.
        sqlite3.DatabaseError: it is no such file.
    """
    db = connect(path)
    try:
        db.execute("BEGIN IMMEDIATE")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > len(MIGRATIONS):
            raise LineError(
                mark(
                    "{path} was written by a newer clipgrip-line. Install that version here, or give another --state."
                ),
                path=path,
            )
        for script in MIGRATIONS[version:]:
            for statement in script.split(";\n"):
                if statement.strip():
                    db.execute(statement)
        db.execute(f"PRAGMA user_version={len(MIGRATIONS)}")
        db.execute("COMMIT")
    finally:
        db.close()
