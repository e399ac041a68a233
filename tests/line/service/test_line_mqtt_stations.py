"""Stations over MQTT: lines in are topics, lines out are retained."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest
from line_fakes import SCRATCH

from clipgrip_line.folder.mqtt import Broker

pytest.importorskip("paho.mqtt.client")


class Recording:
    """What the client would have published."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Any, bool]] = []

    def publish(self, topic: str, payload: str, *, qos: int, retain: bool) -> None:
        assert qos == 1
        self.sent.append((topic, json.loads(payload), retain))


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
            ("trigger", b""),
            ("nonsense", b""),
        ):
            before = len(recording.sent)
            lines._on_message(None, None, _message(f"line3/stations/st-1/{line}", payload))
            for _ in range(500):
                await asyncio.sleep(0.01)
                last = recording.sent[-1][1] if recording.sent else {"busy": True}
                if line == "nonsense" or (len(recording.sent) > before and not last["busy"]):
                    break

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


def _message(topic: str, payload: bytes) -> Any:
    return SimpleNamespace(topic=topic, payload=payload, retain=False)
