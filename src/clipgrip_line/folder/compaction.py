"""What of the journal may be forgotten, so that it stays small while every content is still answered once.

Of an answer that nobody is owed any more stays, for ever, half of its hash with class, confidence and verdict (about
40 bytes): a content that comes again is recognised, and its JSON can be written. Goes: the line about each file, its
full answer, its path. 128 bits of SHA-256 meet by chance in fewer than one of 10^20 lines of a billion pictures.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable
from typing import Any

from clipgrip_line.folder.item import renewed

WHOLE = 10_000
"""The newest files that are kept whole."""
AT_ONCE = 2_000
"""Files forgotten in one change."""
PATHS = 100_000
"""Paths remembered though no file has them now: a share that is away for a while is not read anew for it."""
SEEN = 10_000
"""Images that the watch can look back on, and drawn ones that nobody answered."""
KEY = 16
"""Bytes of a hash that are kept."""
SURE = 10_000
"""A confidence is kept in parts of this."""


def is_known(db: sqlite3.Connection, image: bytes) -> bool:
    """Whether a content was answered."""
    query = (
        "SELECT 1 FROM answers WHERE image=? UNION ALL SELECT 1 FROM known WHERE image=? LIMIT 1"
    )
    return db.execute(query, (image, image[:KEY])).fetchone() is not None


def remembered(db: sqlite3.Connection, image: bytes) -> dict[str, Any] | None:
    """What is left of an answer: the best class alone, its confidence to four digits; None where it is unknown."""
    row = db.execute(
        "SELECT class, verdict, decided, version, sure FROM known JOIN sayings ON number=saying WHERE image=?",
        (image[:KEY],),
    ).fetchone()
    if row is None:
        return None
    name, verdict, decided, version, sure = row
    best = {"class": name, "confidence": sure / SURE}
    about = {"decided_by": decided, "verdict": verdict, "version": version}
    return {"image_id": image.hex(), **best, "top": [best], **about}


def compact(db: sqlite3.Connection) -> int:
    """Forget what nobody needs of the oldest files, within the caller's transaction; how many."""
    (newest,) = db.execute("SELECT coalesce(max(number), 0) FROM items").fetchone()
    (owed,) = db.execute("SELECT min(number) FROM waiting").fetchone()
    until = min(newest - WHOLE, newest if owed is None else owed - 1)
    rows = db.execute(
        "SELECT number, image FROM items WHERE number<=? AND number NOT IN (SELECT number FROM dead) "
        "ORDER BY number LIMIT ?",
        (until, AT_ONCE),
    ).fetchall()
    db.executemany("DELETE FROM items WHERE number=?", [(number,) for number, _ in rows])
    for image in sorted({image for _, image in rows if image}):
        if not db.execute("SELECT 1 FROM items WHERE image=? LIMIT 1", (image,)).fetchone():
            _shrink(db, image)
    _forget_watched(db)
    return len(rows)


def _shrink(db: sqlite3.Connection, image: bytes) -> None:
    row = db.execute("SELECT content FROM answers WHERE image=?", (image,)).fetchone()
    if row is None:
        return
    content = renewed(json.loads(row[0]))
    saying = tuple(content[key] for key in ("class", "verdict", "decided_by", "version"))
    db.execute(
        "INSERT OR IGNORE INTO sayings(class, verdict, decided, version) VALUES(?,?,?,?)", saying
    )
    (number,) = db.execute(
        "SELECT number FROM sayings WHERE class=? AND verdict=? AND decided=? AND version=?", saying
    ).fetchone()
    sure = round(float(content["confidence"]) * SURE)
    db.execute("INSERT OR REPLACE INTO known VALUES(?,?,?)", (image[:KEY], number, sure))
    db.execute("DELETE FROM answers WHERE image=?", (image,))


def _forget_watched(db: sqlite3.Connection) -> None:
    """Images that the watch has bet on and looks back on no more; the oldest drawn ones without an answer."""
    bet = "SELECT coalesce(max(through), 0) FROM monitor"
    newest = "SELECT number FROM seen ORDER BY number DESC LIMIT ?"
    db.execute(f"DELETE FROM seen WHERE number <= ({bet}) AND number NOT IN ({newest})", (SEEN,))
    answered = "SELECT image FROM said WHERE undone=0"
    oldest = f"SELECT number FROM drawn WHERE image NOT IN ({answered}) ORDER BY number DESC LIMIT -1 OFFSET ?"
    db.execute(f"DELETE FROM drawn WHERE number IN ({oldest})", (SEEN,))


def forget_paths(db: sqlite3.Connection, present: Iterable[str]) -> int:
    """Forget paths that no file has now, but for the newest; how many. A file that returns is read anew."""
    here = {os.fsencode(path) for path in present}
    rows = db.execute("SELECT path FROM files ORDER BY number DESC")
    gone = [(path,) for (path,) in rows if path not in here][PATHS:]
    db.executemany("DELETE FROM files WHERE path=?", gone)
    return len(gone)
