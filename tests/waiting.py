"""Waiting for another thread or process: until it is so, and long enough for a machine that does much else."""

from __future__ import annotations

import time
from collections.abc import Callable

LONG = 200.0
"""Seconds; less than a test may take at all, so that a failure says what was waited for."""


def until(is_so: Callable[[], object], what: str = "it never came") -> None:
    """Return when it is so; AssertionError that says ``what`` where it is not after ``LONG``."""
    end = time.monotonic() + LONG
    while not is_so():
        assert time.monotonic() < end, what
        time.sleep(0.02)
