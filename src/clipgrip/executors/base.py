"""What every executor offers, and which one is at work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

Work = Callable[[Any], Any]
"""A pure function from a part to its answer; both can be pickled, and so can the function."""
MOST_TRIES = 5
"""How often one part is tried that its worker did not survive."""


class PartAnswer(NamedTuple):
    """The answer to one part, by the part's place in the order in which they were given."""

    part: int
    value: Any


class Executor:
    """Computes the parts of a job: this one in its own process, one after the other; others say where."""

    name = "here"
    """As ``--on`` names it."""
    workers = 1
    """How many parts are computed at a time."""

    def is_worth(self, done: int, left: int, seconds: float) -> bool:
        """Whether it should take over from this process, which did ``done`` images in so many seconds."""
        return False

    def answers(self, work: Work, parts: Iterable[Any]) -> Iterator[PartAnswer]:
        """One answer for each part, as soon as it is there, in any order; few are in the memory at a time.

        A part whose worker dies is computed again.

        Raises:
            RunError: one part's workers died `MOST_TRIES` times.
            Exception: what ``work`` raised.
        """
        return (PartAnswer(number, work(part)) for number, part in enumerate(parts))

    def rest(self) -> None:
        """No work for a while: processes that only take memory end, and begin anew when there is some."""

    def close(self) -> None:
        """End the workers; what they are at is lost."""


_CURRENT: ContextVar[Executor | None] = ContextVar("executor", default=None)


def current() -> Executor:
    """The executor at work; this process unless `using` says otherwise."""
    return _CURRENT.get() or Executor()


@contextmanager
def using(executor: Executor) -> Iterator[Executor]:
    """Within, large jobs are computed by ``executor``, which is closed at the end, also by Ctrl-C."""
    token = _CURRENT.set(executor)
    try:
        yield executor
    finally:
        _CURRENT.reset(token)
        executor.close()


def cut(things: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Parts of ``size`` things, the last one maybe smaller."""
    return (things[start : start + size] for start in range(0, len(things), size))
