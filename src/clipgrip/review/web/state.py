"""What all requests share: the session, its folder, and how the server may be reached."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from clipgrip.data.manifest import Row
from clipgrip.review.draws import chosen_draw, to_ask
from clipgrip.review.exchange import Written
from clipgrip.review.naming import NameBoard
from clipgrip.review.queues import QUEUES, most_doubtful
from clipgrip.review.session import ReviewSession
from clipgrip.review.snapshot import ReviewSnapshot
from clipgrip.review.states import Ints
from clipgrip.review.web.address import Access
from clipgrip.review.web.presence import Presence
from clipgrip.review.web.thumbs import warm
from clipgrip.review.web.uploads import Uploads
from clipgrip.words import Language

WARM = 400
"""Thumbnails that are made before anyone asks."""
REMEMBERED = 64
"""Lists of helpful images and exports that are remembered."""


@dataclass
class ServerState:
    """One server's state."""

    session: ReviewSession
    access: Access
    encoding: str | None = None
    """That of tables which people bring in; None to tell it from the file."""
    language: Language | None = None
    """That of the pages until a person chooses one there; None for the browser's."""
    stopped: threading.Event = field(default_factory=threading.Event)
    presence: Presence = field(default_factory=Presence)
    exports: dict[str, Written | str] = field(default_factory=dict)
    """By ticket: what the file for it holds, or why it could not be."""
    _orders: dict[tuple[str, int | None, int], Ints] = field(default_factory=dict)
    _loader: threading.Thread | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def folder(self) -> Path:
        """The folder of the review."""
        return self.session.folder

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
        return NameBoard()

    @cached_property
    def name(self) -> str:
        """What tells this review from any other in a browser's storage, wherever its folder lies."""
        return hashlib.sha256(b"name" + self.session.store.secret()).hexdigest()[:16]

    def warm(self) -> None:
        """Make the first thumbnails in the background."""
        snapshot = self.session.snapshot
        rows = [snapshot.view.rows[n] for n in most_doubtful(snapshot, WARM).tolist()]
        threading.Thread(target=warm, args=(rows, self.stopped), daemon=True).start()

    def row(self, image: str) -> Row:
        """The image of a content hash."""
        snapshot = self.session.snapshot
        return snapshot.view.rows[snapshot.row(image)]

    def queue(
        self, snapshot: ReviewSnapshot, name: str, klass: int | None, person: str = ""
    ) -> Ints:
        """Rows of a queue; answered ones drop out of the helpful ones, which are not sought anew for each answer."""
        if name == "audit":
            chosen = chosen_draw(snapshot, self.session.store)
            if chosen.kind != "alike":
                return to_ask(snapshot, chosen)
        if name != "helpful":
            return QUEUES[name](snapshot, klass, person)
        key = (name, klass, snapshot.version)
        rows = self._orders.get(key)
        if rows is None:
            rows = QUEUES[name](snapshot, klass, person)
            with self._lock:
                if len(self._orders) >= REMEMBERED:
                    self._orders.clear()
                self._orders[key] = rows
        return rows[snapshot.states.waiting[rows]]

    def note_export(self, ticket: str, made: Written | str) -> None:
        """Remember what the page that asked will want to know."""
        if not ticket:
            return
        with self._lock:
            if len(self.exports) >= REMEMBERED:
                del self.exports[next(iter(self.exports))]
            self.exports[ticket] = made

    @property
    def loading(self) -> bool:
        """Whether a newer round is being read."""
        return self._loader is not None and self._loader.is_alive()

    def refresh(self) -> None:
        """Begin to read the newest round when one was finished since; people go on meanwhile."""
        newest = self.session.store.rounds()[-1].number
        behind = newest > self.session.snapshot.round.number
        with self._lock:
            if behind and not self.loading:
                self._loader = threading.Thread(target=self._load, daemon=True)
                self._loader.start()

    def _load(self) -> None:
        self.session.load()
        self.warm()
