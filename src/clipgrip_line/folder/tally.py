"""Counts over the whole life of a journal, as people and monitoring read them."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from clipgrip_line import __version__
from clipgrip_line.folder.courier import Courier
from clipgrip_line.folder.journal import Journal
from clipgrip_line.folder.recording import Found
from clipgrip_line.folder.settings import FolderSettings
from clipgrip_line.sentences import Sentence

KINDS = ("answer", "repeat", "refused")
"""Of files."""


class Tally:
    """Read once at the start, then along with what is recorded."""

    def __init__(self, settings: FolderSettings, journal: Journal) -> None:
        self._settings, self._journal = settings, journal
        counts = journal.counts()
        self._kinds = Counter({kind: counts.get(kind, 0) for kind in KINDS})
        verdicts = {
            key.partition(" ")[2]: n for key, n in counts.items() if key.startswith("verdict ")
        }
        self._verdicts = Counter(verdicts)

    def add(self, found: Found, kind: str) -> None:
        """One file more."""
        self._kinds[kind] += 1
        if kind == "answer" and found.content is not None:
            self._verdicts[str(found.content["verdict"])] += 1

    def files(self) -> int:
        """Files done so far."""
        return sum(self._kinds.values())

    def owed(self, couriers: Sequence[Courier]) -> int:
        """Deliveries that wait."""
        return sum(_count(self._journal.owed, one) or 0 for one in couriers)

    def summary(self, files: int, couriers: Sequence[Courier]) -> str:
        """How far it is; ``files`` wait."""
        return Sentence(
            "{pictures} pictures answered ({people} of them left to people), {refused} files refused; {files} files "
            "and {messages} deliveries wait.",
            pictures=self._kinds["answer"],
            people=self._verdicts["person"],
            refused=self._kinds["refused"],
            files=files,
            messages=self.owed(couriers),
        )

    def facts(self, files: int, couriers: Sequence[Courier]) -> dict[str, Any]:
        """The same for monitoring."""
        channels = {
            one.outlet.name: {
                "waiting": _count(self._journal.owed, one),
                "dead": _count(self._journal.buried, one),
                "trouble": one.reason,
            }
            for one in couriers
        }
        return {
            "program": __version__,
            "pid": os.getpid(),
            "folder": str(self._settings.folder),
            "answered": self._kinds["answer"],
            "verdicts": dict(self._verdicts),
            "repeated": self._kinds["repeat"],
            "refused": self._kinds["refused"],
            "files_waiting": files,
            "channels": channels,
            "free_megabytes": _free_megabytes(self._settings.out),
            "last": self._last(),
        }

    def _last(self) -> dict[str, Any] | None:
        with contextlib.suppress(sqlite3.Error):
            last = self._journal.last()
            return last.document() if last else None
        return None


def _count(count: Callable[[str], int], courier: Courier) -> int | None:
    """None where the journal cannot be read now."""
    with contextlib.suppress(sqlite3.Error):
        return count(courier.outlet.name)
    return None


def _free_megabytes(folder: Path) -> int | None:
    with contextlib.suppress(OSError):
        return shutil.disk_usage(folder).free >> 20
    return None
