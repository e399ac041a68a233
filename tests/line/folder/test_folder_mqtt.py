"""Answers over MQTT: QoS 1, last will, and a broker that goes, is deaf, or refuses."""

from __future__ import annotations

import asyncio
import builtins
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from folder_broker import Broker
from folder_fakes import Line, picture
from waiting import LONG

from clipgrip_line.errors import LineError
from clipgrip_line.folder import mqtt as mqtt_module
from clipgrip_line.folder.assembly import Wishes, station_of
from clipgrip_line.folder.mqtt import Broker as Address

pytest.importorskip("paho.mqtt")


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Line:
    monkeypatch.setattr(mqtt_module, "TIMEOUT", 1.0)
    line = Line(tmp_path)
    for number in range(4):
        line.put(f"{number}.png", picture(number))
    return line


def wishes(url: str) -> Wishes:
    return Wishes(broker=Address.of(url))


def answers(broker: Broker) -> list[int]:
    return [json.loads(text)["number"] for topic, text, _ in broker.published if topic == "line/3"]


def states(broker: Broker) -> list[tuple[str, bool]]:
    return [(text, kept) for topic, text, kept in broker.published if topic == "line/3/state"]


def test_every_answer_is_published_with_an_acknowledgement(line: Line) -> None:
    broker = Broker()
    with broker.serving() as url:
        assert line.once(wishes(url)) == 0
    assert answers(broker) == [1, 2, 3, 4]
    assert broker.qos == {1}
    assert states(broker) == [("online", True), ("offline", True)]
    assert broker.clients == [station_of(line.out)]


def test_a_broker_that_is_away_loses_nothing(line: Line) -> None:
    broker = Broker()
    with broker.serving() as url:
        pass
    assert line.once(wishes(url)) == 4
    assert any("MQTT" in one and "is not reached" in one for one in line.lines)
    with broker.serving() as url:
        assert line.once(wishes(url)) == 0
    assert answers(broker) == [1, 2, 3, 4]


def test_what_was_not_acknowledged_waits(line: Line) -> None:
    broker = Broker(deaf=2)
    with broker.serving() as url:
        assert line.once(wishes(url)) == 4
        assert line.once(wishes(url)) == 0
    assert set(answers(broker)) == {1, 2, 3, 4}


def test_a_broker_that_refuses_is_named_with_its_reason(line: Line) -> None:
    broker = Broker(refuse=5)
    with broker.serving() as url:
        assert line.once(wishes(url)) == 4
    assert any("refuses: Not authorized" in one for one in line.lines)


DIES = """
import os, sys
sys.path[:0] = {path!r}
from folder_fakes import Line, picture
from test_folder_mqtt import wishes
from pathlib import Path
line = Line(Path({place!r}))
line.put("a.png", picture(1))
with line.watch(wishes({url!r})) as watch:
    watch.turn(); watch.turn()
    watch.outlets.remote[0].bring()
    os._exit(9)
"""


def test_the_last_will_says_offline_when_the_station_dies(line: Line, tmp_path: Path) -> None:
    broker = Broker()
    with broker.serving() as url:
        code = DIES.format(path=sys.path, place=str(tmp_path / "dies"), url=url)
        subprocess.run([sys.executable, "-c", code], check=False, env=os.environ, timeout=LONG)
    assert states(broker) == [("online", True), ("offline", True)]
    assert len(answers(broker)) == 1


def test_without_paho_the_package_is_named(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *more: Any, **named: Any) -> Any:
        if name.startswith("paho"):
            raise ImportError(name)
        return real(name, *more, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(LineError, match=r'pip install "clipgrip-line\[mqtt\]"'):
        line.once(wishes("mqtt://127.0.0.1/x"))


@pytest.fixture
def real_broker() -> Iterator[str]:
    """amqtt, where it is installed."""
    amqtt = pytest.importorskip("amqtt.broker")
    ready, ended = threading.Event(), threading.Event()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{free.getsockname()[1]}"
    config = {
        "listeners": {"default": {"type": "tcp", "bind": where}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }

    async def serve() -> None:
        broker = amqtt.Broker(config)
        await broker.start()
        ready.set()
        await asyncio.to_thread(ended.wait)
        await broker.shutdown()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(LONG)
    yield f"mqtt://{where}/line/3"
    ended.set()
    thread.join()


def test_another_implementation_of_the_protocol_hands_the_answers_on(
    line: Line, real_broker: str
) -> None:
    from paho.mqtt import client
    from paho.mqtt.enums import CallbackAPIVersion

    heard: list[Any] = []
    subscribed, all_heard = threading.Event(), threading.Event()
    reader = client.Client(CallbackAPIVersion.VERSION2, client_id="reader")
    reader.on_subscribe = lambda *_: subscribed.set()

    def on_message(_: Any, __: Any, message: Any) -> None:
        heard.append((message.topic, message.payload.decode()))
        if len(heard) >= 6:
            all_heard.set()

    reader.on_message = on_message
    reader.connect("127.0.0.1", Address.of(real_broker).port)
    reader.loop_start()
    reader.subscribe("line/#", qos=1)
    assert subscribed.wait(LONG)
    assert line.once(wishes(real_broker)) == 0
    assert all_heard.wait(LONG)
    reader.disconnect()
    reader.loop_stop()
    said = [json.loads(text)["number"] for topic, text in heard if topic == "line/3"]
    assert said == [1, 2, 3, 4]
    assert [text for topic, text in heard if topic.endswith("/state")] == ["online", "offline"]
