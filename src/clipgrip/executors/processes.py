"""Computes parts in a pool of processes on this machine."""

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
"""How many parts are submitted for each worker, so that none waits for the next one."""
NEVER_BEGAN = mark(
    "no worker lived long enough to answer, in {tries} tries. A script of your own has to do its work under "
    'if __name__ == "__main__":  as each new process reads it again. Else they were most likely ended for lack of '
    "memory: take fewer workers (--on processes:1), or --on here."
)
LEAST_SECONDS = 60.0
"""Less work than this is not worth new processes: each first imports torch and reads the model (docs/scale.md)."""
MOST_WORKERS = 16
WORKER_BYTES = 2 << 30
"""Memory of a worker with a model of usual size."""


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
        """Always: the user chose this executor."""
        return True

    def answers(self, work: Work, parts: Iterable[Any]) -> Iterator[PartAnswer]:
        """As `Executor.answers`. A dead process breaks its whole pool; a new pool gets the parts without an answer."""
        waiting = (_Part(number, part) for number, part in enumerate(parts))
        running: dict[Future[Any], tuple[_Part, ProcessPoolExecutor]] = {}
        retries: list[_Part] = []
        try:
            while True:
                while len(running) < AHEAD * self.workers:
                    part = retries.pop() if retries else next(waiting, None)
                    if part is None:
                        break
                    pool = self._open_pool()
                    with contextlib.suppress(BrokenProcessPool), _without_ctrl_c():
                        task = pool.submit(worker.compute, work, part.content, __version__)
                        running[task] = part, pool
                        continue
                    retries.append(part)
                    self._close_pool(pool)
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    part, pool = running.pop(future)
                    if future.cancelled() or isinstance(future.exception(), BrokenProcessPool):
                        self._close_pool(pool)
                        retries.append(self._next_try(part))
                    else:
                        self._answered = True
                        yield PartAnswer(part.number, future.result())
        finally:
            if running:  # stopped half-way; cancelling the futures of a pool that ends would break its thread
                self.close()

    def _next_try(self, part: _Part) -> _Part:
        if part.tries >= MOST_TRIES:
            raise died(MOST_TRIES) if self._answered else RunError(NEVER_BEGAN, tries=MOST_TRIES)
        return part._replace(tries=part.tries + 1)

    def _open_pool(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self.workers, mp_context=get_context("spawn"), initializer=worker.begin
            )
        return self._pool

    def _close_pool(self, pool: ProcessPoolExecutor) -> None:
        """Close a broken pool once; each of its futures reports it."""
        if pool is self._pool:
            self.close()

    def close(self) -> None:
        """Kill the processes: files that they write appear whole or not at all."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        processes = list((pool._processes or {}).values())
        for process in processes:
            process.kill()
        pool.shutdown(wait=True, cancel_futures=True)

    rest = close


@contextlib.contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """Block Ctrl-C for processes that are started within, also before they can ignore it themselves."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def died(tries: int) -> RunError:
    """The error for a part whose workers died each time."""
    return RunError(
        "workers were ended {tries} times at the same images, most likely by the system for lack of memory. "
        "What was stored is kept. Take fewer workers (--on processes:1), or --on here.",
        tries=tries,
    )


class AutoExecutor(Processes):
    """``auto``: a process for each core, once the first images show that the work is worth their start."""

    name = "auto"

    def __init__(self, cores: int) -> None:
        super().__init__(min(cores, MOST_WORKERS, max(1, free_bytes() // WORKER_BYTES)))

    def is_worth(self, done: int, left: int, seconds: float) -> bool:
        """Whether the rest would take this process longer than `LEAST_SECONDS`."""
        return self.workers > 1 and done > 0 and seconds / done * left > LEAST_SECONDS
