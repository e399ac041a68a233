"""Pictures kept for the next round beside the answers: the doubtful ones, and others drawn by their content."""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from clipgrip_line.folder.samples import FOLDER, SamplePicture, Samples, Why
from clipgrip_line.pictures.formats import ending_of
from clipgrip_line.service.live import LiveImage

log = logging.getLogger(__name__)
MOST = 32
"""Pictures that wait to be written; those for which there is no room are left out."""
TOGETHER = 5.0
"""Seconds within which pictures are written together."""


class Sampling(threading.Thread):
    """Writes them in a thread of its own: no answer waits for it, and what it cannot keep is left out."""

    def __init__(self, state: Path, budget: int, rate: float) -> None:
        """``budget`` bytes; ``rate`` of all images are kept as each kind.

        OSError, LineError: the folder cannot be used.
        """
        super().__init__(name="samples", daemon=True)
        self.store = Samples(state / FOLDER, budget, rate)
        self.failing = ""
        """Why the last one was not kept; empty where it was."""
        self._stopping = False
        self._queue: queue.Queue[SamplePicture | None] = queue.Queue(MOST)

    def stored(self, seen: Sequence[LiveImage], documents: Sequence[dict[str, Any]]) -> None:
        """Images that were answered."""
        for one, document in zip(seen, documents, strict=True):
            why = self.store.why(one.answer.image_id, one.answer.confidence)
            if why is not None and not self._queue.full():
                self._queue.put(_picture_of(why, one, document))

    def run(self) -> None:
        """The loop: what came within some seconds is written together, which costs the disk as much as one."""
        self._tried(self.store.tidy)
        while not self._stopping:
            found = self._taken()
            if found:
                self._tried(partial(self.store.keep, found))

    def _tried(self, step: Callable[[], None]) -> None:
        try:
            step()
            self.failing = ""
        except (OSError, sqlite3.Error) as error:
            if not self.failing:
                log.warning("pictures for the next round cannot be kept: %s", error)
            self.failing = str(error)

    def _taken(self) -> list[SamplePicture]:
        """One, and what comes soon after it."""
        found: list[SamplePicture] = []
        until = None
        while len(found) < MOST // 2:
            left = None if until is None else max(0.0, until - time.monotonic())
            try:
                one = self._queue.get(timeout=left)
            except queue.Empty:
                break
            if one is None:
                self._stopping = True
                break
            found.append(one)
            until = until or time.monotonic() + TOGETHER
        return found

    def stop(self) -> None:
        """Ends after what waits."""
        if self.is_alive():
            self._queue.put(None)
            self.join()
        self.store.close()


def _picture_of(why: Why, one: LiveImage, document: dict[str, Any]) -> SamplePicture:
    asked = one.asked
    path = asked.name or asked.serial
    about = {**document, "time": document["at"], "path": path, "lot": asked.lot}
    name = path.replace("\\", "/").rpartition("/")[2] or "image"
    ending = "" if Path(name).suffix else ending_of(asked.data) or ".img"
    return SamplePicture(why, name + ending, asked.data, about)
