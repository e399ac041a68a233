"""Seals: for each table, the sum of its rows' SHA-256 modulo 2**256, stored in the database itself.

SQLite detects torn pages, but neither a value that a flipped bit has changed nor a row that an index no longer finds.
The sum does not depend on the order of the rows, and a new row is added to it without reading the others.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping, Sequence

from clipgrip.sentences import Sentence, mark

TABLE = "CREATE TABLE seal (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"
"""The migration that creates the table of seals."""
NOTHING = "0" * 64
ALTERED = mark('its table "{name}" does not hold what was written')


class _Sum:
    """The SQL aggregate function ``row_sum``."""

    def __init__(self) -> None:
        self._sum = 0

    def step(self, *values: object) -> None:
        self._sum += int.from_bytes(
            hashlib.sha256(repr(values).encode("utf-8", "replace")).digest()
        )

    def finalize(self) -> str:
        return _hex(self._sum)


class Seals:
    """The seals of an open database; ``sealed`` lists the columns of each table that are covered."""

    def __init__(self, db: sqlite3.Connection, sealed: Mapping[str, str]) -> None:
        self._db, self._sealed = db, sealed
        self._checked: set[str] = set()
        db.create_aggregate("row_sum", -1, _Sum)  # type: ignore[arg-type]

    def begin(self) -> None:
        """Seal all tables that have no seal yet, as in databases of older versions."""
        known = {name for (name,) in self._db.execute("SELECT name FROM seal")}
        missing = [name for name in self._sealed if name not in known]
        if missing:
            with self._db:
                for name in missing:
                    self.renew(name)

    def check(self, *names: str) -> None:
        """Compare the tables with their seals; each table is compared once.

        Raises:
            sqlite3.DatabaseError: one does not hold what was written.
        """
        for name in names or tuple(self._sealed):
            if name in self._checked:
                continue
            seal, found = (
                self._db.execute(  # one statement, so one moment, whoever writes meanwhile
                    f"SELECT (SELECT value FROM seal WHERE name = ?), (SELECT {self._of(name)})",
                    (name,),
                ).fetchone()
            )
            if seal is not None and seal != found:
                raise sqlite3.DatabaseError(Sentence(ALTERED, name=name))
            # a damaged index would hide rows from queries
            (answer,) = self._db.execute(f"PRAGMA integrity_check('{name}')").fetchone()
            if answer != "ok":
                raise sqlite3.DatabaseError(answer)
            self._checked.add(name)

    def renew(self, name: str) -> None:
        """Seal a table as it is now; within the caller's transaction."""
        self._db.execute(
            f"INSERT OR REPLACE INTO seal SELECT ?, {self._of(name)}",
            (name,),
        )

    def grow(self, name: str, where: str, values: Sequence[object]) -> None:
        """Add rows that were just inserted to a seal; within the caller's transaction."""
        more = self._db.execute(f"SELECT {self._of(name, where)}", tuple(values)).fetchone()[0]
        (seal,) = self._db.execute("SELECT value FROM seal WHERE name = ?", (name,)).fetchone()
        both = _hex(int(seal, 16) + int(more, 16))
        self._db.execute("INSERT OR REPLACE INTO seal VALUES (?, ?)", (name, both))

    def _of(self, name: str, where: str = "TRUE") -> str:
        columns = self._sealed[name]
        return f"coalesce((SELECT row_sum({columns}) FROM {name} WHERE {where}), '{NOTHING}')"


def _hex(number: int) -> str:
    return f"{number % 2**256:064x}"
