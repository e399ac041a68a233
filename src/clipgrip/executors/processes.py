"""A pool of processes on this machine, a core for each."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, NamedTuple

from clipgrip import __version__
from clipgrip.errors import RunError
from clipgrip.executors import worker
from clipgrip.executors.base import MOST_TRIES, Executor, PartAnswer, Work
from clipgrip.executors.resources import free_bytes
from clipgrip.sentences import mark

AHEAD = 2
"""Parts on their way for each worker."""
NEVER_BEGAN = mark(
    "no worker lived long enough to answer, in {tries} tries. A script of your own has to do its work under "
    'if __name__ == "__main__":  as each new process reads it again. Else they were most likely ended for lack of '
    "memory: take fewer workers (--on processes:1), or --on here."
)
LEAST_SECONDS = 60.0
"""Work shorter than this is done sooner here: every process imports torch and reads the model first (docs/scale.md)."""
MOST_WORKERS = 16
WORKER_BYTES = 2 << 30
"""What a worker with a model of usual size may take."""


class _Part(NamedTuple):
    number: int
    content: Any
    tries: int = 1


class Processes(Executor):
    """Fresh processes (spawned, not forked: torch's threads do not survive a fork)."""

    name = "processes"

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool: ProcessPoolExecutor | None = None
        self._answered = False

    def is_worth(self, done: int, left: int, seconds: float) -> bool:
        """Always: somebody asked for it."""
        return True

    def answers(self, work: Work, parts: Iterable[Any]) -> Iterator[PartAnswer]:
        """As they come. A process that dies takes its pool with it, and a new one goes on with what was not done."""
        waiting = (_Part(number, part) for number, part in enumerate(parts))
        flying: dict[Future[Any], tuple[_Part, ProcessPoolExecutor]] = {}
        again: list[_Part] = []
        try:
            while True:
                while len(flying) < AHEAD * self.workers:
                    part = again.pop() if again else next(waiting, None)
                    if part is None:
                        break
                    pool = self._opened()
                    with contextlib.suppress(BrokenProcessPool), _ctrl_c_later():
                        task = pool.submit(worker.compute, work, part.content, __version__)
                        flying[task] = part, pool
                        continue
                    again.append(part)
                    self._closed(pool)
                if not flying:
                    return
                for future in wait(flying, return_when=FIRST_COMPLETED).done:
                    part, pool = flying.pop(future)
                    if _is_broken(future):
                        self._closed(pool)
                        again.append(self._once_more(part))
                    else:
                        self._answered = True
                        yield PartAnswer(part.number, future.result())
        finally:
            if (
                flying
            ):  # stopped half-way; to cancel futures of a pool that then ends trips its own thread
                self.close()

    def _once_more(self, part: _Part) -> _Part:
        if part.tries >= MOST_TRIES:
            raise died(MOST_TRIES) if self._answered else RunError(NEVER_BEGAN, tries=MOST_TRIES)
        return part._replace(tries=part.tries + 1)

    def _opened(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self.workers, mp_context=get_context("spawn"), initializer=worker.begin
            )
        return self._pool

    def _closed(self, pool: ProcessPoolExecutor) -> None:
        """A broken pool ends once; its parts come to light one by one."""
        if pool is self._pool:
            self.close()

    def close(self) -> None:
        """End them at once; the files they write appear whole or not at all."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        processes = list((pool._processes or {}).values())
        for process in processes:
            process.kill()
        pool.shutdown(wait=True, cancel_futures=True)

    rest = close


def _is_broken(future: Future[Any]) -> bool:
    return future.cancelled() or isinstance(future.exception(), BrokenProcessPool)


@contextlib.contextmanager
def _ctrl_c_later() -> Iterator[None]:
    """Processes that are begun within hear no Ctrl-C, not even while they import what makes them ignore it."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def died(tries: int) -> RunError:
    """The error of a part that no worker survives."""
    return RunError(
        "workers were ended {tries} times at the same images, most likely by the system for lack of memory. "
        "What was stored is kept. Take fewer workers (--on processes:1), or --on here.",
        tries=tries,
    )


class AutoExecutor(Processes):
    """``auto``: a process for each core where that is worth its beginning, by the speed of the first images."""

    name = "auto"

    def __init__(self, cores: int) -> None:
        super().__init__(min(cores, MOST_WORKERS, max(1, free_bytes() // WORKER_BYTES)))

    def is_worth(self, done: int, left: int, seconds: float) -> bool:
        """Whether what is left would take this process longer than `LEAST_SECONDS`."""
        return self.workers > 1 and done > 0 and seconds / done * left > LEAST_SECONDS
