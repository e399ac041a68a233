"""Who may come in: a bounded number of images and bytes at once; over that, when to come again."""

from __future__ import annotations

import math
import threading
import time
from collections import deque

RECENT = 64
"""Images from whose time the pace of the engine is read."""

SENT = 0.002
"""Seconds in which an answer is sent."""


class Full(Exception):
    """No room now; ``after``: seconds until it is worth to come again."""

    def __init__(self, after: int) -> None:
        super().__init__(after)
        self.after = after


class Admission:
    """Counts what is inside. Safe from every thread."""

    def __init__(self, images: int, most_bytes: int) -> None:
        self.most, self.most_bytes = images, most_bytes
        self.images, self.bytes = 0, 0
        self.preparing = 0
        """Images inside that have not reached the engine yet."""
        self._lock = threading.Lock()
        self._left: deque[float] = deque(maxlen=RECENT)
        self._last = 0.0
        """When images left last."""

    def enter_bytes(self, size: int) -> None:
        """So many bytes of a body have come; Full where there is no room for them. The first always have it."""
        with self._lock:
            if self.bytes and self.bytes + size > self.most_bytes:
                raise Full(self._after())
            self.bytes += size

    def leave_bytes(self, size: int) -> None:
        """Its memory is free again."""
        with self._lock:
            self.bytes -= size

    def enter(self, images: int) -> None:
        """So many images; Full where there is no room for all. An empty queue takes any number."""
        with self._lock:
            if self.images and self.images + images > self.most:
                raise Full(self._after())
            if not self.images:
                self._left.clear()  # nobody waited, so what came before says nothing of the pace
            self.images += images
            self.preparing += images

    def prepared(self, images: int = 1) -> None:
        """They stand before the engine, or will never."""
        with self._lock:
            self.preparing -= images

    def leave(self, images: int, answered: bool = True) -> None:
        """They are answered, or refused."""
        with self._lock:
            self.images -= images
            self._last = time.monotonic()
            if answered:
                self._left.extend([self._last] * images)

    def is_calm(self) -> bool:
        """Whether nothing is inside, and the last answer has had the time to be sent."""
        with self._lock:
            return not self.images and time.monotonic() - self._last > SENT

    def _after(self) -> int:
        """Seconds in which about half of the queue is done, by the pace of the latest answers; at least 1."""
        if len(self._left) < 2:
            return 1
        spent = max(self._left[-1] - self._left[0], 1e-3)
        return max(1, min(60, math.ceil(self.images / 2 * spent / (len(self._left) - 1))))
