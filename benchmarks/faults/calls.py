"""System calls that fail: the n-th of a kind, or all writes beyond a size, as a full disk refuses them.

The files that appear whole are tried everywhere, by a shim in Python. What SQLite calls by itself is reached by a limit
of the size of files, and on Linux call by call with strace, where it is there.
"""

from __future__ import annotations

import errno
import mmap
import os
import random
import resource
import shutil
import signal
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.faults.place import Ended, Place
from benchmarks.faults.trials import NO_MORE, Attempt, Case, Outcome
from benchmarks.faults.works import WORKS, Work, reference

SHIM = ("open", "fsync", "replace", "link")
TRACED = ("pwrite64", "fdatasync", "write", "ftruncate", "unlink")
WITH_DATABASES = ("run", "labels learn", "watch look", "watch answer")
LIMITS = tuple(dict.fromkeys(round(256 * 1.25**n) for n in range(40)))
"""Bytes beyond which no file grows: from what holds nothing to what holds all."""
NUMBERS = (errno.ENOSPC, errno.EIO)


def cases(place: Place, quick: bool) -> Iterator[Case]:
    """A shim for every command, limits for every command, strace for those that write databases."""
    most = 3 if quick else 200
    for work in WORKS:
        for call in SHIM:
            kind = f"`{work.name}`, n-th {call} refused"
            yield Case("calls", kind, most, _Shim(place, work, call))
        kind = f"`{work.name}`, no room beyond a size, SQLite's writes too"
        yield Case("calls", kind, min(most, len(LIMITS)), _limited(place, work))
    if shutil.which("strace"):
        for work in (work for work in WORKS if work.name in WITH_DATABASES):
            for call in TRACED:
                kind = f"`{work.name}`, n-th {call} refused, SQLite's too"
                yield Case("calls", kind, most, _Traced(place, work, call))


class _Shim:
    """The n-th call of ``os.NAME`` fails (``open``: for writing), until there is no n-th."""

    def __init__(self, place: Place, work: Work, call: str) -> None:
        self.place, self.work, self.call = place, work, call

    def __call__(self, _: random.Random, number: int) -> Outcome:
        n = number + 1
        known = reference(self.place, self.work)
        self.work.begin(self.place)
        ended, reached = self.disturbed(n, NUMBERS[n % 2])
        if not reached and ended.is_sentence and not ended.code:
            return NO_MORE
        return judged(self.place, self.work, known.content, ended, reached)

    def disturbed(self, n: int, number: int) -> tuple[Ended, bool]:
        """The command with its n-th call refused, and whether there was one."""
        with mmap.mmap(-1, 8) as counter:
            ended = self.work.do(self.place, before=lambda: _refuse(self.call, n, number, counter))
            return ended, struct.unpack("Q", counter[:8])[0] >= n


class _Traced(_Shim):
    """As the shim, by strace, so for all libraries."""

    def disturbed(self, n: int, number: int) -> tuple[Ended, bool]:
        """The command with its n-th call refused, and whether there was one."""
        log = self.place.folder.with_name("traced")
        reading, writing = os.pipe()
        tracing: list[subprocess.Popen[str]] = []

        def watch(child: int) -> None:
            words = ["strace", "-f", "-o", str(log), "-p", str(child), "-e", f"trace={self.call}"]
            fault = f"inject={self.call}:error={errno.errorcode[number]}:when={n}"
            tracer = subprocess.Popen([*words, "-e", fault], stderr=subprocess.PIPE, text=True)
            tracing.append(tracer)
            assert tracer.stderr is not None
            attached = "attached" in tracer.stderr.readline()
            os.write(writing, b"go")
            if not attached:
                raise RuntimeError("strace may not look at a process here")

        ended = self.work.do(self.place, before=lambda: os.read(reading, 2), watch=watch)
        tracing[0].communicate()
        os.close(reading)
        os.close(writing)
        return ended, "(INJECTED)" in log.read_text("utf-8", "replace")


def _limited(place: Place, work: Work) -> Attempt:
    def attempt(_: random.Random, number: int) -> Outcome:
        known = reference(place, work)
        work.begin(place)
        ended = work.do(place, before=lambda: _limit(LIMITS[-1 - number]))
        return judged(place, work, known.content, ended, ended.code != 0)

    return attempt


def judged(
    place: Place, work: Work, expected: dict[str, bytes], ended: Ended, reached: bool
) -> Outcome:
    """A sentence and exit code 2, or it did without; then the same as without a fault."""
    if not ended.is_sentence:
        return Outcome(ended.end)
    seen = "" if not reached else "ended in a sentence" if ended.code else "done all the same"
    again = work.do(place)
    if not again.is_sentence or not work.is_done(place, expected):
        return Outcome(f"{ended.end} | and then, again: {again.end}", seen)
    if place.parts():
        return Outcome(f"{place.parts()} stayed", seen)
    return Outcome(seen=seen)


def _refuse(call: str, n: int, number: int, counter: mmap.mmap) -> None:
    real: Callable[..., Any] = getattr(os, call)

    def refusing(*words: Any, **more: Any) -> Any:
        counted = call != "open" or (len(words) > 1 and words[1] & (os.O_WRONLY | os.O_RDWR))
        if counted:
            count = struct.unpack("Q", counter[:8])[0] + 1
            counter[:8] = struct.pack("Q", count)
            if count == n:
                raise OSError(number, os.strerror(number), str(words[0]) if words else None)
        return real(*words, **more)

    setattr(os, call, refusing)
    if call == "open":
        _refuse_open(refusing)


def _refuse_open(os_open: Callable[..., int]) -> None:
    """`open` of a file to write goes through the counted ``os.open`` too."""
    import builtins
    import io

    real = builtins.open

    def opening(file: Any, mode: str = "r", *words: Any, **more: Any) -> Any:
        if isinstance(file, str | bytes | Path) and set(mode) & set("wxa+"):
            more.setdefault("opener", lambda path, flags: os_open(path, flags, 0o666))
        return real(file, mode, *words, **more)

    builtins.open = io.open = opening


def _limit(size: int) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
