"""Kills at any moment, system calls that fail, and several processes on one folder."""

from __future__ import annotations

import errno
import os
import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.faults.place import Place, Trial

Work = tuple[str, list[str], str]
"""What it is called, the words of the command, what it writes."""
COMMANDS: tuple[Work, ...] = (
    ("run", ["run", "images", "--classes", "classes.txt", "--rounds", "3", "--out", "out"], "out"),
    ("predict", ["predict", "whole", "images", "--out", "p.csv"], "p.csv"),
    ("audit", ["audit", "draw", "whole", "--out", "sheet.csv"], "sheet.csv"),
    ("report", ["report", "whole", "--out", "reports"], "reports"),
)
CALLS = ("fsync", "replace", "link")


def kills(place: Place, chance: random.Random, times: int) -> Iterator[Trial]:
    """Killed at random moments, then run again: the same bytes as without a kill, and nothing half written stays."""
    for name, words, target in COMMANDS:
        expected, seconds = _reference(place, words, target)
        bad = []
        for number in range(times):
            _clear(place.folder / target)
            place.command(words, kill=chance.uniform(0.01, seconds))
            again = place.command(words)
            if not _is_done(place, target, expected):  # audit refuses to write a whole sheet again
                bad.append(f"{name} {number}: another result, {again.said[-200:]}")
            elif place.parts():
                bad.append(f"{name} {number}: {place.parts()} stayed")
        yield Trial(f"{name} killed, then run again", times, tuple(bad))


def calls(place: Place, most: int) -> Iterator[Trial]:
    """The n-th fsync, rename or link refused: a sentence and exit code 2; then the same bytes as without."""
    for name, words, target in COMMANDS:
        expected, _ = _reference(place, words, target)
        tried, bad = 0, []
        for call in CALLS:
            for n in range(1, most + 1):
                _clear(place.folder / target)
                number = (errno.ENOSPC, errno.EIO)[n % 2]
                ended = place.command(words, before=lambda: _refuse(call, n, number))  # noqa: B023
                tried += 1
                if not ended.is_sentence:
                    bad.append(f"{name} {call} {n}: {ended.said[-200:]}")
                again = place.command(words)
                if not _is_done(place, target, expected):
                    bad.append(f"{name} {call} {n}, then again: {again.said[-200:]}")
                if ended.code == 0:
                    break  # there is no n-th call
        yield Trial(f"{name} with a refused fsync, rename or link", tried, tuple(bad))


def sharing(place: Place, times: int) -> Trial:
    """Three processes begin the same run at once: one does it, the others say that it is in use or find it done."""
    bad = []
    for number in range(times):
        place.gone("shared")
        children = []
        for _ in range(3):
            child = os.fork()
            if child == 0:
                ended = place.run("shared")
                os._exit(0 if ended.is_sentence else 1)
            children.append(child)
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        place.run("shared")
        if any(codes) or place.outputs("shared") != place.outputs("whole"):
            bad.append(f"{number}: exit codes {codes}")
    return Trial("three processes on one folder", times, tuple(bad))


def _is_done(place: Place, target: str, expected: dict[str, bytes]) -> bool:
    path = place.folder / target
    return path.exists() and _content(path) == expected


def _refuse(call: str, n: int, number: int) -> None:
    """Let the n-th such call of files that appear whole fail."""
    counted, real = [0], getattr(os, call)

    def refusing(*words: Any, **more: Any) -> Any:
        counted[0] += 1
        if counted[0] == n:
            raise OSError(number, os.strerror(number))
        return real(*words, **more)

    setattr(os, call, refusing)


def _reference(place: Place, words: list[str], target: str) -> tuple[dict[str, bytes], float]:
    _clear(place.folder / target)
    place.command(words)
    _clear(place.folder / target)
    began = time.monotonic()
    ended = place.command(words)
    assert ended.code == 0, ended.said
    return _content(place.folder / target), time.monotonic() - began


def _content(path: Path) -> dict[str, bytes]:
    """A file, or the tables and prompts of a folder; of a report, which names its moment, only the names."""
    if path.is_file():
        return {path.name: path.read_bytes()}
    shown = [file for file in sorted(path.iterdir()) if not file.name.startswith(".")]
    equal = [file for file in shown if file.suffix in (".csv", ".safetensors")]
    return {file.name: file.read_bytes() for file in equal} or {file.name: b"" for file in shown}


def _clear(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
