"""The bytes of the images that came lately, in bounded memory: all of the newest, ever fewer the older they are."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping
from typing import Any

from clipgrip_line.pictures.small import small_jpeg
from clipgrip_line.trust.line import Alarm

MEMORY = 48 << 20
"""Bytes of images, unless another number is given."""
NEWEST = 12
"""Images that are kept whatever their size: a page shows them."""

LONGEST = 480
"""Pixels of the longer side of an alarm's pictures."""


class Gallery:
    """An alarm looks back on it for pictures from before and after a change. Safe from every thread."""

    def __init__(self, most: int = MEMORY, newest: int = NEWEST) -> None:
        """``most`` bytes, but for the ``newest`` (at least 3)."""
        self.most, self._newest = most, newest
        self._images: dict[str, bytes] = {}
        """Oldest first."""
        self._size = 0
        self._lock = threading.Lock()

    def put(self, image: str, data: bytes) -> None:
        """It came now."""
        with self._lock:
            self._size += len(data) - len(self._images.pop(image, b""))
            self._images[image] = data
            while self._size > self.most and len(self._images) > self._newest:
                self._thin()

    def get(self, image: str) -> bytes | None:
        """Its bytes, as far as they are still here."""
        with self._lock:
            return self._images.get(image)

    def small(self, facts: Mapping[str, Any]) -> dict[str, bytes]:
        """The pictures of an alarm from before and after, as far as they are still here, small enough to be kept."""
        found: dict[str, bytes] = {}
        for one in (*facts["before"], *facts["after"]):
            data = self.get(one["sha256"])
            made = None if data is None else small_jpeg(data, LONGEST)
            if made is not None:
                found[one["sha256"]] = made
        return found

    def __contains__(self, image: object) -> bool:
        with self._lock:
            return image in self._images

    def _thin(self) -> None:
        """Every second of the older half of all but the newest goes, so that what is left reaches far back."""
        older = list(self._images)[: len(self._images) - self._newest]
        for image in older[1 : len(older) // 2 : 2] or older[:1]:
            self._size -= len(self._images.pop(image))


def kept_pictures(db: sqlite3.Connection, alarm: int) -> dict[str, bytes]:
    """By content, the pictures of an alarm as JPEG."""
    return dict(db.execute("SELECT image, data FROM alarm_picture WHERE alarm = ?", (alarm,)))


def pictured(db: sqlite3.Connection, alarm: Alarm) -> dict[str, list[str]]:
    """The contents from before and after of which an alarm keeps a picture."""
    rows = db.execute("SELECT image FROM alarm_picture WHERE alarm = ?", (alarm.number,))
    stored = {image for (image,) in rows}
    return {
        when: [one["sha256"] for one in alarm.facts[when] if one["sha256"] in stored]
        for when in ("before", "after")
    }
