"""Equal commands: equal files but for what is listed in docs/reliability.md."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.faults.place import Place
from benchmarks.faults.trials import FINE, Attempt, Case, Outcome
from benchmarks.faults.works import RUN, WORKS, Work, reference

DIFFER = {"created", *("ingest", "embed", "rounds", "total", "seconds")}
"""Keys of metrics.json that may differ: the moment, and how long the parts took."""


def cases(place: Place, quick: bool) -> Iterator[Case]:
    """Two of each command, and two runs down to the last key."""
    times = 1 if quick else 3
    for work in WORKS:
        yield Case("equal", f"`{work.name}` twice", times, _twice(place, work))
    yield Case("equal", "two runs, all keys of metrics.json", times, _metrics(place))


def _twice(place: Place, work: Work) -> Attempt:
    def attempt(_: random.Random, __: int) -> Outcome:
        known = reference(place, work)
        work.begin(place)
        ended = work.do(place)
        if ended.code or not work.is_done(place, known.content):
            found = work.content(place)
            names = [
                name
                for name in {*found, *known.content}
                if found.get(name) != known.content.get(name)
            ]
            return Outcome(f"differs in {sorted(names)}; {ended.end}")
        return FINE

    return attempt


def _metrics(place: Place) -> Attempt:
    def attempt(_: random.Random, __: int) -> Outcome:
        found = []
        for _n in range(2):
            shutil.rmtree(place.folder / "equal", ignore_errors=True)
            ended = place.command([*RUN, "--out", "equal"])
            if ended.code:
                return Outcome(ended.end)
            text = Path(place.folder, "equal", "metrics.json").read_text("utf-8")
            found.append(json.loads(text))
        keys = {key.rpartition(".")[2] for key in differing(*found)}
        return Outcome(", ".join(sorted(keys - DIFFER)))

    return attempt


def differing(one: Any, other: Any, key: str = "") -> Iterator[str]:
    """Where two values of JSON differ."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for name in one:
            yield from differing(one[name], other[name], f"{key}.{name}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for a, b in zip(one, other, strict=True):
            yield from differing(a, b, key)
    elif one != other:
        yield key
