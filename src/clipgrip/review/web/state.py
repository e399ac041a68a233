"""What all requests share: the desk, its folder, and how the server may be reached."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipgrip.data.manifest import Row
from clipgrip.review.desk import OPEN, Desk
from clipgrip.review.exchange import Written
from clipgrip.review.naming import NameBoard
from clipgrip.review.queues import QUEUES, doubtful
from clipgrip.review.web.address import Access
from clipgrip.review.web.presence import Presence
from clipgrip.review.web.thumbs import warm
from clipgrip.review.web.uploads import Uploads

WARM = 400
"""Thumbnails that are made before anyone asks."""
ORDERS = ("doubtful", "surest", "helpful")
"""Queues of open images, whose order stays while they are answered."""
HELD = 64
"""Queues that are remembered, so that 100,000 images are not sorted again for each page."""


@dataclass
class Hall:
    """One server's state."""

    desk: Desk
    access: Access
    stopped: threading.Event = field(default_factory=threading.Event)
    presence: Presence = field(default_factory=Presence)
    exports: dict[str, Written | str] = field(default_factory=dict)
    """By ticket: what the file for it holds, or why it could not be."""
    _held: dict[tuple[str, int | None, int], NDArray[np.int64]] = field(default_factory=dict)
    _loader: threading.Thread | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def folder(self) -> Path:
        """The folder of the review."""
        return self.desk.folder

    @property
    def root(self) -> str:
        """What stands before the path of every page."""
        return self.access.prefix

    @cached_property
    def uploads(self) -> Uploads:
        """Files that are coming in pieces."""
        return Uploads(self.folder)

    @cached_property
    def names(self) -> NameBoard:
        """Which class names fit."""
        return NameBoard(self.desk)

    @cached_property
    def name(self) -> str:
        """What tells this review from any other in a browser's storage, wherever its folder lies."""
        return hashlib.sha256(b"name" + self.desk.store.secret()).hexdigest()[:16]

    def warm(self) -> None:
        """Make the first thumbnails in the background."""
        rows = [self.desk.view.rows[n] for n in doubtful(self.desk)[:WARM].tolist()]
        threading.Thread(target=warm, args=(rows, self.stopped), daemon=True).start()

    def row(self, image: str) -> Row:
        """The image of a content hash."""
        return self.desk.view.rows[self.desk.row(image)]

    def queue(self, name: str, klass: int | None, person: str = "") -> NDArray[np.int64]:
        """Rows of a queue; answered ones drop out of a remembered order, which is not sorted anew for each answer."""
        if name not in ORDERS:
            with self.desk.lock:
                return QUEUES[name](self.desk, klass, person)
        key = (name, klass, self.desk.version)
        rows = self._held.get(key)
        if rows is None:
            rows = QUEUES[name](self.desk, klass, person)
            with self._lock:
                if len(self._held) >= HELD:
                    self._held.clear()
                self._held[key] = rows
        with self.desk.lock:
            standing = self.desk.standing
            return rows[(standing.state[rows] == OPEN) & ~standing.audit[rows]]

    def note_export(self, ticket: str, made: Written | str) -> None:
        """Remember what the page that asked will want to know."""
        if not ticket:
            return
        with self._lock:
            if len(self.exports) >= HELD:
                del self.exports[next(iter(self.exports))]
            self.exports[ticket] = made

    @property
    def loading(self) -> bool:
        """Whether a newer round is being read."""
        return self._loader is not None and self._loader.is_alive()

    def refresh(self) -> None:
        """Begin to read the newest round when one was finished since; people go on meanwhile."""
        behind = self.desk.store.rounds()[-1].number > self.desk.round.number
        with self._lock:
            if behind and not self.loading:
                self._loader = threading.Thread(target=self._load, daemon=True)
                self._loader.start()

    def _load(self) -> None:
        self.desk.load()
        self.warm()
