"""Which images are no longer where they were: looked up beside the page, since many files take seconds."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence

from clipgrip.data.rows import Row
from clipgrip.data.sources import EmbeddingSource, FileSource, ImageSource
from clipgrip.files import openable

EVERY = 60.0
"""Seconds after which the files are looked for anew."""
PATIENCE = 0.5
"""Seconds that a page waits for the first look."""
AT_ONCE = 100_000
"""Images that one look is at; of more, each look is at the next so many."""


class Presence:
    """Paths of images whose file is gone, as of the last look."""

    def __init__(self) -> None:
        self.gone: tuple[str, ...] = ()
        self._next = 0
        self._looked = -EVERY
        self._lock = threading.Lock()

    def look(self, rows: Sequence[Row]) -> tuple[str, ...]:
        """What is known to be gone; a look that is due begins in the background."""
        with self._lock:
            due = time.monotonic() - self._looked >= EVERY
            if due:
                self._looked = time.monotonic()
        if due:
            looking = threading.Thread(target=self._look, args=(rows,), daemon=True)
            looking.start()
            looking.join(PATIENCE)
        return self.gone

    def _look(self, rows: Sequence[Row]) -> None:
        start = self._next if self._next < len(rows) else 0
        looked_at, self._next = rows[start : start + AT_ONCE], start + AT_ONCE
        known = {row.path for row in looked_at} if self.gone else set()
        gone = tuple(
            row.path
            for row in looked_at
            if (path := _file_of(row.source)) and not os.path.isfile(openable(path))
        )
        self.gone = (*(path for path in self.gone if path not in known), *gone)


def _file_of(source: ImageSource) -> str:
    """The file that shows an image; nothing of what never had one of its own."""
    if isinstance(source, EmbeddingSource):
        return source.picture
    return source.path if isinstance(source, FileSource) else ""
