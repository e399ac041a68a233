"""One service for a folder, and whether one is at work there."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clipgrip_line.errors import LineError
from clipgrip_line.folder.journal import NAME as JOURNAL
from clipgrip_line.lock import FolderTaken, alone_with, is_held
from clipgrip_line.places import check_usable
from clipgrip_line.sentences import mark
from clipgrip_line.service.ledger import NAME as SERVED

LOCK = ".serve.lock"
WATCHED = mark("{folder} is the folder of clipgrip-line watch. Give --state a folder of its own.")


def check_owner(folder: Path, other: str, is_another: str) -> None:
    """LineError, as ``is_another`` says, where ``other`` lies there: what a watch or a service keeps in its folder.

    Where both kept what they know there, which earlier versions let them, it says how to part them.
    """
    if (folder / SERVED).is_file() and (folder / JOURNAL).is_file():
        raise LineError(
            "{folder} was used by clipgrip-line serve and by watch, and now belongs to serve alone. Stop both, move "
            "{journal} and {journal}-journal into a new folder, and give that to watch as --out: it goes on there, and "
            "answers nothing twice.",
            folder=folder,
            journal=JOURNAL,
        )
    if (folder / other).exists():
        raise LineError(is_another, folder=folder)


@contextmanager
def alone(state: Path) -> Iterator[threading.Event]:
    """One service for a folder: two would both count the same shift.

    Whoever serves sets the event once it answers. A folder that was made for a service that never did is taken away.
    LineError: another process serves it.
    """
    check_usable(state)
    made, begun = not state.exists(), threading.Event()
    state.mkdir(parents=True, exist_ok=True)
    try:
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(alone_with(state / LOCK))
            except FolderTaken:
                raise LineError(
                    "{state} is served already, by another process. Stop it first, or give another --state.",
                    state=state,
                ) from None
            check_owner(state, JOURNAL, WATCHED)
            yield begun
    finally:
        if made and not begun.is_set():
            shutil.rmtree(state, ignore_errors=True)


def is_served(state: Path) -> bool:
    """Whether a process serves the folder now."""
    return is_held(state / LOCK)
