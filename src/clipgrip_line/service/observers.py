"""What looks on while answers are given: the watch, a shadow, the page's last image. None may hold one up."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from clipgrip_line.monitoring.gallery import Gallery
from clipgrip_line.service.live import LiveImage

log = logging.getLogger(__name__)
RECENT = 60
"""Answers that the page lists."""
Listener = Callable[[Sequence[LiveImage], Sequence[dict[str, Any]]], None]


class Observers:
    """The last images in memory, and who else wants to know of answers."""

    def __init__(self, gallery: Gallery) -> None:
        self.gallery = gallery
        self.listeners: list[Listener] = []
        self.recent: deque[dict[str, Any]] = deque(maxlen=RECENT)
        self._lock = threading.Lock()

    def seen(self, seen: Sequence[LiveImage]) -> None:
        """Images whose answers will be written: the watch may ring as soon as they are, and wants their pictures."""
        for one in seen:
            self.gallery.put(one.answer.image_id, one.asked.data)

    def stored(self, seen: Sequence[LiveImage], documents: Sequence[dict[str, Any]]) -> None:
        """Answers that are on the disk."""
        with self._lock:
            self.recent.extend(documents)
        for listener in self.listeners:
            listener(seen, documents)

    def last(self) -> list[dict[str, Any]]:
        """The latest answers, newest first."""
        with self._lock:
            return list(reversed(self.recent))
