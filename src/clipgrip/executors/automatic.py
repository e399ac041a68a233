"""This process, until the work turns out to be long; then a pool of processes goes on with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from clipgrip.executors.base import PartAnswer, Work
from clipgrip.executors.processes import Processes
from clipgrip.executors.resources import free_bytes

LEAST_SECONDS = 60.0
"""Work shorter than this is done sooner here: every process imports torch and reads the model first (docs/scale.md)."""
MOST_WORKERS = 16
WORKER_BYTES = 2 << 30
"""What a worker with a model of usual size may take."""


class AutoExecutor:
    """``auto``: a process for each core where that is worth its beginning, by the speed of the first images."""

    name = "auto"

    def __init__(self, cores: int) -> None:
        self.workers = min(cores, MOST_WORKERS, max(1, free_bytes() // WORKER_BYTES))
        self._pool = Processes(self.workers)

    def is_worth(self, done: int, left: int, seconds: float) -> bool:
        """Whether what is left would take this process longer than `LEAST_SECONDS`."""
        return self.workers > 1 and done > 0 and seconds / done * left > LEAST_SECONDS

    def answers(self, work: Work, parts: Iterable[Any]) -> Iterator[PartAnswer]:
        """By the pool."""
        return self._pool.answers(work, parts)

    def rest(self) -> None:
        """As the pool does."""
        self._pool.rest()

    def close(self) -> None:
        """End the pool, if there is one."""
        self._pool.close()
