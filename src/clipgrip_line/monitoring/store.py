"""What the watch needs of the database that answers are kept in."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any, Protocol

FULL = (errno.ENOSPC, errno.EDQUOT)


class NotKept(sqlite3.OperationalError):
    """The disk refused, so nothing was acknowledged."""

    is_full = False
    """Whether the disk has no room, as the error says that it comes from."""

    @classmethod
    def because(cls, error: Exception) -> NotKept:
        """In the words of the error that was met."""
        if isinstance(error, NotKept):
            return error
        made = cls(str(error) or type(error).__name__)
        code = getattr(error, "sqlite_errorcode", None)
        made.is_full = code == sqlite3.SQLITE_FULL or getattr(error, "errno", None) in FULL
        return made


class Store(Protocol):
    """line.db of a service, or journal.db of a watched folder; both hold the tables of `tables.FIRST`."""

    @property
    def answered(self) -> str:
        """The table of what was answered: number, at, image, version, name, label, sure, codes, fresh."""

    @property
    def reader(self) -> sqlite3.Connection:
        """A connection to read with."""

    def do(self, change: Callable[[sqlite3.Connection], Any]) -> Any:
        """Write, and wait until it is on the disk; NotKept where it is not."""

    def notice(self, db: sqlite3.Connection, at: str, body: Mapping[str, Any]) -> None:
        """Let others know, in the change that is being written."""


class Album(Protocol):
    """Pictures of the images that came lately."""

    def __contains__(self, image: object) -> bool:
        """Whether the picture of a content is there."""

    def small(self, facts: Mapping[str, Any]) -> dict[str, bytes]:
        """By content, the pictures of an alarm's facts, as JPEG, as far as they are there."""
