"""One process at a time on a folder. The system drops the lock when its holder dies, however it dies."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clipgrip_line.files import naming

TRIES, PAUSE = 4, 0.05
"""Who asks whether a lock is held has it for a moment, so a single failure says nothing."""


class FolderTaken(Exception):
    """Another process has the lock: ``holder`` is its process id, or "unknown"."""

    def __init__(self, holder: str) -> None:
        super().__init__(holder)
        self.holder = holder


@contextmanager
def alone_with(path: Path) -> Iterator[None]:
    """Hold the lock file at ``path``, with this process's id in it; `FolderTaken` where another process has it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not _taken(handle):
            holder = os.read(handle, 32).decode("ascii", "replace").strip() or "unknown"
            raise FolderTaken(holder)
        with naming(path):  # something else has its name, as a pipe
            os.ftruncate(handle, 0)
            os.lseek(handle, 0, os.SEEK_SET)
            os.write(handle, str(os.getpid()).encode())
        yield
    finally:
        os.close(handle)


def is_held(path: Path) -> bool:
    """Whether a living process holds the lock file at ``path``; yes where the system does not let us ask."""
    try:
        handle = os.open(path, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        return not _taken(handle)
    finally:
        os.close(handle)


def _taken(handle: int) -> bool:
    """Whether this process has the lock now."""
    for left in reversed(range(TRIES)):
        try:
            _take(handle)
        except OSError:
            if left:
                time.sleep(PAUSE)
        else:
            return True
    return False


if sys.platform == "win32":
    import msvcrt

    def _take(handle: int) -> None:
        os.lseek(handle, 64, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        os.lseek(handle, 0, os.SEEK_SET)
else:
    import fcntl

    def _take(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
