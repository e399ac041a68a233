"""Brings what waits in the journal to one outlet, and waits longer each time that this fails."""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from clipgrip_line.causes import cause
from clipgrip_line.folder.item import Item
from clipgrip_line.folder.journal import Journal
from clipgrip_line.folder.outlet import Outlet, Refused, Trouble

FIRST, MOST = 1.0, 300.0
Say = Callable[[str, str], None]
"""What changed, in a sentence: the channel's name, the reason; an empty reason: it works again."""
WINDOW = 500
TOGETHER = 8
"""Deliveries at the same time on this machine: they wait for the disk together."""
IDLE = 0.2
CROSSED = 0.5
"""Seconds after which what was done is crossed off."""


class Backoff:
    """Seconds doubled from one try to the next, a little at random so that many stations do not come at once."""

    def __init__(self, first: float = FIRST, most: float = MOST) -> None:
        self.first, self.most, self.failures = first, most, 0
        self._until = 0.0

    def failed(self, now: float, at_least: float = 0.0) -> None:
        """One more try has failed."""
        wait = min(self.first * 2.0 ** min(self.failures, 30), self.most)
        self._until = now + max(wait * random.uniform(0.75, 1.0), min(at_least, self.most))
        self.failures += 1

    def worked(self) -> None:
        """Begin anew."""
        self.failures, self._until = 0, 0.0

    def wait(self, now: float) -> float:
        """Seconds until the next try."""
        return max(0.0, self._until - now)


class Courier:
    """One outlet's deliveries: `bring` once, or `run` in a thread of its own."""

    def __init__(
        self,
        outlet: Outlet,
        journal: Journal,
        say: Say,
        *,
        in_order: bool,
        now: Callable[[], float] = time.monotonic,
        backoff: Backoff | None = None,
        cross_off: Callable[[str, Sequence[int]], None] | None = None,
    ) -> None:
        """``in_order``: an item that fails holds up those behind it, as with a server that is away.

        ``cross_off`` takes the numbers that are done; the journal's own unless it is given.
        """
        self.outlet, self._journal, self._say, self._now = outlet, journal, say, now
        self._in_order, self.backoff = in_order, backoff or Backoff()
        self._cross_off = cross_off or journal.done
        self.reason = ""
        """Why the last try failed; empty where it did not."""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._pool: ThreadPoolExecutor | None = None

    def bring(self, most: float = float("inf")) -> int:
        """Deliver what waits, for at most some seconds; how many items were done. Silent while it has to wait."""
        if self.backoff.wait(self._now()) > 0:
            return 0
        try:
            done, failed = self._brought(self._now() + most)
        except sqlite3.Error as error:
            self._failed(error)
            return 0
        if not failed:
            self.backoff.worked()
            if self.reason:
                self.reason = ""
                self._say(self.outlet.name, "")
        return done

    def _brought(self, until: float) -> tuple[int, bool]:
        """How many were done, and whether something failed."""
        total, failed, after = 0, False, 0
        while self._now() < until:
            items = self._journal.waiting(self.outlet.name, WINDOW, after)
            if not items:
                break
            done, whole = self._window(items, until)
            total, failed = total + done, failed or not whole
            if not whole and (self._in_order or not done):
                break
            after = items[-1].number
        return total, failed

    def _window(self, items: Sequence[Item], until: float) -> tuple[int, bool]:
        """As `_brought`, of some items. Crossed off together: to do it again after a kill does no harm."""
        done: list[int] = []
        whole, crossed = True, self._now()
        try:
            for groups in self._together(items):
                errors = list(self._map(self._group, groups))
                for group, error in zip(groups, errors, strict=True):
                    if error is None:
                        done += [item.number for item in group]
                first = next((error for error in errors if error is not None), None)
                if first is not None:
                    whole = False
                    self._failed(first)
                if self._now() - crossed > CROSSED:
                    self._cross_off(self.outlet.name, done)
                    crossed = self._now()
                if self._now() > until or self._stop.is_set() or (not whole and self._in_order):
                    break
        finally:
            self._cross_off(self.outlet.name, done)
        return len(done), whole

    def _together(self, items: Sequence[Item]) -> Iterator[list[Sequence[Item]]]:
        """Groups that are delivered at the same time; of one path, the answers come one after the other."""
        groups: list[Sequence[Item]] = []
        paths: set[str] = set()
        for start in range(0, len(items), self.outlet.at_once):
            group = items[start : start + self.outlet.at_once]
            if groups and (
                self._in_order or len(groups) == TOGETHER or paths & {one.path for one in group}
            ):
                yield groups
                groups, paths = [], set()
            groups.append(group)
            paths |= {one.path for one in group}
        yield groups

    def _map(
        self, work: Callable[[Sequence[Item]], Exception | None], groups: list[Sequence[Item]]
    ) -> Iterable[Exception | None]:
        """In threads, where several wait for the disk together."""
        if len(groups) == 1:
            return [work(groups[0])]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(TOGETHER)
        return self._pool.map(work, groups)

    def _group(self, group: Sequence[Item]) -> Exception | None:
        """Why it could not be delivered now."""
        name = self.outlet.name
        try:
            self.outlet.deliver(group)
        except Refused as error:
            self._journal.bury(name, group[0].number, error.reason)
            self._say(name, error.reason)
        except (Trouble, OSError) as error:
            return error
        return None

    def _failed(self, error: Exception) -> None:
        reason = error.reason if isinstance(error, Trouble) else reason_of(error)
        self.backoff.failed(self._now(), error.wait if isinstance(error, Trouble) else 0.0)
        if reason != self.reason:
            self.reason = reason
            self._say(self.outlet.name, reason)

    def start(self) -> None:
        """Deliver in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name=self.outlet.name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.bring(most=5.0)
            except (
                Exception
            ) as error:  # a server may provoke what nobody thought of; the thread goes on
                self._failed(error)
            self._stop.wait(max(IDLE, self.backoff.wait(self._now())))

    def finish(self, patience: float, stop: threading.Event) -> None:
        """Deliver what waits as long as something gets through every ``patience`` seconds, or until ``stop``."""
        until = self._now() + patience
        while self._journal.owed(self.outlet.name) and not stop.is_set():
            if self.bring(most=min(patience, 1.0)):
                until = self._now() + patience
            wait = self.backoff.wait(self._now())
            if self._now() + wait > until:
                break
            stop.wait(wait)

    def stop(self, patience: float) -> None:
        """End the thread after what is under way, and deliver what waits as far as the seconds allow."""
        began = self._now()
        self._stop.set()
        if self._thread is not None:
            self._thread.join(patience)
            if (
                self._thread.is_alive()
            ):  # a server keeps it waiting; what is not crossed off waits on
                return
        self._stop.clear()
        self.bring(most=max(0.0, patience - (self._now() - began)))


def reason_of(error: Exception) -> str:
    """What the system or the database said."""
    return cause(error)
