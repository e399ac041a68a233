"""``status.json``: how it goes, for monitoring; always whole."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clipgrip_line.files import write_bytes_atomic

NAME = "status.json"
EVERY = 5.0
"""Seconds between two writings while nothing changes."""
SOON = 1.0
"""Seconds between two writings at least."""
STALE = 60.0
"""Seconds after which a status that was not written anew says that something hangs."""


class StatusFile:
    """Writes it when something changed, and now and then to show that it lives."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._written = float("-inf")
        self._last: Mapping[str, Any] = {}

    def is_due(self, now: float) -> bool:
        """Whether it may be written again."""
        return now - self._written >= SOON

    def show(self, facts: Mapping[str, Any], now: float) -> None:
        """Write it; a disk that is full does not stop the line for this."""
        if facts == self._last and now - self._written < EVERY:
            return
        self._last, self._written = facts, now
        stamped = {"written": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "monotonic": now, **facts}
        text = json.dumps(stamped, ensure_ascii=False, indent=1) + "\n"
        with contextlib.suppress(OSError):
            write_bytes_atomic(self.path, text.encode("utf-8", "backslashreplace"))
