"""The most memory the process held during one cell."""

from __future__ import annotations

import sys
from pathlib import Path

_CLEAR = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


class PeakMemory:
    """Counts from its making, where the system forgets older peaks when asked (Linux); else from the program's start.

    Resident memory of the whole process: model, embeddings and pixels that earlier cells left are in it.
    """

    def __init__(self) -> None:
        self.since_start = not _forget()

    def megabytes(self) -> int | None:
        """MiB, rounded down; None where the system does not tell."""
        if not self.since_start:
            line = next(x for x in _STATUS.read_text().splitlines() if x.startswith("VmHWM:"))
            return int(line.split()[1]) // 1024
        return _since_start()


def _forget() -> bool:
    """Set the peak to what is held now; False where the system cannot."""
    try:
        _CLEAR.write_text("5")  # proc(5): reset VmHWM
    except OSError:
        return False
    return "VmHWM:" in _STATUS.read_text()


if sys.platform == "win32":

    def _since_start() -> int | None:
        return None
else:
    import resource

    def _since_start() -> int | None:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit // 2**20
