"""A kind of fault, tried many times: each try is seeded by itself, so any part can be repeated or left out."""

from __future__ import annotations

import random
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """What a try showed: what should not have happened, and what did, for the table."""

    bad: str = ""
    seen: str = ""
    more: bool = True
    """Whether there is another to try; without it, this one does not count."""


FINE = Outcome()
NO_MORE = Outcome(more=False)
Attempt = Callable[[random.Random, int], Outcome]


@dataclass(frozen=True)
class Case:
    """One kind of fault. ``attempt`` is given its own random numbers and the number of the try."""

    part: str
    kind: str
    times: int
    attempt: Attempt


@dataclass(frozen=True)
class Trial:
    """How often a kind was tried, and what came of it."""

    part: str
    kind: str
    trials: int
    bad: tuple[str, ...] = ()
    seen: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    asked: int = 0
    """How often it was to be tried: more than `trials`, where there was nothing more to try."""

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "bad": list(self.bad), "seconds": round(self.seconds)}


def tried(case: Case, seed: int) -> Trial:
    """All tries of a case; an error that escapes is bad."""
    began, bad, seen, trials = time.monotonic(), [], Counter[str](), 0
    for number in range(case.times):
        try:
            outcome = case.attempt(random.Random(f"{seed} {case.kind} {number}"), number)
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{last.filename.rpartition('/')[2]}:{last.lineno}"
            outcome = Outcome(f"{type(error).__name__} at {where}: {error}"[:300])
        if not outcome.more:
            break
        trials += 1
        if outcome.bad:
            bad.append(f"{number}: {outcome.bad}")
        if outcome.seen:
            seen[outcome.seen] += 1
    spent = time.monotonic() - began
    shown = dict(sorted(seen.items()))
    return Trial(case.part, case.kind, trials, tuple(bad), shown, spent, case.times)
