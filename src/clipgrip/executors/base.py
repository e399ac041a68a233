"""The base of all executors, which computes here, and the current executor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

Work = Callable[[Any], Any]
"""A pure function from a part to its answer; function, part and answer can be pickled."""
MOST_TRIES = 5
"""How often a part is tried whose worker dies."""


class PartAnswer(NamedTuple):
    """The answer to one part; ``part`` is its index."""

    part: int
    value: Any


class Executor:
    """Computes the parts of a job one after another in this process; subclasses compute them elsewhere."""

    name = "here"
    """Its name in ``--on``."""
    workers = 1
    """How many parts are computed at the same time."""

    def is_worth(self, done: int, left: int, seconds: float) -> bool:
        """Whether to compute the ``left`` images here, after this process has done ``done`` of them in ``seconds``."""
        return False

    def answers(self, work: Work, parts: Iterable[Any]) -> Iterator[PartAnswer]:
        """Yield the answer to each part as soon as it is known, in any order; few are in memory at a time.

        A part whose worker dies is computed again.

        Raises:
            RunError: the workers of one part died `MOST_TRIES` times.
            Exception: what ``work`` raised.
        """
        return (PartAnswer(number, work(part)) for number, part in enumerate(parts))

    def rest(self) -> None:
        """There is no work for a while: free what memory the workers take; they start again when they are needed."""

    def close(self) -> None:
        """End the workers; parts in progress are lost."""


_CURRENT: ContextVar[Executor | None] = ContextVar("executor", default=None)


def current() -> Executor:
    """The current executor: that of `using`, else one that computes here."""
    return _CURRENT.get() or Executor()


@contextmanager
def using(executor: Executor) -> Iterator[Executor]:
    """Make ``executor`` the current one within the block, and close it at the end, also after Ctrl-C."""
    token = _CURRENT.set(executor)
    try:
        yield executor
    finally:
        _CURRENT.reset(token)
        executor.close()


def cut(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Parts of ``size`` items; the last one may be smaller."""
    return (items[start : start + size] for start in range(0, len(items), size))
