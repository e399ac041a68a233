"""How long to wait before trying again: longer each time, never forever."""

from __future__ import annotations

import random

FIRST, MOST = 1.0, 300.0


class Backoff:
    """Seconds doubled from one try to the next, a little at random so that many stations do not come at once."""

    def __init__(self, first: float = FIRST, most: float = MOST) -> None:
        self.first, self.most, self.failures = first, most, 0
        self._until = 0.0

    def failed(self, now: float, at_least: float = 0.0) -> None:
        """One more try has failed."""
        wait = min(self.first * 2.0 ** min(self.failures, 30), self.most)
        self._until = now + max(wait * random.uniform(0.75, 1.0), min(at_least, self.most))
        self.failures += 1

    def worked(self) -> None:
        """Begin anew."""
        self.failures, self._until = 0, 0.0

    def wait(self, now: float) -> float:
        """Seconds until the next try."""
        return max(0.0, self._until - now)
