"""SQLite files that grow: opened with the same promises, brought to their newest schema, plain errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from safetensors import SafetensorError

from clipgrip.errors import RunError

PRAGMAS = ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON")


@contextmanager
def opened(
    path: Path, migrations: Sequence[str], *, threads: bool = False
) -> Iterator[sqlite3.Connection]:
    """A connection to ``path``, made where it is missing; with ``threads`` several may use it, one at a time.

    Raises:
        RunError: written by a newer clipgrip, damaged, or it cannot be written or read.
    """
    with (
        plain_errors(path),
        closing(sqlite3.connect(path, timeout=30, check_same_thread=not threads)) as db,
    ):
        for pragma in PRAGMAS:
            db.execute(f"PRAGMA {pragma}")
        migrate(db, migrations, path.name)
        yield db


@contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """SQLite's errors as sentences.

    Raises:
        RunError: in the place of any of them.
    """
    try:
        yield
    except sqlite3.OperationalError as error:
        raise RunError(
            f"{path} cannot be written or read: {error}. Make space there, or see to its permissions, "
            "then run the same command again: what was stored before is kept."
        ) from None
    except (sqlite3.DatabaseError, SafetensorError) as error:
        raise RunError(
            f"{path} is damaged: {error}. Restore it from a backup, or start anew elsewhere."
        ) from None


def migrate(db: sqlite3.Connection, migrations: Sequence[str], name: str) -> None:
    """Bring the schema to the newest version, all steps or none.

    Raises:
        RunError: the file was written by a newer clipgrip.
    """
    if _version(db) == len(migrations):
        return
    db.execute("BEGIN IMMEDIATE")  # one process does it, another one waits and finds it done
    with db:
        version = _version(db)
        if version > len(migrations):
            raise RunError(
                f"this {name} has schema {version}, this clipgrip knows {len(migrations)}. Update clipgrip to open it."
            )
        for number, script in enumerate(migrations[version:], version + 1):
            for statement in script.split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {number}")


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])
