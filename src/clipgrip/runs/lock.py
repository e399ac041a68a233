"""One process at a time on a run's folder. The system drops the lock when its holder dies, however it dies."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clipgrip.errors import RunError
from clipgrip.files import sweep
from clipgrip.sentences import mark

NAME = ".clipgrip.lock"


class InUse(RunError):
    """Another process works in the folder."""


@contextmanager
def locked(folder: Path, name: str = NAME) -> Iterator[None]:
    """Hold the folder's lock; RunError with the holder's process id where another process has it."""
    handle = os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            _take(handle)
        except OSError:
            holder = os.read(handle, 32).decode("ascii", "replace").strip() or "unknown"
            raise InUse(
                mark(
                    "{folder} is in use by another clipgrip (process {holder}). Wait until it is done, or "
                    "choose another --out."
                ),
                folder=folder,
                holder=holder,
            ) from None
        os.ftruncate(handle, 0)
        os.lseek(handle, 0, os.SEEK_SET)
        os.write(handle, str(os.getpid()).encode())
        sweep(folder)
        yield
    finally:
        os.close(handle)


if sys.platform == "win32":
    import msvcrt

    def _take(handle: int) -> None:
        os.lseek(handle, 64, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
