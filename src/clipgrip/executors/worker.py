"""What runs in a worker: one thread computes the answer to a part, and it goes back."""

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
    """The answer of the function to the part.

    Raises:
        RunError: another version of clipgrip sent it.
        Exception: what the function raised; one that cannot travel is said as a RunError.
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
    """Whether it can be made again where it arrives; one that cannot would look like the death of its worker."""
    try:
        ForkingPickler.dumps(error)
        deepcopy(error)  # made anew as it would be over there
    except Exception:
        return False
    return True


def begin() -> None:
    """In a new process of a pool: Ctrl-C is the first process's to hear, and none lives longer than that."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)


def _one_thread() -> None:
    """There is a worker for each core."""
    import torch

    if torch.get_num_threads() != 1:
        torch.set_num_threads(1)
