"""What waits for a person, and what people said of it: kept at once, and carried home as labels."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipgrip_line.clock import now, written
from clipgrip_line.errors import LineError, among
from clipgrip_line.files import write_bytes_atomic
from clipgrip_line.folder.lines import guarded
from clipgrip_line.pictures.formats import ending_of
from clipgrip_line.sentences import mark
from clipgrip_line.service.ledger import named_rows

SHOWN = 40
"""Images that a page gets at once."""
COLUMNS = (
    *("path", "sha256", "label", "decided_by", "said_by", "said_at", "version", "model_said"),
    "why",
)


class Reused(LineError):
    """One name for two things."""

    http_status = 409


@dataclass(frozen=True)
class PersonAnswer:
    """One answer of a person. ``token`` is the page's own name for it: what is sent twice counts once."""

    image: str
    name: str
    by: str
    token: str


def waiting(db: sqlite3.Connection, limit: int = SHOWN) -> list[dict[str, Any]]:
    """What waits, oldest first. Of images of an audit it is not said what the model thinks."""
    rows = db.execute(
        "SELECT w.image, w.why, w.answer AS number, a.class, a.top, a.confidence, a.name, a.lot, a.serial, a.at, "
        "a.version FROM waiting w LEFT JOIN answer a ON a.number = w.answer ORDER BY w.answer LIMIT ?",
        (limit,),
    )
    return [_shown(one) for one in named_rows(rows)]


def how_many(db: sqlite3.Connection) -> int:
    """Images that wait."""
    return int(db.execute("SELECT count(*) FROM waiting").fetchone()[0])


def _shown(one: dict[str, Any]) -> dict[str, Any]:
    one["top"] = json.loads(one["top"] or "[]")
    if one["why"] == "audit":
        for key in ("class", "top", "confidence"):
            one.pop(key)
    return one


def say(
    given: PersonAnswer, classes: tuple[str, ...]
) -> Callable[[sqlite3.Connection], dict[str, Any]]:
    """A change that keeps an answer, and takes the image out of what waits.

    Raises:
        LineError: there is no such class, or the image does not wait.
        Reused: the token is that of another answer.
    """

    def change(db: sqlite3.Connection) -> dict[str, Any]:
        again = _known(db, given)
        if again is not None:
            return {"number": again, "repeated": True}
        if given.name and given.name not in classes:
            raise LineError(
                "no class {name}. Known: {known}.{nearest}",
                name=given.name,
                **among(given.name, classes),
            )
        row = db.execute(
            "SELECT w.answer, w.why, a.name, a.class, a.sure, a.version FROM waiting w "
            "LEFT JOIN answer a ON a.number = w.answer WHERE w.image = ?",
            (given.image,),
        ).fetchone()
        if row is None:
            raise LineError(mark("this image does not wait for a person (any more)."))
        _, why, name, predicted, sure, version = row
        db.execute("DELETE FROM waiting WHERE image = ?", (given.image,))
        values = (given.token, given.image, given.name, given.by, written(now()), why)
        number = db.execute(
            "INSERT INTO said (token, image, class, by, at, why, name, predicted, confidence, version) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*values, name or "", predicted or "", sure or 0.0, version or ""),
        ).lastrowid
        return {"number": number, "repeated": False}

    return change


def _known(db: sqlite3.Connection, given: PersonAnswer) -> int | None:
    """The number of this very answer, sent before; None where its token is new.

    Reused: the token is that of another answer, or of one that was taken back.
    """
    row = db.execute(
        "SELECT number, image, class, undone FROM said WHERE token = ?", (given.token,)
    ).fetchone()
    if row is None:
        return None
    number, image, name, undone = row
    if undone or (image, name) != (given.image, given.name):
        raise Reused(
            mark(
                "the token {token} belongs to another answer, or to one that was taken back. Give each a new one."
            ),
            token=given.token,
        )
    return int(number)


def undo(token: str) -> Callable[[sqlite3.Connection], dict[str, Any]]:
    """A change that takes an answer back: the image waits again. LineError: there is no such answer."""

    def change(db: sqlite3.Connection) -> dict[str, Any]:
        row = db.execute(
            "SELECT number, image, why FROM said WHERE token = ? AND undone = 0", (token,)
        ).fetchone()
        if row is None:
            raise LineError(mark("there is no such answer to take back."))
        number, image, why = row
        answer = db.execute("SELECT max(number) FROM answer WHERE image = ?", (image,)).fetchone()[
            0
        ]
        db.execute("UPDATE said SET undone = 1 WHERE number = ?", (number,))
        db.execute("INSERT OR IGNORE INTO waiting VALUES (?, ?, ?)", (image, answer or 0, why))
        return {"image": image}

    return change


def labels_csv(db: sqlite3.Connection, called: Mapping[str, str] | None = None) -> str:
    """Every answer that stands, as a table that ``clipgrip review --import`` takes.

    An image of which people said nothing but "unsure" is left out. ``called`` names the files of images, where they
    were written beside it.
    """
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(COLUMNS)
    rows = db.execute(
        "SELECT name, image, class, by, at, version, predicted, why FROM said "
        "WHERE undone = 0 AND class <> '' ORDER BY number"
    )
    newest: dict[str, tuple[Any, ...]] = {row[1]: row for row in rows}
    for name, image, label, by, at, version, predicted, why in newest.values():
        place = (called or {}).get(image) or name or image
        cells = (place, image, label, "person", by, at, version, predicted, why)
        table.writerow(map(guarded, cells))
    return out.getvalue()


def write_pictures(db: sqlite3.Connection, folder: Path) -> dict[str, str]:
    """The pictures of every answer that stands, as far as they are kept; the names of their files by content."""
    folder.mkdir(parents=True, exist_ok=True)
    called: dict[str, str] = {}
    rows = db.execute(
        "SELECT DISTINCT p.image, p.data FROM said s JOIN picture p ON p.image = s.image "
        "WHERE s.undone = 0 AND s.class <> '' ORDER BY p.image"
    )
    for image, data in rows:
        called[image] = image[:16] + (ending_of(data) or ".img")
        write_bytes_atomic(folder / called[image], data)
    return called


def counted(db: sqlite3.Connection) -> Mapping[str, int]:
    """How many answers of people stand, by why they were asked."""
    rows = db.execute("SELECT why, count(*) FROM said WHERE undone = 0 GROUP BY why")
    return dict(rows.fetchall())
