"""One watch at a time on an output folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from clipgrip_line.errors import LineError
from clipgrip_line.files import sweep
from clipgrip_line.lock import FolderTaken, alone_with

NAME = ".clipgrip-line.lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder; LineError with the holder's process id where another has it."""
    with ExitStack() as stack:
        try:
            stack.enter_context(alone_with(folder / NAME))
        except FolderTaken as taken:
            raise LineError(
                "{folder} is in use by another clipgrip-line (process {holder}). Stop that one, or give another "
                "--out.",
                folder=folder,
                holder=taken.holder,
            ) from None
        sweep(folder)
        yield
