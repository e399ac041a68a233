"""The version that answers, and the change to another one without a lost or torn request.

A request takes the version that stands when it begins, and is answered by it to the end; the engine never mixes two in
a batch. The one before stays in memory, so going back takes no longer than noticing.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

from clipgrip_line.errors import LineError
from clipgrip_line.sentences import Sentence
from clipgrip_line.service.ledger import Ledger
from clipgrip_line.service.live import Answering
from clipgrip_line.service.versions import live, path_of

log = logging.getLogger(__name__)
EVERY = 0.2
"""Seconds between two looks at what is to answer."""
Load = Callable[[Path], Answering]


class Switching(threading.Thread):
    """Follows the changes that are written into the folder, by whichever process."""

    def __init__(
        self,
        ledger: Ledger,
        state: Path,
        model: Answering,
        load: Load,
        began: Callable[[Answering], None],
    ) -> None:
        super().__init__(name="versions", daemon=True)
        self.ledger, self.state, self.load, self.began = ledger, state, load, began
        self.model = model
        self.failed = ""
        """Why the version that should answer does not: it could not be opened."""
        self._opened = {model.version: model}
        self.refused: set[int] = set()
        """Numbers of changes that could not be made."""
        self._trouble = ""
        """Why the last look came to nothing."""
        self._stopping = threading.Event()

    def run(self) -> None:
        """The loop."""
        while not self._stopping.wait(EVERY):
            try:
                self.look()
            except Exception as error:  # five looks a second: said once
                if str(error) != self._trouble:
                    log.exception("the versions could not be looked at")
                self._trouble = str(error)
            else:
                self._trouble = ""

    def stop(self) -> None:
        """Ends at the next look."""
        self._stopping.set()

    def look(self) -> None:
        """Change to what stands last, if it is another one."""
        change = live(self.ledger.reader)
        if change is None or change.number in self.refused:
            return
        if change.version == self.model.version:
            self.failed = ""
            return
        try:
            found = self._opened.get(change.version) or self.load(
                path_of(self.state, change.version)
            )
            if found.version != change.version:
                raise LineError("its file holds version {version}", version=found.version)
            self._opened[change.version] = found
            # before it answers: what people withdrew of it holds from its first image on
            self.began(found)
        except sqlite3.Error as error:  # tried again: the disk is to blame, not the version
            self.failed = _why(change.version, error)
            return
        except Exception as error:  # ONNX Runtime raises its own
            self.refused.add(change.number)
            self._opened.pop(change.version, None)
            self.failed = _why(change.version, error)
            log.warning("version %s cannot answer: %s", change.version, error)
            return
        self._opened = {self.model.version: self.model, found.version: found}
        self.model, self.failed = found, ""
        log.warning("version %s answers (%s by %s)", found.version, change.action, change.by)


def _why(version: str, error: Exception) -> str:
    reason = getattr(error, "sentence", str(error))
    return Sentence("{version}: {reason}", version=version, reason=reason)
