"""Stations over REST: what the handshake says, driven by requests; each station by its name."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from clipgrip_line.clock import now, written
from clipgrip_line.errors import ClipgripError, LineError
from clipgrip_line.sentences import mark
from clipgrip_line.service import handshake, versions
from clipgrip_line.service.admission import Full
from clipgrip_line.service.bodies import TooLarge, pictures_of
from clipgrip_line.service.engine import TookTooLong
from clipgrip_line.service.guard import parsed
from clipgrip_line.service.handshake import Code, Station
from clipgrip_line.service.ledger import NotKept
from clipgrip_line.service.predicted import room
from clipgrip_line.service.predicting import Passed, Picture
from clipgrip_line.service.replies import answer
from clipgrip_line.service.service import Service

NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
MOST = 64
"""Stations of one service."""
PASSED = Passed()
WAIT = 30.0
"""Seconds in which a configuration has to answer."""


class Stations:
    """Where each station stands. Only the event loop touches it."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.known: dict[str, Station] = {}
        self._under_way: dict[str, Station] = {}
        """What was begun and has not ended; a reset takes it away."""
        self.listeners: list[Callable[[str, Station], None]] = []
        """Who else wants to know, such as MQTT."""

    def of(self, name: str) -> Station:
        """How a station stands; LineError for a name that none can have."""
        if not NAME.fullmatch(name) or (name not in self.known and len(self.known) >= MOST):
            raise LineError(
                "{name} is no name of a station: letters, digits, dots, - and _ only, at most {most} stations.",
                name=name[:64],
                most=MOST,
            )
        return self.known.get(name, Station())

    def put(self, name: str, station: Station) -> Station:
        """It stands so now."""
        self.known[name] = station
        if station.phase not in ("busy", "configuring"):
            self._under_way.pop(name, None)
        for listener in self.listeners:
            listener(name, station)
        return station

    async def trigger(self, name: str, pictures: list[Picture], passed: Passed) -> Station:
        """Inspect one part: busy while the model works, then results."""
        if not pictures:
            return self.refuse(name, Code.NO_IMAGE, passed)
        picture, before = pictures[0], self.of(name)
        serial = picture.serial or passed.serial
        begun = self.put(name, handshake.trigger(before, passed.lot, serial))
        if before.phase != "ready":
            return begun
        self._under_way[name] = begun
        found = await self._inspected(begun, picture, passed, name)
        return self._ended(name, begun, found)

    def refuse(self, name: str, code: Code, passed: Passed = PASSED) -> Station:
        """A trigger whose image is not looked at: a result with a code, as any other."""
        before = self.of(name)
        begun = self.put(name, handshake.trigger(before, passed.lot, passed.serial))
        if before.phase != "ready":
            return begun
        return self.put(name, handshake.failed(begun, code, written(now())))

    def _ended(self, name: str, begun: Station, end: Station) -> Station:
        """What was begun ends so, whatever came too early meanwhile; after a reset it is not shown."""
        return self.put(name, end) if self._under_way.get(name) is begun else self.of(name)

    async def _inspected(
        self, begun: Station, picture: Picture, passed: Passed, name: str
    ) -> Station:
        model = self.service.model
        at_station = Passed(passed.lot, passed.serial, name, passed.request)
        try:
            documents = await self.service.predicting.answer(model, [picture], at_station)
        except (Full, TookTooLong):
            return handshake.failed(begun, Code.FULL, written(now()))
        except (NotKept, ClipgripError):
            return handshake.failed(begun, Code.FAILED, written(now()))
        except Exception:
            self._ended(name, begun, handshake.failed(begun, Code.FAILED, written(now())))
            raise
        if "error" in documents[0]:
            return handshake.failed(begun, Code.UNREADABLE, written(now()))
        return handshake.found(begun, documents[0], model.classes)

    async def configure(self, name: str, wanted: str) -> Station:
        """Another product: the version of that name answers from now on."""
        version = _version_of(self.service, wanted)
        before = self.of(name)
        station = self.put(name, handshake.configure(before, wanted, bool(version)))
        if before.phase != "ready" or station.phase != "configuring":
            return station
        self._under_way[name] = station
        code = Code.FAILED
        try:
            answers = await self._changed(name, wanted, version)
            code = Code.NONE if answers else Code.NO_CONFIGURATION
        finally:
            self._ended(name, station, replace(handshake.configured(station), code=code))
        return self.of(name)

    async def _changed(self, name: str, wanted: str, version: str) -> bool:
        """Whether the version answers now."""
        if version == self.service.model.version:
            return True
        change = await asyncio.wrap_future(
            self.service.ledger.write(
                lambda db: versions.change_to(
                    db, "configuration", version, f"station {name}", wanted
                )
            )
        )
        until = asyncio.get_running_loop().time() + WAIT
        while self.service.model.version != version:
            late = asyncio.get_running_loop().time() > until
            if late or change.number in self.service.switching.refused:
                return False
            await asyncio.sleep(0.02)
        return True


def _version_of(service: Service, wanted: str) -> str:
    """The newest version whose bundle is called so, or that begins so; empty where there is none."""
    rows = service.ledger.reader.execute("SELECT version, file FROM bundle ORDER BY rowid DESC")
    for version, file in rows.fetchall():
        if wanted in (file, file.removesuffix(".clipgrip"), version):
            return str(version)
    return ""


async def _brought(request: Request, service: Service) -> tuple[list[Picture], Passed]:
    """The image of a trigger, none where there is none; lot and serial either way."""
    try:
        return await pictures_of(request, service.settings.limits)
    except TooLarge:
        raise
    except LineError:
        lot, serial = (request.query_params.get(key, "")[:200] for key in ("lot", "serial"))
        return [], Passed(lot, serial)


def routes(service: Service) -> list[BaseRoute]:
    """All of a station's lines."""
    stations = Stations(service)
    service.stations = stations

    def shown(station: Station) -> Response:
        return answer(station.outputs())

    async def outputs(request: Request) -> Response:
        return shown(stations.of(request.path_params["name"]))

    async def trigger(request: Request) -> Response:
        name = request.path_params["name"]
        stations.of(name)
        try:
            async with room(service, request) as arriving:
                pictures, passed = await _brought(arriving, service)
                if len(pictures) > 1:
                    raise HTTPException(400, mark("A station inspects one image at a time."))
                return shown(await stations.trigger(name, pictures, passed))
        except Full:
            return shown(stations.refuse(name, Code.FULL))

    def step(change: Callable[[Station], Station]) -> Callable[[Request], Awaitable[Response]]:
        async def stepped(request: Request) -> Response:
            name = request.path_params["name"]
            return shown(stations.put(name, change(stations.of(name))))

        return stepped

    async def configure(request: Request) -> Response:
        body: Any = parsed(await request.body())
        wanted = body.get("name") if isinstance(body, dict) else request.query_params.get("name")
        if not isinstance(wanted, str) or not wanted:
            raise HTTPException(400, mark('Give the name of a bundle as JSON: {"name": "line3"}.'))
        return shown(await stations.configure(request.path_params["name"], wanted))

    at = "/v1/stations/{name}"
    return [
        Route(at, outputs),
        Route(f"{at}/trigger", trigger, methods=["POST"]),
        Route(f"{at}/acknowledge", step(handshake.acknowledge), methods=["POST"]),
        Route(f"{at}/reset", step(handshake.reset), methods=["POST"]),
        Route(f"{at}/configuration", configure, methods=["POST"]),
    ]
