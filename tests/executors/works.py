"""Work that workers import."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def doubled(part: int) -> int:
    return 2 * part


def slowly(part: int) -> tuple[int, int]:
    """Who did it, and twice the part."""
    time.sleep(0.1)
    return os.getpid(), 2 * part


def torn(part: int) -> int:
    raise ValueError(f"part {part} is torn")


def deadly(part: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return part


def written(folder: str, part: int) -> int:
    """Long work that leaves the id of its process behind."""
    Path(folder, str(os.getpid())).touch()
    time.sleep(600)
    return part


class Stubborn(Exception):
    """Cannot be made again from what it is pickled as."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second}")


def stubborn(part: int) -> int:
    raise Stubborn("this", "that")


def hears_ctrl_c(part: int) -> bool:
    """Whether the signal reaches this process: neither ignored nor kept back, as from its very first moment."""
    kept_back = signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    return not kept_back or signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
