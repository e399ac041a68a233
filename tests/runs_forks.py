"""Work in a forked process that may be killed."""

from __future__ import annotations

import os
import signal
import time
import warnings
from collections.abc import Callable

from waiting import LONG


def in_a_fork(work: Callable[[], object], patience: float = LONG, kill_after: float = 0.0) -> int:
    """The exit status of ``work`` in a forked process; minus the signal's number when it was killed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    if kill_after:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    until = time.monotonic() + patience
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    raise AssertionError("the forked process hangs")
