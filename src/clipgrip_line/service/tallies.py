"""Counts since the service began, for /metrics."""

from __future__ import annotations

import bisect
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper ends of the histogram of answer times."""


class Counters:
    """Requests by status, and how long they took. Safe from every thread."""

    def __init__(self) -> None:
        self.requests: Counter[int] = Counter()
        self.verdicts: Counter[tuple[str, str, str]] = Counter()
        """(version, class, verdict) of answers."""
        self.images_refused = 0
        self.times = [0] * (len(SECONDS) + 1)
        self.seconds = 0.0
        self._lock = threading.Lock()

    def request(self, status: int, seconds: float) -> None:
        """A request of images was answered."""
        with self._lock:
            self.requests[status] += 1
            self.times[bisect.bisect_left(SECONDS, seconds)] += 1
            self.seconds += seconds

    def stored(self, _: Sequence[object], documents: Sequence[Mapping[str, Any]]) -> None:
        """Images were answered and kept."""
        with self._lock:
            for one in documents:
                self.verdicts[one["version"], one["class"], one["verdict"]] += 1

    def unreadable(self) -> None:
        """An image could not be read."""
        with self._lock:
            self.images_refused += 1
