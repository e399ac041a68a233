"""A file that is done, as lines of the journal: its answer, what each outlet is owed, what the watch will see."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clipgrip_line.folder import compaction
from clipgrip_line.folder.item import printable


@dataclass(frozen=True)
class Watchable:
    """An image for the watch."""

    label: int
    sure: float
    codes: bytes | None
    drawn: bool
    """Whether people may be asked for the truth of it."""


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
    seen: Watchable | None = field(default=None, repr=False)
    """Of an answer: what the watch bets on."""


def record(db: sqlite3.Connection, one: Found, at: str, owed: Mapping[str, Collection[str]]) -> str:
    """Keep it, within the caller's transaction; ``answer``, ``repeat`` of a content, or ``refused``."""
    path, kind, image = os.fsencode(one.path), "refused", None
    if one.image and not one.reason:
        image = bytes.fromhex(one.image)
        kind = _kind(db, image, one)
    reason = json.dumps({"reason": one.reason}) if one.reason else None
    values = (path, one.size, one.mtime, at, kind, image, reason)
    number = add_item(db, values, owed[kind])
    if kind == "answer" and one.seen is not None:
        _add_seen(db, number, at, one)
    if one.final:
        row = (path, one.size, one.mtime, number)
        db.execute("INSERT OR REPLACE INTO files VALUES(?,?,?,?)", row)
    return kind


def _kind(db: sqlite3.Connection, image: bytes, one: Found) -> str:
    """``answer`` of a new content, which is kept; else ``repeat``."""
    if one.content is None or compaction.is_known(db, image):
        old = compaction.remembered(db, image)
        if old is not None:
            _add_answer(db, image, old)
        return "repeat"
    _add_answer(db, image, one.content)
    _count_in(db, f"verdict {one.content['verdict']}")
    return "answer"


def add_item(db: sqlite3.Connection, values: Sequence[Any], owed: Collection[str]) -> int:
    """A line for the outlets; its number."""
    number = db.execute(
        "INSERT INTO items(path, size, mtime, at, kind, image, reason) VALUES(?,?,?,?,?,?,?)",
        values,
    ).lastrowid
    db.executemany("INSERT INTO waiting VALUES(?,?)", [(name, number) for name in owed])
    _count_in(db, values[4])
    return number or 0


def _add_answer(db: sqlite3.Connection, image: bytes, content: Mapping[str, Any]) -> None:
    text = json.dumps(content, ensure_ascii=False)
    row = (image, content["verdict"], text)
    db.execute("INSERT OR IGNORE INTO answers VALUES(?,?,?)", row)


def _add_seen(db: sqlite3.Connection, number: int, at: str, one: Found) -> None:
    """What the watch bets on, and people may be asked about."""
    seen, content = one.seen, one.content
    assert seen is not None
    assert content is not None
    name, version = printable(one.path), content["version"]
    db.execute(
        "INSERT INTO seen VALUES(?,?,?,?,?,?,?,?,1)",
        (number, at, one.image, version, name, seen.label, seen.sure, seen.codes),
    )
    if seen.drawn:
        row = (number, one.image, name, content["class"], seen.sure, version)
        db.execute("INSERT OR IGNORE INTO drawn VALUES(?,?,?,?,?,?)", row)


def _count_in(db: sqlite3.Connection, kind: str) -> None:
    db.execute("INSERT INTO counts VALUES(?, 1) ON CONFLICT DO UPDATE SET n = n + 1", (kind,))
