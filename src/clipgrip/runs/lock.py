"""Lets one process at a time work in a run's folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from clipgrip.errors import RunError
from clipgrip.files import sweep
from clipgrip.sentences import mark
from clipgrip_line.lock import FolderTaken, alone_with

NAME = ".clipgrip.lock"


class InUse(RunError):
    """Another process works in the folder."""


@contextmanager
def locked(folder: Path, name: str = NAME) -> Iterator[None]:
    """Hold the folder's lock; RunError with the holder's process id where another process has it."""
    with ExitStack() as stack:
        try:
            stack.enter_context(alone_with(folder / name))
        except FolderTaken as taken:
            raise InUse(
                mark(
                    "{folder} is in use by another clipgrip (process {holder}). Wait until it is done, or "
                    "choose another --out."
                ),
                folder=folder,
                holder=taken.holder,
            ) from None
        sweep(folder)
        yield
