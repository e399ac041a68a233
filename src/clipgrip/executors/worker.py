"""What runs in a worker: the function is unpickled once, one thread computes, and the answer goes back."""

from __future__ import annotations

import hashlib
import os
import pickle
import signal
import threading
from collections import OrderedDict
from multiprocessing import parent_process
from typing import Any

from clipgrip import __version__
from clipgrip.errors import RunError
from clipgrip.sentences import mark

KEPT = 4
"""Functions that a worker keeps; each may hold a model."""
_functions: OrderedDict[str, Any] = OrderedDict()


def compute(work: bytes, part: bytes, version: str) -> Any:
    """The answer of the pickled function to the pickled part.

    Raises:
        RunError: another version of clipgrip sent it.
    """
    if version != __version__:
        raise RunError(
            mark(
                "a worker has clipgrip {theirs}, and this is {version}. Install the same version on every machine."
            ),
            theirs=__version__,
            version=version,
        )
    key = hashlib.sha256(work).hexdigest()
    if key not in _functions:
        _one_thread()
        _functions[key] = pickle.loads(work)
    _functions.move_to_end(key)
    while len(_functions) > KEPT:
        _functions.popitem(last=False)
    return _functions[key](pickle.loads(part))


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

    torch.set_num_threads(1)
