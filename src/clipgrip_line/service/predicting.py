"""From the bytes of a request to answers that are kept: admitted, prepared, answered, written, acknowledged."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import sqlite3
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from clipgrip_line.errors import ClipgripError, LineError
from clipgrip_line.pictures.images import quick_check
from clipgrip_line.pictures.unusable import UndecodableImage
from clipgrip_line.sentences import mark
from clipgrip_line.service.engine import Engine, Job
from clipgrip_line.service.keeping import Keeping, came_with, repeated
from clipgrip_line.service.ledger import Ledger
from clipgrip_line.service.live import Answering, Asked, Seen
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
        self,
        engine: Engine,
        ledger: Ledger,
        keeping: Keeping,
        observers: Observers,
        workers: int,
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
        admission = self.engine.admission
        admission.enter(len(pictures))
        answered = False
        try:
            asked, wrong = await self._prepared(model, pictures, passed)
            found = await self._answered(model, asked) if asked else []
            answered = bool(found)
        finally:
            admission.leave(len(pictures), answered)
        return {**wrong, **{one.position: told for one, told in zip(asked, found, strict=True)}}

    async def _before(self, request: str, pictures: Sequence[Picture]) -> dict[int, dict[str, Any]]:
        """What it was answered; nothing where it is new."""

        def found() -> dict[int, dict[str, Any]]:
            known = repeated(self.ledger.reader, request)
            for place, told in known.items():
                data = pictures[place].data if place < len(pictures) else b""
                if hashlib.sha256(data).hexdigest() != told["image_id"]:
                    raise Reused(REUSED, request=request)
            return known

        return await asyncio.get_running_loop().run_in_executor(self.pool, found)

    async def _prepared(
        self, model: Answering, pictures: Mapping[int, Picture], passed: Passed
    ) -> tuple[list[Asked], dict[int, dict[str, Any]]]:
        """What can be asked, and by place what cannot."""
        loop = asyncio.get_running_loop()
        asked: list[Asked] = []
        wrong: dict[int, dict[str, Any]] = {}
        work = [
            loop.run_in_executor(self.pool, self._pixels, model, picture.data)
            for picture in pictures.values()
        ]
        prepared = await asyncio.gather(*work, return_exceptions=True)
        for (place, picture), pixels in zip(pictures.items(), prepared, strict=True):
            serial = picture.serial or passed.serial
            if isinstance(pixels, ClipgripError):
                self.engine.admission.prepared()
                about = came_with(picture.name, passed.lot, serial)
                wrong[place] = {"error": pixels.sentence, "code": "no_image", **about}
            elif isinstance(pixels, BaseException):
                self.engine.admission.prepared(len(pictures) - len(wrong))
                raise pixels
            else:
                texts = (picture.name, passed.lot, serial, passed.station, passed.request)
                asked.append(Asked(pixels, picture.data, *texts, place))
        return asked, wrong

    def _pixels(self, model: Answering, data: bytes) -> Any:
        most = self.keeping.limits.pixels
        try:
            width, height = quick_check(data)
        except UndecodableImage as error:
            raise LineError(
                mark("not an image that can be read: {detail}"), detail=error.detail
            ) from error
        if width * height > most:
            raise LineError(TOO_LARGE, width=width, height=height, most=most // 1_000_000)
        return model.pixels(data)

    async def _answered(self, model: Answering, asked: Sequence[Asked]) -> list[dict[str, Any]]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[dict[str, Any]]] = loop.create_future()
        self.engine.give(Job(model, asked, functools.partial(self._keep, loop, future)))
        return await future

    def _keep(
        self,
        loop: asyncio.AbstractEventLoop,
        future: asyncio.Future[list[dict[str, Any]]],
        seen: list[Seen] | Exception,
    ) -> None:
        """On the engine's thread: hand the answers to the ledger, and go on with the next batch."""
        if isinstance(seen, Exception):
            _settle(loop, future, seen)
            return
        codes = self.observers.codes(seen)
        kept = self.ledger.write(lambda db: self.keeping.write(db, seen, codes))

        def done(finished: Future[list[dict[str, Any]]]) -> None:
            error = finished.exception()
            if error is None:
                documents = finished.result()
                try:
                    self.observers.kept(seen, documents)
                finally:  # it is on the disk, so it is given
                    _settle(loop, future, documents)
            else:
                _settle(loop, future, error)

        kept.add_done_callback(done)


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
