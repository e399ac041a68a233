"""What outlets on this machine have done, crossed off together: one wait for the disk instead of one for each."""

from __future__ import annotations

from collections.abc import Sequence

from clipgrip_line.folder.journal import Journal


class Deliveries:
    """Between two `flush` the journal still shows it as waiting, and a kill lets it be done once more."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._pairs: list[tuple[str, int]] = []

    def add(self, channel: str, numbers: Sequence[int]) -> None:
        """These are done."""
        self._pairs += [(channel, number) for number in numbers]

    def flush(self) -> None:
        """Cross them off.

        Raises:
            sqlite3.Error: not now; they are still known.
        """
        self._journal.all_done(self._pairs)
        self._pairs = []
