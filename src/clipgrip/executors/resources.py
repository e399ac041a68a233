"""How many cores and how much memory this process may use, by the machine and the limits of its container."""

from __future__ import annotations

import os
from pathlib import Path

GROUPS, OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
"""Linux' control groups, which limit containers and services, and the file that names those of this process."""
MEMORY = Path("/proc/meminfo")
V1_LIMIT = "memory.limit_in_bytes"
UNKNOWN = 1 << 35
"""Free bytes that are assumed where the system does not tell them."""


def cores() -> int:
    """How many cores this process may use, at least one."""
    allowed = getattr(os, "sched_getaffinity", None)
    here = len(allowed(0)) if allowed is not None else os.cpu_count() or 1
    limits = [words for group in _groups() for words in _numbers_in(group / "cpu.max", 2)]
    for group in _groups("cpu"):
        quota, period = (
            _numbers_in(group / f"cpu.cfs_{name}_us", 1) for name in ("quota", "period")
        )
        limits += [[*one, *other] for one, other in zip(quota, period, strict=False)]
    return max(1, min([here, *(int(quota) // int(period) for quota, period in limits)]))


def free_bytes() -> int:
    """Bytes that can be allocated without swapping; cached files do not count as used."""
    free = [_named_numbers(MEMORY).get("MemAvailable:", UNKNOWN >> 10) << 10]
    for kind, limit, used in (("", "memory.max", "anon"), ("memory", V1_LIMIT, "total_rss")):
        for group in _groups(kind):
            taken = _named_numbers(group / "memory.stat").get(used, 0)
            free += [int(words[0]) - taken for words in _numbers_in(group / limit, 1)]
    return max(0, min(free))


def _numbers_in(path: Path, count: int) -> list[list[str]]:
    """The ``count`` numbers in a file; empty where it is missing or says that there is no limit."""
    try:
        words = path.read_text("ascii").split()
    except (OSError, ValueError):
        return []
    return [words] if len(words) == count and all(word.isdecimal() for word in words) else []


def _groups(kind: str = "") -> list[Path]:
    """The folders of this process's group and its parents; with a ``kind``, those of version 1 of control groups."""
    try:
        text = OWN.read_text("utf-8")
    except (OSError, ValueError):
        return []
    lines = [line.split(":", 2) for line in text.splitlines() if line.count(":") >= 2]
    named = (path for _, kinds, path in lines if kind in kinds.split(","))
    root = GROUPS / kind
    whole = root / next(named, "").strip("/")
    return [whole, *(one for one in whole.parents if root in (one, *one.parents))]


def _named_numbers(path: Path) -> dict[str, int]:
    """Name -> number, from a file with one pair a line."""
    try:
        pairs = (line.split()[:2] for line in path.read_text("ascii").splitlines())
        return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}
    except (OSError, ValueError):
        return {}
