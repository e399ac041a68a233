"""Stations over MQTT: lines in are topics, lines out are retained."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest
from line_fakes import SCRATCH
from waiting import until

from clipgrip_line.folder.mqtt import Broker
from clipgrip_line.service.handshake import Station

pytest.importorskip("paho.mqtt.client")


class Recording:
    """What the client would have published."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Any, bool]] = []

    def publish(self, topic: str, payload: str, *, qos: int, retain: bool) -> Any:
        assert qos == 1
        self.sent.append((topic, json.loads(payload), retain))
        return SimpleNamespace(mid=len(self.sent))

    def is_connected(self) -> bool:
        return True


def test_a_station_is_driven_by_messages(start: Any) -> None:
    from clipgrip_line.service.lines import StationLines

    service, _ = start()
    lines = StationLines(service.stations, Broker.of("mqtt://127.0.0.1:1/line3"))
    lines._client = recording = Recording()
    service.stations.listeners.append(lines._show)

    async def driven() -> None:
        lines._loop = asyncio.get_running_loop()
        for line, payload in (
            ("trigger", SCRATCH),
            ("acknowledge", b""),
            ("configuration", b"line9"),
            ("trigger", b'{"images": [1]}'),
            ("acknowledge", b""),
            ("nonsense", b""),
            ("trigger", b""),
        ):
            before = len(recording.sent)
            lines._on_message(None, None, _message(f"line3/stations/st-1/{line}", payload))
            if line != "nonsense":  # which shows nothing
                await asyncio.to_thread(
                    until,
                    lambda before=before: (
                        recording.sent[before:] and not recording.sent[-1][1]["busy"]
                    ),
                )

    asyncio.run(driven())
    assert {topic for topic, _, _ in recording.sent} == {"line3/stations/st-1"}
    assert all(retain for _, _, retain in recording.sent)
    shown = [
        (out["busy"], out["results_ready"], out["class_number"], out["code"])
        for _, out, _ in recording.sent
    ]
    assert shown[:3] == [(True, False, -1, 0), (False, True, 1, 0), (False, False, -1, 0)]
    assert shown[3][3] == 5
    assert [one for one in shown if one[1]][1:] == [(False, True, -1, 1)] * 2


def test_an_older_message_that_arrives_last_is_followed_by_the_newest(start: Any) -> None:
    from clipgrip_line.service.lines import StationLines

    service, _ = start()
    lines = StationLines(service.stations, Broker.of("mqtt://127.0.0.1:1/line3"))
    lines._client = recording = Recording()
    lines._show("st-1", service.stations.put("st-1", Station("busy")))
    lines._show("st-1", service.stations.put("st-1", Station("results")))
    lines._acknowledged(2)
    lines._acknowledged(1)  # sent before a cut, and again after it
    assert [out["results_ready"] for _, out, _ in recording.sent] == [False, True, True]
    lines._acknowledged(3)
    assert len(recording.sent) == 3


def test_where_the_broker_is_away_nothing_is_queued(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clipgrip_line.service.lines import StationLines

    service, _ = start()
    lines = StationLines(service.stations, Broker.of("mqtt://127.0.0.1:1/line3"))
    lines._client = recording = Recording()
    monkeypatch.setattr(Recording, "is_connected", lambda _: False)
    lines._show("st-1", service.stations.put("st-1", Station("busy")))
    assert recording.sent == []


def _message(topic: str, payload: bytes) -> Any:
    return SimpleNamespace(topic=topic, payload=payload, retain=False)


def test_a_broker_that_is_away_or_refuses_is_said_on_the_page(start: Any) -> None:
    from clipgrip_line.service.lines import StationLines

    service, client = start()
    lines = StationLines(service.stations, Broker.of("mqtt://127.0.0.1:1/line3"))
    service.lines = lines
    assert "127.0.0.1:1 is not reached" in client.get("/v1/line").json()["trouble"]
    lines._on_connect(None, None, None, Refusing(), None)
    assert "127.0.0.1:1 refuses: Not authorized" in client.get("/v1/line").json()["trouble"]
    lines._client = Recording()
    assert client.get("/v1/line").json()["trouble"] == ""


class Refusing:
    """A broker's reason."""

    is_failure = True

    def __str__(self) -> str:
        return "Not authorized"
