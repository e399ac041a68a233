"""How many cores and how much memory this process may use: of the machine, or of the container that it runs in."""

from __future__ import annotations

import os
from pathlib import Path

GROUPS, OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
"""Linux' control groups, by which containers and services are limited; of the first version a folder for each kind."""
MEMORY = Path("/proc/meminfo")
V1_LIMIT = "memory.limit_in_bytes"
UNKNOWN = 1 << 35
"""Bytes where a system does not say what is free."""


def cores() -> int:
    """How many this process may use, at least one."""
    allowed = getattr(os, "sched_getaffinity", None)
    here = len(allowed(0)) if allowed is not None else os.cpu_count() or 1
    limits = [words for group in _groups() for words in _words(group / "cpu.max", 2)]
    for group in _groups("cpu"):
        quota, period = (_words(group / f"cpu.cfs_{name}_us", 1) for name in ("quota", "period"))
        limits += [[*one, *other] for one, other in zip(quota, period, strict=False)]
    return max(1, min([here, *(int(quota) // int(period) for quota, period in limits)]))


def free_bytes() -> int:
    """What can be taken without swapping; files that the system keeps in memory give way."""
    free = [_numbers(MEMORY).get("MemAvailable:", UNKNOWN >> 10) << 10]
    for kind, limit, used in (("", "memory.max", "anon"), ("memory", V1_LIMIT, "total_rss")):
        for group in _groups(kind):
            taken = _numbers(group / "memory.stat").get(used, 0)
            free += [int(words[0]) - taken for words in _words(group / limit, 1)]
    return max(0, min(free))


def _words(path: Path, count: int) -> list[list[str]]:
    """The file's one line of numbers; nothing where there is none, or no limit."""
    try:
        words = path.read_text("ascii").split()
    except (OSError, ValueError):
        return []
    return [words] if len(words) == count and all(word.isdecimal() for word in words) else []


def _groups(kind: str = "") -> list[Path]:
    """The folders of this process's group and of those around it; of a ``kind`` those of the first version."""
    try:
        text = OWN.read_text("utf-8")
    except (OSError, ValueError):
        return []
    lines = [line.split(":", 2) for line in text.splitlines() if line.count(":") >= 2]
    named = (path for _, kinds, path in lines if kind in kinds.split(","))
    root = GROUPS / kind
    whole = root / next(named, "").strip("/")
    return [whole, *(one for one in whole.parents if root in (one, *one.parents))]


def _numbers(path: Path) -> dict[str, int]:
    """Names and numbers of a file with one of each a line."""
    try:
        pairs = (line.split()[:2] for line in path.read_text("ascii").splitlines())
        return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}
    except (OSError, ValueError):
        return {}
