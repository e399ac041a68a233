"""The versions of a line: bundles in its folder, and every change of the one that answers, with who, when and why."""

from __future__ import annotations

import filecmp
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipgrip_line.bundle import Bundle
from clipgrip_line.clock import now, written
from clipgrip_line.errors import LineError, nearest
from clipgrip_line.files import write_bytes_atomic
from clipgrip_line.model import Model
from clipgrip_line.sentences import mark
from clipgrip_line.service.ledger import NAME, connect, renew

FOLDER = "bundles"
BEGIN, PROMOTE, ROLLBACK = "begin", "promote", "rollback"


@dataclass(frozen=True)
class Change:
    """A version began to answer."""

    number: int
    action: str
    version: str
    by: str
    at: str
    why: str


@contextmanager
def opened(state: Path, *, create: bool = False) -> Iterator[sqlite3.Connection]:
    """The database of a service's folder, also while it runs. LineError: the folder holds none, or it is damaged."""
    path = state / NAME
    if not create and not path.is_file():
        raise LineError(
            "{state} holds no line (no {name} in it). Give the folder that clipgrip-line serve has as --state.",
            state=state,
            name=NAME,
        )
    state.mkdir(parents=True, exist_ok=True)
    try:
        renew(path)
        db = connect(path)
    except sqlite3.DatabaseError as error:
        raise LineError(
            "{path} cannot be opened ({error}). Bring it back from a backup, or give another --state.",
            path=path,
            error=error,
        ) from error
    try:
        yield db
    finally:
        db.close()


def add(db: sqlite3.Connection, state: Path, bundle: Path, *, check: bool = True) -> str:
    """Copy a bundle into the folder, after its golden images were tried; its version.

    LineError: it is damaged, foreign, newer than this program, or answers otherwise here.
    """
    arrived = Bundle(bundle)
    version = arrived.version
    if _is_there(db, state, bundle, version):
        arrived.read_all()
        return version
    model = Model.open(bundle, check=check)
    place = path_of(state, model.version)
    if not place.is_file() or not filecmp.cmp(place, bundle, shallow=False):
        place.parent.mkdir(parents=True, exist_ok=True)
        write_bytes_atomic(place, bundle.read_bytes())
    facts = {
        "classes": len(model.classes),
        "ok_classes": list(model.ok_classes),
        "promise": None if model.promise is None else model.promise.to_dict(),
        "info": dict(model.info),
    }
    values = (model.version, bundle.name, written(now()), json.dumps(facts, default=str))
    db.execute("INSERT OR IGNORE INTO bundle VALUES (?, ?, ?, ?)", values)
    return model.version


def _is_there(db: sqlite3.Connection, state: Path, bundle: Path, version: str) -> bool:
    """Whether this bundle arrived before, and was tried then."""
    place = path_of(state, version)
    known = db.execute("SELECT 1 FROM bundle WHERE version = ?", (version,)).fetchone()
    return bool(known) and place.is_file() and filecmp.cmp(place, bundle, shallow=False)


def path_of(state: Path, version: str) -> Path:
    """Where a version's bundle lies."""
    return state / FOLDER / f"{version}.clipgrip"


def changes(db: sqlite3.Connection) -> list[Change]:
    """Every change, oldest first."""
    rows = db.execute("SELECT number, action, version, by, at, why FROM change ORDER BY number")
    return [Change(*row) for row in rows]


def live(db: sqlite3.Connection) -> Change | None:
    """The change that stands."""
    row = db.execute(
        "SELECT number, action, version, by, at, why FROM change ORDER BY number DESC LIMIT 1"
    ).fetchone()
    return None if row is None else Change(*row)


def change_to(db: sqlite3.Connection, action: str, version: str, by: str, why: str) -> Change:
    """From now on this version answers."""
    at = written(now())
    number = db.execute(
        "INSERT INTO change (action, version, by, at, why) VALUES (?, ?, ?, ?, ?)",
        (action, version, by, at, why),
    ).lastrowid
    return Change(number or 0, action, version, by, at, why)


def earlier(db: sqlite3.Connection, to: str = "") -> str:
    """The version that a rollback goes to: the one named, else the one before the present one.

    LineError: there is none, or none of that name.
    """
    history = changes(db)
    known = list(dict.fromkeys(one.version for one in history))
    if to:
        found = [version for version in known if version.startswith(to)]
        if len(found) != 1:
            raise LineError(
                "no version {to}. Known: {known}.{nearest}",
                to=to,
                known=", ".join(known) or "-",
                nearest=nearest(to, known),
            )
        return found[0]
    return _one_back(history)


def _one_back(history: Sequence[Change]) -> str:
    """The version before the present one, as far back as going back has led: it never leads forward again."""
    way: list[str] = []
    for one in history:
        if one.action == ROLLBACK and one.version in way:
            way = way[: way.index(one.version) + 1]
        elif one.version in way:
            way.remove(one.version)
            way.append(one.version)
        else:
            way.append(one.version)
    if len(way) < 2:
        raise LineError(
            mark(
                "there is no earlier version to go back to. clipgrip-line versions shows all; --to VERSION takes any "
                "of them."
            )
        )
    return way[-2]


def listed(db: sqlite3.Connection) -> list[dict[str, Any]]:
    """Every version with its facts, and how many answers it gave; the live one is marked."""
    present = live(db)
    given = dict(db.execute("SELECT version, count(*) FROM answer GROUP BY version").fetchall())
    rows = db.execute("SELECT version, file, at, facts FROM bundle ORDER BY at, version")
    return [
        {
            "version": version,
            "file": file,
            "at": at,
            **json.loads(facts),
            "answers": given.get(version, 0),
            "live": present is not None and present.version == version,
        }
        for version, file, at, facts in rows
    ]
