"""The thread of a service that looks at what was answered, so that no answer waits for the watch."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from clipgrip_line.monitoring.store import NotKept
from clipgrip_line.monitoring.watching import Watching
from clipgrip_line.service.live import LiveImage

log = logging.getLogger(__name__)
EVERY = 0.5
"""Seconds between two looks, and those that one is put off at most."""
FAILED = "the watch could not look: %s"
STEP = 0.004
"""Seconds between two questions whether the line rests."""


class Looking(threading.Thread):
    """Looks until it is stopped."""

    def __init__(self, watching: Watching, is_calm: Callable[[], bool]) -> None:
        """``is_calm``: whether no image is at work at this moment."""
        super().__init__(name="watch", daemon=True)
        self.watching, self._is_calm = watching, is_calm
        self.failing = ""
        """Why the last look came to nothing; empty where it did not."""
        self._stopping = threading.Event()

    def scored(self, seen: Sequence[LiveImage]) -> list[LiveImage]:
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
            self._wait_for_calm()
            self.look()
        with contextlib.suppress(NotKept):
            self.watching.save()

    def _wait_for_calm(self) -> None:
        """A look takes the interpreter from who answers; a line that never rests is looked at, too."""
        until = time.monotonic() + EVERY
        while not self._is_calm() and time.monotonic() < until and not self._stopping.is_set():
            self._stopping.wait(STEP)

    def look(self) -> None:
        """At all that came. Where that fails, the same images are bet on again, and somebody has to know."""
        try:
            while self.watching.look() and not self._stopping.is_set():
                pass
        except Exception as error:
            reason = str(error) or type(error).__name__
            if reason != self.failing:
                is_of_the_disk = isinstance(error, NotKept | sqlite3.Error)
                (log.warning if is_of_the_disk else log.exception)(FAILED, reason)
            self.failing = reason
        else:
            self.failing = ""

    def stop(self) -> None:
        """Ends after the present look."""
        self._stopping.set()
