"""Opens SQLite files: settings, migrations, seals, and errors as sentences; for runs.db and review.db alike."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from safetensors import SafetensorError

from clipgrip.errors import RunError
from clipgrip.files import CLOSED, FAILING, FULL
from clipgrip.runs.seal import Seals
from clipgrip.sentences import Sentence, mark
from clipgrip_line.causes import cause

PRAGMAS = ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON")
ROOM = 1 << 20
"""Free bytes below which an I/O error is taken for a full disk."""
BUSY = Sentence(
    "Another process works with it: wait until that is done, then run the same command again."
)
ADVICE = {
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_IOERR: FAILING,
    sqlite3.SQLITE_BUSY: BUSY,
    sqlite3.SQLITE_LOCKED: BUSY,
    **dict.fromkeys(
        (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM), CLOSED
    ),
    sqlite3.SQLITE_NOMEM: Sentence("Close other programs, then run the same command again."),
}
"""SQLite's error code -> advice; any other code means that the file is damaged."""


SQLITE_SAYS = (
    mark("attempt to write a readonly database"),
    mark("database disk image is malformed"),
    mark("database is locked"),
    mark("database or disk is full"),
    mark("disk I/O error"),
    mark("file is not a database"),
    mark("unable to open database file"),
)
"""SQLite's own messages that people meet, so that they are translated."""


@contextmanager
def open_database(
    path: Path,
    migrations: Sequence[str],
    sealed: Mapping[str, str],
    *,
    threads: bool = False,
) -> Iterator[tuple[sqlite3.Connection, Seals]]:
    """A connection to the database at ``path``, created where it is missing, and its seals.

    With ``threads`` several threads may use the connection in turn. A file that may not be written is opened as a
    read-only copy. RunError: a newer clipgrip wrote it, it is damaged, or it cannot be read or written.
    """
    with ExitStack() as stack:
        stack.enter_context(plain_errors(path))
        closed = path.exists() and not is_writable(path)
        place = stack.enter_context(_read_only_copy(path)) if closed else path
        connected = sqlite3.connect(place, timeout=30, check_same_thread=not threads)
        db = stack.enter_context(closing(connected))
        for pragma in PRAGMAS:
            db.execute(f"PRAGMA {pragma}")
        migrate(db, migrations, path.name)
        seals = Seals(db, sealed)
        seals.begin()
        if closed:
            db.execute("PRAGMA query_only = ON")
        yield db, seals


def is_writable(path: Path) -> bool:
    """Whether an existing database may be written; SQLite also needs to create files beside it."""
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


@contextmanager
def _read_only_copy(path: Path) -> Iterator[Path]:
    """A temporary copy, with the write-ahead log, which holds the last transactions."""
    with TemporaryDirectory(prefix="clipgrip-") as folder:
        copy = Path(folder, path.name)
        shutil.copyfile(path, copy)
        log = path.with_name(f"{path.name}-wal")
        if log.exists():
            shutil.copyfile(log, copy.with_name(log.name))
        yield copy


@contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """Turn errors of SQLite into a RunError with advice.

    UnicodeDecodeError is one of them: sqlite3 cannot decode its own message about a damaged schema.
    """
    try:
        yield
    except (sqlite3.Error, SafetensorError, UnicodeDecodeError) as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_IOERR and _is_full(path):
            code = sqlite3.SQLITE_FULL
        if code in ADVICE:
            raise RunError(
                "{path} cannot be written or read: {error}. {advice}",
                path=path,
                error=_reason(error),
                advice=ADVICE[code],
            ) from None
        raise RunError(
            "{path} is damaged: {error}. Restore it from a backup, or start anew elsewhere.",
            path=path,
            error=_reason(error),
        ) from None


def _reason(error: Exception) -> Sentence:
    """Our own sentence, else SQLite's words."""
    own = next((one for one in error.args if isinstance(one, Sentence)), None)
    return own or cause(error)


def _is_full(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free < ROOM
    except OSError:
        return False


def migrate(db: sqlite3.Connection, migrations: Sequence[str], name: str) -> None:
    """Bring the schema to the newest version, all steps or none. RunError: a newer clipgrip wrote the file."""
    if _version(db) == len(migrations):
        return
    db.execute("BEGIN IMMEDIATE")  # a second process waits here and then finds it done
    with db:
        version = _version(db)
        if version > len(migrations):
            raise RunError(
                "this {name} has schema {version}, this clipgrip knows {n_migrations}. Update clipgrip "
                "to open it.",
                name=name,
                version=version,
                n_migrations=len(migrations),
            )
        for number, script in enumerate(migrations[version:], version + 1):
            for statement in script.split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {number}")


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])
