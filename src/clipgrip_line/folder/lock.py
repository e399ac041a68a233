"""One process at a time on an output folder. The system drops the lock when its holder dies, however it dies."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clipgrip_line.errors import LineError
from clipgrip_line.files import sweep
from clipgrip_line.sentences import mark

NAME = ".clipgrip-line.lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder; LineError with the holder's process id where another has it."""
    handle = os.open(folder / NAME, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            _take(handle)
        except OSError:
            holder = os.read(handle, 32).decode("ascii", "replace").strip() or "unknown"
            raise LineError(
                mark(
                    "{folder} is in use by another clipgrip-line (process {holder}). Stop that one, or give another "
                    "--out."
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
