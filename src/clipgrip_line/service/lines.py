"""The lines of stations over MQTT: what a station shows is retained at its topic, its lines in are topics below.

``TOPIC/stations/NAME`` holds the outputs; ``.../trigger`` takes the bytes of an image, or JSON as REST does;
``.../acknowledge``, ``.../reset`` take anything, ``.../configuration`` a name.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from clipgrip_line.errors import ClipgripError, LineError
from clipgrip_line.folder.mqtt import Broker, client_of
from clipgrip_line.sentences import Sentence
from clipgrip_line.service import handshake
from clipgrip_line.service.bodies import TooLarge, check, from_json, passed_of
from clipgrip_line.service.handshake import Code, Station
from clipgrip_line.service.limits import Limits
from clipgrip_line.service.predicting import Passed, Picture
from clipgrip_line.service.station import Stations

log = logging.getLogger(__name__)
ROOM = "stations"


class StationLines:
    """A client of the broker. Messages are seen to on the loop that the service runs on."""

    def __init__(
        self,
        stations: Stations,
        broker: Broker,
        *,
        user: str = "",
        password: str = "",
        authority: str | None = None,
    ) -> None:
        """Not connected yet. LineError: paho-mqtt is not installed, or the file of certificates cannot be used."""
        self.stations, self.broker = stations, broker
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client = client_of(
            broker, self._state, user=user, password=password, authority=authority
        )
        self._client.on_connect, self._client.on_message = self._on_connect, self._on_message
        self._client.on_publish = self._on_publish
        self._sent: dict[int, str] = {}
        """Stations by the numbers of messages that the broker has not acknowledged. The loop alone touches it."""
        self._newest: dict[str, int] = {}
        self._refusal = ""
        """Why the broker did not let us in last."""

    @property
    def _state(self) -> str:
        return f"{self.broker.topic}/{ROOM}/state"

    @property
    def away(self) -> str:
        """Why no station is driven now; empty where the broker is there."""
        if self._client.is_connected():
            return ""
        where = f"{self.broker.host}:{self.broker.port}"
        if self._refusal:
            return Sentence("{where} refuses: {reason}", where=where, reason=self._refusal)
        return Sentence("{where} is not reached", where=where)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Connect in the background, again and again."""
        self._loop = loop
        self.stations.listeners.append(self._show)
        self._client.connect_async(self.broker.host, self.broker.port, keepalive=30)
        self._client.loop_start()

    def stop(self) -> None:
        """Say that the stations are gone, as the last will would."""
        self._client.publish(self._state, "offline", qos=1, retain=True)
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, _c: Any, _u: Any, _f: Any, reason: Any, _p: Any) -> None:
        self._refusal = str(reason) if reason.is_failure else ""
        if reason.is_failure:
            log.warning("the broker refuses: %s", reason)
            return
        self._client.subscribe(f"{self.broker.topic}/{ROOM}/+/+", qos=1)
        self._client.publish(self._state, "online", qos=1, retain=True)
        self._on_loop(self._show_all)

    def _on_publish(self, _c: Any, _u: Any, number: int, _r: Any, _p: Any) -> None:
        self._on_loop(self._acknowledged, number)

    def _on_loop(self, step: Callable[..., None], *given: object) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended
                self._loop.call_soon_threadsafe(step, *given)

    def _show_all(self) -> None:
        for name, station in self.stations.known.items():
            self._show(name, station)

    def _show(self, name: str, station: Station) -> None:
        """Where the broker is away nothing is queued: how every station stands is told when it is back."""
        if not self._client.is_connected():
            return
        payload = json.dumps(station.outputs(), ensure_ascii=False)
        topic = f"{self.broker.topic}/{ROOM}/{name}"
        number = self._client.publish(topic, payload, qos=1, retain=True).mid
        self._sent[number] = name
        self._newest[name] = number

    def _acknowledged(self, number: int) -> None:
        """A message of before a cut may come again after a newer one, and would stay: then the newest is told again."""
        name = self._sent.pop(number, "")
        if name and number != self._newest.get(name) and self._newest.get(name) not in self._sent:
            self._show(name, self.stations.of(name))

    def _on_message(self, _c: Any, _u: Any, message: Any) -> None:
        name, _, line = message.topic.removeprefix(f"{self.broker.topic}/{ROOM}/").partition("/")
        if self._loop is not None and not message.retain:
            asyncio.run_coroutine_threadsafe(
                self._seen_to(name, self._step(name, line, message.payload)), self._loop
            )

    async def _seen_to(self, name: str, step: Coroutine[Any, Any, None]) -> None:
        try:
            await step
        except ClipgripError as error:
            log.warning("station %s: %s", name[:64], error)
        except Exception:
            log.exception("station %s could not be seen to", name[:64])

    async def _step(self, name: str, line: str, payload: bytes) -> None:
        stations = self.stations
        if line == "acknowledge":
            stations.put(name, handshake.acknowledge(stations.of(name)))
        elif line == "reset":
            stations.put(name, handshake.reset(stations.of(name)))
        elif line == "configuration":
            await stations.configure(name, payload.decode("utf-8", "replace")[:200])
        elif line == "trigger":
            await self._trigger(name, payload)

    async def _trigger(self, name: str, payload: bytes) -> None:
        """As over REST: what brings no image gets a result that says so, and so does one that is too large."""
        limits = self.stations.service.settings.limits
        try:
            pictures, passed = _brought(payload, limits)
        except TooLarge as error:
            log.warning("station %s: %s", name[:64], error)
            self.stations.refuse(name, Code.UNREADABLE)
        except LineError:
            await self.stations.trigger(name, [], Passed())
        else:
            await self.stations.trigger(name, pictures, passed)


def _brought(payload: bytes, limits: Limits) -> tuple[list[Picture], Passed]:
    """The image of a message, and what is passed through."""
    if payload.lstrip()[:1] != b"{":
        pictures, passed = ([Picture(payload)] if payload else []), Passed()
    else:
        pictures, texts = from_json(payload)
        pictures, passed = pictures[:1], passed_of(texts)
    check(pictures, limits)
    return pictures, passed
