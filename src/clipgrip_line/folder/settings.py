"""What a watched folder is asked to do."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clipgrip_line.folder.courier import Courier
from clipgrip_line.folder.ledger import Deliveries


@dataclass(frozen=True)
class FolderSettings:
    """Where, and how patient."""

    folder: Path
    out: Path
    poll: float = 1.0
    """Seconds between two listings; a file counts once two show it alike."""
    give_up: float = 60.0
    """Seconds after which a file that stays as it is and does not decode is listed."""
    batch: int = 16
    spool: int = 100_000
    """Messages that wait for a server at most; beyond, the oldest become dead letters."""
    patience: float = 5.0
    """Seconds that an end waits for servers."""
    alpha: float = 0.01
    """The probability that the watch ever rings while nothing has changed."""
    people_at_alarm: bool = False
    """Whether a person decides every picture while an alarm rings."""


@dataclass(frozen=True)
class Outlets:
    """Who is owed what: couriers on this machine and to servers, and the channels by kind of item."""

    local: Sequence[Courier]
    remote: Sequence[Courier]
    owed: Mapping[str, Sequence[str]] = field(repr=False)

    ledger: Deliveries = field(repr=False)

    def bring(self, most: float = float("inf")) -> None:
        """Deliver what waits on this machine; what is done is crossed off together."""
        for courier in self.local:
            courier.bring(most)
        with contextlib.suppress(sqlite3.Error):  # said by the next batch
            self.ledger.flush()

    def all(self) -> list[Courier]:
        """In the order of delivery."""
        return [*self.local, *self.remote]
