"""Output that nobody takes: closed streams, a full device, ``| head``."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable, Iterator

from benchmarks.faults.place import Place
from benchmarks.faults.trials import Attempt, Case, Outcome
from benchmarks.faults.works import WORKS, Work, reference

SHOWN = (
    *(["--help"], ["--version"], ["run", "--help"], ["doctor"], ["models", "list"]),
    *(["run", "images", "--classes", "missing.txt"], ["no-such-command"]),
)
ENDS = (0, 1, 2, 120, 141, -13)
"""Exit codes of a command whose output nobody takes: 120 is Python's, 141 and -13 those of a broken pipe."""


def cases(place: Place, quick: bool) -> Iterator[Case]:
    """Each way, for all commands that write, and for those that only show."""
    works = WORKS[:3] if quick else WORKS
    for name, close in WAYS.items():
        yield Case(
            "streams", f"commands that write, {name}", len(works), _writing(place, works, close)
        )
        yield Case("streams", f"commands that show, {name}", len(SHOWN), _showing(place, close))


def _writing(place: Place, works: tuple[Work, ...], close: Callable[[], None]) -> Attempt:
    def attempt(_: random.Random, number: int) -> Outcome:
        work = works[number]
        known = reference(place, work)
        work.begin(place)
        ended = work.do(place, before=close)
        if ended.code not in ENDS or "Traceback" in ended.said:
            return Outcome(f"{work.name}: {ended.end}")
        seen = "written all the same" if work.is_done(place, known.content) else ""
        again = work.do(place)
        if not again.is_sentence or not work.is_done(place, known.content):
            return Outcome(f"{work.name}: {ended.end} | and then, again: {again.end}", seen)
        return Outcome(seen=seen)

    return attempt


def _showing(place: Place, close: Callable[[], None]) -> Attempt:
    def attempt(_: random.Random, number: int) -> Outcome:
        ended = place.command(SHOWN[number], before=close)
        well = ended.code in ENDS and "Traceback" not in ended.said
        return Outcome("" if well else f"{SHOWN[number]}: {ended.end}")

    return attempt


def _closed(stream: int, name: str) -> Callable[[], None]:
    """As a shell's ``>&-``: Python then has no such stream."""

    def close() -> None:
        os.close(stream)
        setattr(sys, name, None)

    return close


def _full() -> None:
    os.dup2(os.open("/dev/full", os.O_WRONLY), 1)


def _headed() -> None:
    """A pipe whose reader has gone."""
    reading, writing = os.pipe()
    os.close(reading)
    os.dup2(writing, 1)
    os.close(writing)


WAYS: dict[str, Callable[[], None]] = {
    "input closed": _closed(0, "stdin"),
    "output closed": _closed(1, "stdout"),
    "errors closed": _closed(2, "stderr"),
    "output to a full device": _full,
    "output to a reader that has gone, as `| head`": _headed,
}
