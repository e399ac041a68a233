"""The thread of a service that looks at what was answered, so that no answer waits for the watch."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Sequence
from dataclasses import replace

from clipgrip_line.monitoring.store import NotKept
from clipgrip_line.monitoring.watching import Watching
from clipgrip_line.service.live import Seen

log = logging.getLogger(__name__)
EVERY = 0.5
"""Seconds between two looks."""


class Looking(threading.Thread):
    """Looks until it is stopped."""

    def __init__(self, watching: Watching) -> None:
        super().__init__(name="watch", daemon=True)
        self.watching = watching
        self.failing = ""
        """Why the last look came to nothing; empty where it did not."""
        self._stopping = threading.Event()

    def scored(self, seen: Sequence[Seen]) -> list[Seen]:
        """Images of one version, with what the watch keeps of them."""
        codes: Sequence[bytes | None] = [None] * len(seen)
        try:
            codes = self.watching.codes(seen)
        except Exception:  # the answer does not wait for the watch
            log.exception("the watch could not look at %d images", len(seen))
        return [replace(one, codes=code) for one, code in zip(seen, codes, strict=True)]

    def run(self) -> None:
        """The loop."""
        while not self._stopping.wait(EVERY):
            self.look()
        with contextlib.suppress(NotKept):
            self.watching.save()

    def look(self) -> None:
        """At all that came. Where that fails, the same images are bet on again, and somebody has to know."""
        try:
            while self.watching.look() and not self._stopping.is_set():
                pass
        except Exception as error:
            reason = str(error) or type(error).__name__
            if reason != self.failing:
                log.exception("the watch could not look")
            self.failing = reason
        else:
            self.failing = ""

    def stop(self) -> None:
        """Ends after the present look."""
        self._stopping.set()
