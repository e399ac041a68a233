"""Where answers go: a table, a file, a folder, a server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from clipgrip_line.folder.item import Item


class Trouble(Exception):
    """It cannot be done now, and may be later: nothing is lost, it is tried again."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        """``wait``: seconds that the other side asks for."""
        super().__init__(reason)
        self.reason, self.wait = reason, wait


class Refused(Exception):
    """This one item will never get there; it becomes a dead letter."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Outlet(Protocol):
    """One place where answers go. What is done twice comes out as if it was done once."""

    @property
    def name(self) -> str:
        """Its channel in the journal."""

    @property
    def at_once(self) -> int:
        """How many items `deliver` takes together."""

    def deliver(self, items: Sequence[Item]) -> None:
        """Bring them there, durably.

        Raises:
            Trouble: not now.
            OSError: not now, as the system says.
            Refused: never, where ``items`` is a single one.
        """
