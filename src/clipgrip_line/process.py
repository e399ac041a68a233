"""Whether another process of this machine still runs."""

from __future__ import annotations

import ctypes
import os
import sys

SYNCHRONIZE = 0x00100000
"""The right to wait for a process, which names its end."""
NO_PROCESS = 87
"""ERROR_INVALID_PARAMETER: no process has this id."""
HAS_ENDED = 0
"""WAIT_OBJECT_0: what was waited for is there."""


def lives(process: int) -> bool:
    """Whether a process has this id now."""
    if sys.platform == "win32":
        return _lives_in_windows(process)
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _lives_in_windows(process: int) -> bool:
    """The same without `os.kill`, which would end the process there."""
    system = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined,unused-ignore]
    system.OpenProcess.restype = ctypes.c_void_p
    handle = system.OpenProcess(SYNCHRONIZE, False, ctypes.c_uint32(process))
    if not handle:
        return bool(ctypes.get_last_error() != NO_PROCESS)  # type: ignore[attr-defined,unused-ignore]
    try:
        return bool(system.WaitForSingleObject(ctypes.c_void_p(handle), 0) != HAS_ENDED)
    finally:
        system.CloseHandle(ctypes.c_void_p(handle))
