"""Pictures for the operator's page, made once for all screens."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from clipgrip_line.pictures.small import small_jpeg

if TYPE_CHECKING:
    from clipgrip_line.service.service import Service

LONGEST = 1400
"""Pixels of the longer side."""
KEPT = 24
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
                while len(self._made) > KEPT:
                    self._made.popitem(last=False)
        return made


def shown(service: Service, image: str) -> bytes | None:
    """The picture as JPEG; None where it is not kept (any more)."""
    return service.thumbs.of(
        image, lambda: service.observers.gallery.get(image) or _stored(service, image)
    )


def _stored(service: Service, image: str) -> bytes | None:
    for table in ("picture", "alarm_picture"):
        row = service.ledger.reader.execute(
            f"SELECT data FROM {table} WHERE image = ?", (image,)
        ).fetchone()
        if row is not None:
            return bytes(row[0])
    return None
