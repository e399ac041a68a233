"""Pictures kept for the next round beside the answers: the doubtful ones, and others drawn by their content."""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clipgrip_line.folder.samples import FOLDER, Samples, Why
from clipgrip_line.service.live import Seen
from clipgrip_line.service.people import ending_of

log = logging.getLogger(__name__)
MOST = 32
"""Pictures that wait to be written; those for which there is no room are left out."""


class Sampling(threading.Thread):
    """Writes them in a thread of its own: no answer waits for it, and what it cannot keep is left out."""

    def __init__(self, state: Path, budget: int, rate: float) -> None:
        """``budget`` bytes; ``rate`` of all images are kept as each kind.

        Raises:
            OSError, sqlite3.Error: the folder cannot be used.
        """
        super().__init__(name="samples", daemon=True)
        self.store = Samples(state / FOLDER, budget, rate)
        self.failing = ""
        """Why the last one was not kept; empty where it was."""
        self._queue: queue.Queue[tuple[Why, Seen, dict[str, Any]] | None] = queue.Queue(MOST)

    def kept(self, seen: Sequence[Seen], documents: Sequence[dict[str, Any]]) -> None:
        """Images that were answered."""
        for one, document in zip(seen, documents, strict=True):
            why = self.store.why(one.answer.image_id, one.answer.confidence)
            if why is not None and not self._queue.full():
                self._queue.put((why, one, document))

    def run(self) -> None:
        """The loop."""
        self.store.tidy()
        while (found := self._queue.get()) is not None:
            try:
                self._keep(*found)
                self.failing = ""
            except (OSError, sqlite3.Error) as error:
                if not self.failing:
                    log.warning("pictures for the next round cannot be kept: %s", error)
                self.failing = str(error)

    def stop(self) -> None:
        """Ends after what waits."""
        self._queue.put(None)
        if self.is_alive():
            self.join()
        self.store.close()

    def _keep(self, why: Why, one: Seen, document: dict[str, Any]) -> None:
        asked, data = one.asked, one.asked.data
        path = asked.name or asked.serial
        about = {**document, "time": document["at"], "path": path, "lot": asked.lot}
        name = path.replace("\\", "/").rpartition("/")[2] or "image"
        ending = "" if Path(name).suffix else ending_of(data)
        self.store.keep(why, name + ending, data, about)
