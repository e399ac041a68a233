"""Pictures for the operator's page, made once for all screens."""

from __future__ import annotations

import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable

from clipgrip_line.pictures.small import small_jpeg

LONGEST = 1400
"""Pixels of the longer side."""
IN_MEMORY = 24
"""Pictures in memory."""


class Thumbs:
    """The latest pictures as they were shown, so that several screens cost one decoding."""

    def __init__(self) -> None:
        self._made: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, image: str, data: Callable[[], bytes | None]) -> bytes | None:
        """The picture as JPEG; None where its bytes are not kept, or are no picture."""
        with self._lock:
            if image in self._made:
                self._made.move_to_end(image)
                return self._made[image]
        found = data()
        made = None if found is None else small_jpeg(found, LONGEST)
        if made is not None:
            with self._lock:
                self._made[image] = made
                while len(self._made) > IN_MEMORY:
                    self._made.popitem(last=False)
        return made


def stored(db: sqlite3.Connection, image: str) -> bytes | None:
    """Its bytes as the ledger keeps them; None where it does not (any more)."""
    for table in ("picture", "alarm_picture"):
        row = db.execute(f"SELECT data FROM {table} WHERE image = ?", (image,)).fetchone()
        if row is not None:
            return bytes(row[0])
    return None
