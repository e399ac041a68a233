"""The code that runs in a worker process: it computes the answer to a part, in one thread."""

from __future__ import annotations

import os
import signal
import threading
from copy import deepcopy
from multiprocessing import parent_process
from multiprocessing.reduction import ForkingPickler
from typing import Any

from clipgrip import __version__
from clipgrip.errors import RunError
from clipgrip.executors.base import Work
from clipgrip_line.causes import cause


def compute(work: Work, part: Any, version: str) -> Any:
    """``work(part)``, for the version of clipgrip that sent it.

    Raises:
        RunError: this process has another version, or ``work`` raised an error that cannot be pickled.
        Exception: what ``work`` raised.
    """
    if version != __version__:
        raise RunError(
            "a worker has clipgrip {theirs}, and this is {version}. Install the same version on every machine.",
            theirs=__version__,
            version=version,
        )
    _one_thread()
    try:
        return work(part)
    except Exception as error:
        if _travels(error):
            raise
        raise RunError(
            "a worker cannot go on: {name}: {error}. What was stored is kept; run the same command again to go on.",
            name=type(error).__name__,
            error=cause(error),
        ) from None


def _travels(error: Exception) -> bool:
    """Whether an error can be unpickled by the receiver; if not, its worker would seem to have died."""
    try:
        ForkingPickler.dumps(error)
        deepcopy(error)  # reconstructs it as unpickling would
    except Exception:
        return False
    return True


def begin() -> None:
    """Initialise a process of a pool: it ignores Ctrl-C, which the parent handles, and ends with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)


def _one_thread() -> None:
    """Limit torch to one thread, as there is a worker for each core."""
    import torch

    if torch.get_num_threads() != 1:
        torch.set_num_threads(1)
