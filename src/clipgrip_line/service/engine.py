"""One thread that runs the model on small batches: what has come is answered together, and nothing waits for company.

While the model works, further images come; they are the next batch. Only images that are being decoded at this moment
are waited for, and only for a bounded time, so that a single image on an idle line is answered at once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from clipgrip_line.service.admission import Admission
from clipgrip_line.service.limits import Limits
from clipgrip_line.service.live import Answering, Asked, LiveImage, see

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Job:
    """Images of one request, for the version that has prepared them. ``done`` gets what was seen, or the error."""

    model: Answering
    images: Sequence[Asked]
    done: Callable[[list[LiveImage] | Exception], None]
    arrived: float = field(default_factory=time.monotonic)


class TookTooLong(Exception):
    """The turn of an image did not come in time."""


class Engine(threading.Thread):
    """Answers jobs until it is stopped; every job that was given to it is done then."""

    def __init__(
        self,
        limits: Limits,
        admission: Admission,
        scored: Callable[[Sequence[LiveImage]], list[LiveImage]],
    ) -> None:
        """``scored`` adds to what one version saw what the watch keeps of it."""
        super().__init__(name="engine", daemon=True)
        self.limits, self.admission, self.scored = limits, admission, scored
        self.batches, self.images, self.busy = 0, 0, 0.0
        self._jobs: deque[Job] = deque()
        self._ready = threading.Condition()
        self._stopping = False

    def give(self, job: Job) -> None:
        """A job at the end of the queue."""
        with self._ready:
            if self._stopping:
                raise RuntimeError("the engine has stopped")
            self._jobs.append(job)
            self.admission.prepared(len(job.images))
            self._ready.notify()

    def stop(self) -> None:
        """Ends when what waits is done."""
        with self._ready:
            self._stopping = True
            self._ready.notify()

    def run(self) -> None:
        """The loop."""
        while batch := self._next():
            began = time.monotonic()
            self._answer(batch)
            self.busy += time.monotonic() - began
            self.batches += 1

    def _next(self) -> list[Job]:
        """Jobs of one version that are seen together; empty when stopped."""
        with self._ready:
            while not self._jobs and not self._stopping:
                self._ready.wait()
            until = time.monotonic() + self.limits.gather
            while self.admission.preparing > 0:
                if sum(len(job.images) for job in self._jobs) >= self.limits.batch:
                    break
                left = until - time.monotonic()
                if left <= 0 or self._stopping or not self._ready.wait(left):
                    break
            return self._taken()

    def _taken(self) -> list[Job]:
        found: list[Job] = []
        room = self.limits.batch
        while self._jobs and (not found or len(self._jobs[0].images) <= room):
            if found and self._jobs[0].model is not found[0].model:
                break
            found.append(self._jobs.popleft())
            room -= len(found[-1].images)
        return found

    def _answer(self, batch: list[Job]) -> None:
        late = time.monotonic() - self.limits.seconds
        for job in [job for job in batch if job.arrived < late]:
            _deliver(job, TookTooLong())
        batch = [job for job in batch if job.arrived >= late]
        if not batch:
            return
        try:
            seen = self._seen(batch[0].model, [one for job in batch for one in job.images])
        except Exception as error:
            log.exception("the model failed on %d images", sum(len(job.images) for job in batch))
            for job in batch:
                _deliver(job, error)
            return
        self.images += len(seen)
        for job in batch:
            mine, seen = seen[: len(job.images)], seen[len(job.images) :]
            _deliver(job, mine)

    def _seen(self, model: Answering, images: Sequence[Asked]) -> list[LiveImage]:
        found: list[LiveImage] = []
        for first in range(0, len(images), self.limits.batch):
            found += see(model, images[first : first + self.limits.batch])
        return self.scored(found)


def _deliver(job: Job, result: list[LiveImage] | Exception) -> None:
    try:
        job.done(result)
    except Exception:
        log.exception("an answer could not be delivered")
