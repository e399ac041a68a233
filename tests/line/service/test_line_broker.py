"""Stations over MQTT against a real broker: lines out, lines in, the last will, a broker that goes and comes back."""

from __future__ import annotations

import asyncio
import json
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from line_fakes import GOOD, SCRATCH, FakeModel
from waiting import LONG, until

from clipgrip_line.folder.mqtt import Broker
from clipgrip_line.service.lines import StationLines

pytest.importorskip("paho.mqtt.client")
pytest.importorskip("amqtt", reason="needs pip install amqtt")
"""Seconds after which something that has to come is missed."""


def _port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


class Loop(threading.Thread):
    """An event loop beside the test."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.loop = asyncio.new_event_loop()
        self.start()

    def run(self) -> None:
        self.loop.run_forever()

    def do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(LONG)

    def end(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.join(LONG)
        self.loop.close()


BROKER = """
import asyncio, sys
from amqtt.broker import Broker
config = {
    "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{sys.argv[1]}"}},
    "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
}
async def serve():
    await Broker(config).start()
    print("ready", flush=True)
    await asyncio.sleep(600)
asyncio.run(serve())
"""


@contextmanager
def _broker(port: int) -> Iterator[None]:
    """A process of its own, which ends as brokers do: without a word."""
    with subprocess.Popen(
        [sys.executable, "-c", BROKER, str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield
        finally:
            process.kill()


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.end()


class Plc:
    """What stands at the other end: it hears everything below a topic, and sends."""

    def __init__(self, port: int) -> None:
        from paho.mqtt import client
        from paho.mqtt.enums import CallbackAPIVersion

        self.heard: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.client = client.Client(CallbackAPIVersion.VERSION2)
        self.client.on_message = self._on_message
        ready = threading.Event()
        self.client.on_connect = lambda *_: self.client.subscribe("line3/#", qos=1)
        self.client.on_subscribe = lambda *_: ready.set()
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert ready.wait(LONG)

    def _on_message(self, _c: Any, _u: Any, message: Any) -> None:
        if message.topic.count("/") == 2:
            self.heard.put((message.topic, message.payload.decode()))

    def send(self, line: str, payload: bytes = b"") -> None:
        self.client.publish(f"line3/stations/st-1/{line}", payload, qos=1).wait_for_publish(LONG)

    def until(self, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The next output of the station that fits."""
        while True:
            topic, payload = self.heard.get(timeout=LONG)
            if topic == "line3/stations/st-1":
                found: dict[str, Any] = json.loads(payload)
                if fits(found):
                    return found

    def state(self, wanted: str) -> None:
        """The next word about whether the stations are there."""
        while True:
            topic, payload = self.heard.get(timeout=LONG)
            if topic == "line3/stations/state" and payload == wanted:
                return

    def end(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@contextmanager
def _lines(service: Any, loop: Loop, port: int) -> Iterator[StationLines]:
    made = StationLines(service.stations, Broker.of(f"mqtt://127.0.0.1:{port}/line3"))
    made._client.reconnect_delay_set(1, 1)
    made.start(loop.loop)
    try:
        yield made
    finally:
        made.stop()


def test_a_plc_drives_a_station_through_a_broker(start: Any, loop: Loop) -> None:
    service, _ = start(limits={"body": 1000})
    port = _port()
    with _broker(port):
        plc = Plc(port)
        with _lines(service, loop, port):
            plc.state("online")
            plc.send("trigger", SCRATCH)
            out = plc.until(lambda one: one["results_ready"])
            assert (out["ng"], out["class_number"], out["code"], out["inspected"]) == (
                True,
                1,
                0,
                1,
            )
            plc.send("trigger", GOOD)
            assert plc.until(lambda one: one["code"] == 3)["ng"], "the result stays"
            plc.send("acknowledge")
            plc.until(lambda one: one["ready"])
            plc.send("trigger", GOOD + bytes(2000))
            assert plc.until(lambda one: one["results_ready"])["code"] == 2, "over --max-body"
            plc.send("reset")
            plc.until(lambda one: one["ready"])
            plc.send("configuration", b"line9")
            assert plc.until(lambda one: one["code"] == 5)["ready"]
            late = Plc(port)
            assert late.until(lambda one: True)["code"] == 5, "who comes later hears how it stands"
            late.end()
        plc.state("offline")
        plc.end()


def test_a_broker_that_goes_and_comes_back_hears_how_every_station_stands(
    start: Any, loop: Loop
) -> None:
    service, client = start(FakeModel())
    port = _port()
    with _lines(service, loop, port) as lines:
        with _broker(port):
            plc = Plc(port)
            plc.state("online")
            plc.end()
        until(lambda: not lines._client.is_connected())
        assert client.post("/v1/stations/st-1/trigger", content=SCRATCH).json()["ng"]
        with _broker(port):
            plc = Plc(port)
            assert plc.until(lambda one: one["results_ready"])["ng"]
            plc.send("acknowledge")
            plc.until(lambda one: one["ready"])
            plc.end()


def test_a_broker_that_is_away_holds_no_answer_up(start: Any, loop: Loop) -> None:
    service, client = start(FakeModel())
    port = _port()
    with _lines(service, loop, port) as lines:
        assert client.post("/v1/stations/st-1/trigger", content=SCRATCH).json()["ng"]
        with _broker(port):
            until(lines._client.is_connected)
            plc = Plc(port)
            assert plc.until(lambda one: one["results_ready"])["ng"], "told once it is there"
            plc.end()
