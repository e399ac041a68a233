"""What the journal hands to an outlet: one file that was answered or refused, or a notice of the watch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from posixpath import dirname
from typing import Any

from clipgrip_line.files import utf8

_NOT_ALLOWED = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
LONGEST = 80


@dataclass(frozen=True)
class Item:
    """A file under its number. ``content`` is its answer as JSON has it, or ``{"reason": ...}`` of a refused one.

    A notice of the watch has a number too, and no path.
    """

    number: int
    path: str
    """Below the watched folder, with ``/``, as the system opens it."""
    at: str
    """Local time with its offset, for people: nothing is decided by it."""
    size: int
    mtime: int
    """Nanoseconds; compared for being equal, never with now."""
    image: str
    """SHA-256 of the bytes in hex; empty where they could not be read."""
    content: Mapping[str, Any] = field(repr=False)

    @property
    def lot(self) -> str:
        """The sub-folder, empty at the top."""
        return dirname(self.path)

    def document(self) -> dict[str, Any]:
        """What is said of it to others."""
        shown = printable(self.path)
        head = {"number": self.number, "time": self.at, "path": shown, "lot": dirname(shown)}
        return {**head, **self.content}

    def message(self) -> dict[str, Any]:
        """The document as an event."""
        if "event" in self.content:  # of no file: an alarm, a promise that fell
            return {"number": self.number, "time": self.at, **self.content}
        return {"event": "answer" if "class" in self.content else "refused", **self.document()}


def renewed(content: dict[str, Any]) -> dict[str, Any]:
    """An answer as it is called now: version 0.1 kept ``decided``."""
    if "decided" in content:
        content["decided_by"] = content.pop("decided")
    return content


def printable(path: str) -> str:
    """A path as text that every file and message can hold, whatever bytes a name is made of."""
    shown = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in utf8(path))
    return "".join(shown)


def portable(name: str) -> str:
    """The name, with ``_`` for what some system does not allow."""
    plain = _NOT_ALLOWED.sub("_", name.encode("utf-8", "replace").decode())[:LONGEST].strip(" .")
    return f"_{plain}" if not plain or _RESERVED.fullmatch(plain) else plain
