"""From the bytes of a request to answers that are kept: admitted, prepared, answered, written, acknowledged."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from clipgrip_line.errors import ClipgripError, LineError
from clipgrip_line.sentences import mark
from clipgrip_line.service.engine import Engine, Job
from clipgrip_line.service.keeping import Keeping, came_with, repeated
from clipgrip_line.service.ledger import Ledger
from clipgrip_line.service.live import Answering, Asked, LiveImage
from clipgrip_line.service.observers import Observers
from clipgrip_line.service.people import Reused

TOO_LARGE = mark(
    "the picture has {width} x {height} pixels; at most {most} million are taken here (--max-pixels)"
)
REUSED = mark(
    "the request {request} brought other images before. Give each request a name of its own; the same name is for the "
    "same images, sent again."
)


@dataclass(frozen=True)
class Picture:
    """One image of a request."""

    data: bytes = field(repr=False)
    name: str = ""
    serial: str = ""


@dataclass(frozen=True)
class Passed:
    """What a request passes through to its answers."""

    lot: str = ""
    serial: str = ""
    station: str = ""
    request: str = ""


class Predicting:
    """The way of an image through the service."""

    def __init__(
        self, engine: Engine, ledger: Ledger, keeping: Keeping, observers: Observers, workers: int
    ) -> None:
        self.engine, self.ledger, self.keeping, self.observers = engine, ledger, keeping, observers
        self.pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")

    async def answer(
        self, model: Answering, pictures: Sequence[Picture], passed: Passed
    ) -> list[dict[str, Any]]:
        """A document for each image, in their order; one that is no image says so in its place.

        Raises:
            Full: no room now.
            NotKept: the disk refused, so nothing is acknowledged.
            TookTooLong: the turn did not come in time.
            Reused: a request of this name brought other images before.
        """
        try:
            return await self._once(model, pictures, passed)
        except (
            sqlite3.IntegrityError
        ):  # the same request came twice at once, and the other one was first
            return await self._once(model, pictures, passed)

    async def _once(
        self, model: Answering, pictures: Sequence[Picture], passed: Passed
    ) -> list[dict[str, Any]]:
        """As before where the request was answered; an image that was none then is looked at again."""
        known = await self._before(passed.request, pictures) if passed.request else {}
        fresh = {n: picture for n, picture in enumerate(pictures) if n not in known}
        found = {**known, **(await self._fresh(model, fresh, passed) if fresh else {})}
        return [found[n] for n in range(len(pictures))]

    async def _fresh(
        self, model: Answering, pictures: Mapping[int, Picture], passed: Passed
    ) -> dict[int, dict[str, Any]]:
        """By place, the document of each image."""
        admission, loop = self.engine.admission, asyncio.get_running_loop()
        way = Way(self, model, passed, len(pictures), loop, loop.create_future())
        admission.enter(len(pictures))
        answered = False
        try:
            for place, picture in pictures.items():
                self.pool.submit(way.prepare, place, picture)
            found = await way.future
            answered = bool(found)
        finally:
            admission.leave(len(pictures), answered)
        documents = {one.position: document for one, document in zip(way.asked, found, strict=True)}
        return {**way.wrong, **documents}

    async def _before(self, request: str, pictures: Sequence[Picture]) -> dict[int, dict[str, Any]]:
        """What it was answered; nothing where it is new."""

        def found() -> dict[int, dict[str, Any]]:
            known = repeated(self.ledger.reader, request)
            for place, document in known.items():
                data = pictures[place].data if place < len(pictures) else b""
                if hashlib.sha256(data).hexdigest() != document["image_id"]:
                    raise Reused(REUSED, request=request)
            return known

        return await asyncio.get_running_loop().run_in_executor(self.pool, found)

    def check(self, width: int, height: int) -> None:
        """LineError where an image has more pixels than are taken."""
        most = self.keeping.limits.pixels
        if width * height > most:
            raise LineError(TOO_LARGE, width=width, height=height, most=most // 1_000_000)


@dataclass(eq=False)
class Way:
    """One request on its way: prepared in the pool, then answered, then kept; the loop hears of its end alone."""

    predicting: Predicting
    model: Answering
    passed: Passed
    images: int
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[list[dict[str, Any]]]
    asked: list[Asked] = field(default_factory=list)
    wrong: dict[int, dict[str, Any]] = field(default_factory=dict)
    failure: BaseException | None = None
    left: int = field(init=False)
    """Images that are not prepared yet."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.left = self.images

    def prepare(self, place: int, picture: Picture) -> None:
        """One image; whoever prepares the last one sends the request on."""
        passed, serial = self.passed, picture.serial or self.passed.serial
        try:
            pixels = self.model.pixels(picture.data, self.predicting.check)
            texts = (picture.name, passed.lot, serial, passed.station, passed.request)
            self.asked.append(Asked(pixels, picture.data, *texts, place))
        except ClipgripError as error:
            about = came_with(picture.name, passed.lot, serial)
            self.wrong[place] = {"error": error.sentence, "code": "no_image", **about}
        except BaseException as error:
            self.failure = error
        with self.lock:
            self.left -= 1
            if self.left:
                return
        self._go_on()

    def _go_on(self) -> None:
        """All are prepared: to the engine, in the order in which they came."""
        self.asked.sort(key=lambda one: one.position)
        engine = self.predicting.engine
        try:
            if self.failure is not None:
                raise self.failure
            if self.asked:
                engine.give(Job(self.model, self.asked, self._seen))
                engine.admission.prepared(len(self.wrong))
                return
        except BaseException as error:
            self.failure = error
        engine.admission.prepared(self.images)
        _settle(self.loop, self.future, self.failure or [])

    def _seen(self, seen: list[LiveImage] | Exception) -> None:
        """On the engine's thread: hand the answers to the ledger, and go on with the next batch."""
        if isinstance(seen, Exception):
            _settle(self.loop, self.future, seen)
            return
        keeping, observers = self.predicting.keeping, self.predicting.observers
        observers.seen(seen)
        writing = self.predicting.ledger.write(lambda db: keeping.write(db, seen))

        def done(finished: Future[list[dict[str, Any]]]) -> None:
            error = finished.exception()
            if error is not None:
                _settle(self.loop, self.future, error)
                return
            documents = finished.result()
            try:
                observers.stored(seen, documents)
            finally:  # it is on the disk, so it is given
                _settle(self.loop, self.future, documents)

        writing.add_done_callback(done)


def _settle(
    loop: asyncio.AbstractEventLoop,
    future: asyncio.Future[list[dict[str, Any]]],
    result: list[dict[str, Any]] | BaseException,
) -> None:
    def settle() -> None:
        if future.done():  # whoever asked has gone
            return
        if isinstance(result, BaseException):
            future.set_exception(result)
        else:
            future.set_result(result)

    try:
        loop.call_soon_threadsafe(settle)
    except RuntimeError:  # the loop is closed: the service stops, and the answer is kept
        return
