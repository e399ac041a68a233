"""How many cores and how much memory this process may use: of the machine, or of the container that it runs in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

GROUPS, OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
"""Linux' control groups, by which containers and services are limited."""
MEMORY = Path("/proc/meminfo")
UNKNOWN = 1 << 35
"""Bytes where a system does not say what is free."""


def cores() -> int:
    """How many this process may use, at least one."""
    allowed = getattr(os, "sched_getaffinity", None)
    here = len(allowed(0)) if allowed is not None else os.cpu_count() or 1
    limits = [int(quota) // int(period) for quota, period in _limits("cpu.max", 2)]
    return max(1, min([here, *limits]))


def free_bytes() -> int:
    """What can be taken without swapping; files that the system keeps in memory give way."""
    free = [_numbers(MEMORY).get("MemAvailable:", UNKNOWN >> 10) << 10]
    for group in _groups():
        used = _numbers(group / "memory.stat").get("anon", 0)
        free += [int(limit) - used for (limit,) in _words(group / "memory.max", 1)]
    return max(0, min(free))


def _limits(name: str, count: int) -> Iterator[list[str]]:
    for group in _groups():
        yield from _words(group / name, count)


def _words(path: Path, count: int) -> list[list[str]]:
    """The file's one line of numbers; nothing where there is none, or no limit."""
    try:
        words = path.read_text("ascii").split()
    except (OSError, ValueError):
        return []
    return [words] if len(words) == count and all(word.isdecimal() for word in words) else []


def _groups() -> list[Path]:
    """The folders of this process's group and of those around it."""
    try:
        lines = OWN.read_text("utf-8").splitlines()
    except (OSError, ValueError):
        return []
    own = next((line[3:].strip("/") for line in lines if line.startswith("0::")), "")
    whole = GROUPS / own
    return [whole, *(one for one in whole.parents if GROUPS in (one, *one.parents))]


def _numbers(path: Path) -> dict[str, int]:
    """Names and numbers of a file with one of each a line."""
    try:
        pairs = (line.split()[:2] for line in path.read_text("ascii").splitlines())
        return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}
    except (OSError, ValueError):
        return {}
