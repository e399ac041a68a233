"""A container may use less than its machine has, and files that are kept in memory are free memory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clipgrip.executors import resources
from clipgrip.executors.resources import UNKNOWN, cores, free_bytes


@pytest.fixture
def limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The group of a service within that of a container, on a machine of 64 cores with 8 GiB free."""
    own = tmp_path / "own"
    own.write_text("1:name=systemd:/\n0::/plant/service\n")
    (tmp_path / "groups" / "plant" / "service").mkdir(parents=True)
    (tmp_path / "meminfo").write_text("MemFree: 1024 kB\nMemAvailable: 8388608 kB\n")
    for name, path in (("GROUPS", "groups"), ("OWN", "own"), ("MEMORY", "meminfo")):
        monkeypatch.setattr(resources, name, tmp_path / path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    return tmp_path / "groups"


def test_without_limits_it_is_the_machine(limits: Path) -> None:
    (limits / "plant" / "cpu.max").write_text("max 100000\n")
    (limits / "plant" / "memory.max").write_text("max\n")
    assert (cores(), free_bytes()) == (64, 8 << 30)


@pytest.mark.parametrize("group", [".", "plant", "plant/service"])
def test_the_narrowest_limit_counts_wherever_it_is_set(limits: Path, group: str) -> None:
    (limits / "cpu.max").write_text("1000000 100000\n")
    (limits / group / "cpu.max").write_text("250000 100000\n")
    (limits / group / "memory.max").write_text(f"{4 << 30}\n")
    (limits / group / "memory.stat").write_text(f"anon {1 << 30}\nfile {3 << 30}\n")
    assert (cores(), free_bytes()) == (2, 3 << 30)


def test_less_than_a_core_is_one_and_more_than_the_limit_is_nothing_free(limits: Path) -> None:
    (limits / "cpu.max").write_text("50000 100000\n")
    (limits / "memory.max").write_text("1000\n")
    (limits / "memory.stat").write_text("anon 2000\n")
    assert (cores(), free_bytes()) == (1, 0)


@pytest.mark.parametrize("content", [None, "", "much\n", "MemAvailable: x kB\n"])
def test_a_system_that_does_not_say_it_has_enough(limits: Path, content: str | None) -> None:
    resources.MEMORY.unlink()
    if content is not None:
        resources.MEMORY.write_text(content)
    resources.OWN.unlink()
    assert (cores(), free_bytes()) == (64, UNKNOWN)


def test_limits_of_the_first_version_count_too(limits: Path) -> None:
    resources.OWN.write_text("4:memory:/box\n1:cpuacct,cpu:/box\n0::/\nno group\n")
    for kind in ("cpu", "memory"):
        (limits / kind / "box").mkdir(parents=True)
    (limits / "cpu" / "cpu.cfs_quota_us").write_text("-1\n")
    (limits / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    (limits / "memory" / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert (cores(), free_bytes()) == (64, 8 << 30)
    (limits / "cpu" / "box" / "cpu.cfs_quota_us").write_text("400000\n")
    (limits / "cpu" / "box" / "cpu.cfs_period_us").write_text("100000\n")
    (limits / "memory" / "box" / "memory.limit_in_bytes").write_text(f"{4 << 30}\n")
    (limits / "memory" / "box" / "memory.stat").write_text(f"rss 5\ntotal_rss {1 << 30}\n")
    assert (cores(), free_bytes()) == (4, 3 << 30)
