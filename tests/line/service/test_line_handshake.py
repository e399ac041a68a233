"""The handshake of a station: what a PLC sees at every step, and that no step can be skipped."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from line_fakes import CLASSES, GOOD, SCRATCH, UNSURE, FakeModel, promised
from waiting import until

from clipgrip_line.service import handshake, versions
from clipgrip_line.service.handshake import Code, Station
from clipgrip_line.service.versions import opened

ANSWER = {
    "class": "scratch", "verdict": "ng", "confidence": 0.9, "image_id": "x", "version": "v", "at": "t",
}  # fmt: skip


def test_trigger_busy_results_acknowledged_ready() -> None:
    busy = handshake.trigger(Station(), "L1", "S1")
    assert busy.outputs()["busy"]
    assert not busy.outputs()["ready"]
    done = handshake.found(busy, ANSWER, CLASSES)
    out = done.outputs()
    assert (out["results_ready"], out["ok"], out["ng"], out["class_number"]) == (
        True,
        False,
        True,
        1,
    )
    assert (out["lot"], out["serial"], out["version"], out["image_id"]) == ("L1", "S1", "v", "x")
    ready = handshake.acknowledge(done).outputs()
    assert (ready["ready"], ready["class_number"], ready["lot"]) == (True, -1, "")


def test_a_trigger_that_comes_too_early_is_an_error_and_changes_no_result() -> None:
    busy = handshake.trigger(Station(), "L1")
    early = handshake.trigger(busy, "L2")
    assert (early.code, early.phase, early.lot) == (Code.NOT_READY, "busy", "L1")
    done = handshake.found(busy, ANSWER, CLASSES)
    late = handshake.trigger(done)
    assert (late.class_name, late.ng, late.code) == ("scratch", True, Code.NOT_READY)


def test_without_an_image_the_class_is_minus_one() -> None:
    out = handshake.failed(handshake.trigger(Station()), Code.NO_IMAGE).outputs()
    assert (out["class_number"], out["error"], out["code"], out["results_ready"]) == (
        -1,
        True,
        1,
        True,
    )


STEPS = (
    lambda s: handshake.trigger(s, "L"),
    lambda s: handshake.found(s, ANSWER, CLASSES),
    lambda s: handshake.failed(s, Code.UNREADABLE),
    handshake.acknowledge,
    handshake.reset,
    lambda s: handshake.configure(s, "line3", known=True),
    lambda s: handshake.configure(s, "line9", known=False),
    handshake.configured,
)


@given(st.lists(st.sampled_from(range(len(STEPS))), max_size=20))
def test_whatever_comes_exactly_one_of_ready_busy_and_results_is_shown(steps: list[int]) -> None:
    station = Station()
    for step in steps:
        before, station = station, STEPS[step](station)
        out = station.outputs()
        assert out["ready"] + out["busy"] + out["results_ready"] == 1
        assert not (out["ok"] and out["ng"])
        assert station.inspected - before.inspected in (0, 1)
        if before.phase == "results" and station.phase == "results":
            assert station.class_number == before.class_number


def test_a_station_over_rest(start: Any) -> None:
    _, client = start(FakeModel(promise=promised()))
    at = "/v1/stations/st-1"
    assert client.get(at).json()["ready"]
    out = client.post(f"{at}/trigger?lot=L1&serial=S1", content=SCRATCH).json()
    assert (out["results_ready"], out["ng"], out["class_number"], out["lot"]) == (
        True,
        True,
        1,
        "L1",
    )
    assert client.post(f"{at}/trigger", content=GOOD).json()["code"] == 3
    assert client.post(f"{at}/acknowledge").json()["ready"]
    person = client.post(f"{at}/trigger", content=UNSURE).json()
    assert (person["ok"], person["ng"], person["person"]) == (False, False, True)
    client.post(f"{at}/reset")
    assert client.post(f"{at}/trigger").json()["code"] == 1
    client.post(f"{at}/acknowledge")
    assert client.post(f"{at}/trigger", content=b"no image").json()["code"] == 2
    assert client.get("/v1/stations/a b").status_code == 400


def test_where_there_is_no_room_for_a_body_the_station_says_so_and_a_part_at_work_keeps_its_result(
    start: Any,
) -> None:
    model = FakeModel(gate=threading.Event())
    service, client = start(model, limits={"waiting": len(SCRATCH) + 10})
    with ThreadPoolExecutor(1) as pool:
        asked = _busy(service, client, model, pool)
        assert client.post("/v1/stations/a/trigger", content=SCRATCH).json()["busy"]
        assert client.post("/v1/stations/b/trigger", content=SCRATCH).json()["code"] == 4
        model.gate.set()  # type: ignore[union-attr]
        assert asked.result().json()["ng"]
    assert service.admission.bytes == 0


def test_a_full_queue_is_a_result_with_a_code(start: Any) -> None:
    model = FakeModel(gate=threading.Event())
    service, client = start(model, limits={"queue": 1})
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(client.post, "/v1/predict", content=GOOD)
        while service.admission.images == 0:
            pass
        assert client.post("/v1/stations/a/trigger", content=GOOD).json()["code"] == 4
        model.gate.set()  # type: ignore[union-attr]
        assert asked.result().status_code == 200


@pytest.mark.parametrize(("wanted", "code"), [("line7", 0), ("line9", 5)])
def test_a_station_asks_for_a_product(start: Any, tmp_path: Path, wanted: str, code: int) -> None:
    other = "b" * 12
    service, client = start(FakeModel(), others={other: FakeModel(version=other)})
    with opened(tmp_path / "line") as db:
        versions.change_to(db, versions.BEGIN, service.model.version, "Aki", "")
        db.execute("INSERT INTO bundle VALUES (?, 'line7.clipgrip', '', '{}')", (other,))
    told = client.post("/v1/stations/a/configuration", json={"name": wanted}).json()
    assert (told["code"], told["ready"]) == (code, True)
    assert (service.model.version == other) == (code == 0)
    with opened(tmp_path / "line") as db:
        assert (versions.changes(db)[-1].by == "station a") == (code == 0)


def _busy(service: Any, client: Any, model: FakeModel, pool: ThreadPoolExecutor) -> Any:
    """A trigger under way at station a."""
    asked = pool.submit(client.post, "/v1/stations/a/trigger?lot=L1", content=SCRATCH)
    until(lambda: service.admission.images)
    return asked


@pytest.mark.parametrize("early", ["trigger", "configuration?name=line9", "acknowledge"])
def test_whatever_comes_too_early_the_part_that_is_inspected_keeps_its_result(
    start: Any, early: str
) -> None:
    model = FakeModel(gate=threading.Event())
    service, client = start(model)
    with ThreadPoolExecutor(1) as pool:
        asked = _busy(service, client, model, pool)
        told = client.post(f"/v1/stations/a/{early}", content=b"").json()
        assert told["busy"]
        model.gate.set()  # type: ignore[union-attr]
        assert asked.result().json()["results_ready"]
    out = client.get("/v1/stations/a").json()
    assert (out["results_ready"], out["ng"], out["lot"], out["code"]) == (True, True, "L1", 0)


def test_after_a_reset_an_earlier_result_is_not_shown(start: Any) -> None:
    model = FakeModel(gate=threading.Event())
    service, client = start(model)
    with ThreadPoolExecutor(1) as pool:
        asked = _busy(service, client, model, pool)
        assert client.post("/v1/stations/a/reset").json()["ready"]
        model.gate.set()  # type: ignore[union-attr]
        assert asked.result().json()["ready"]
    assert client.get("/v1/stations/a").json()["ready"]


def test_a_product_is_changed_to_though_another_one_failed_before(
    start: Any, tmp_path: Path
) -> None:
    good, bad = "b" * 12, "c" * 12
    service, client = start(FakeModel(), others={good: FakeModel(version=good)})
    with opened(tmp_path / "line") as db:
        versions.change_to(db, versions.BEGIN, service.model.version, "Aki", "")
        for name in (good, bad):
            values = (name, f"{name[0]}.clipgrip")
            db.execute("INSERT INTO bundle VALUES (?, ?, '', '{}')", values)
    at = "/v1/stations/a/configuration"
    assert client.post(at, json={"name": "c"}).json()["code"] == 5
    told = client.post(at, json={"name": "b"}).json()
    assert (told["code"], told["ready"], service.model.version) == (0, True, good)


def test_a_station_is_ready_again_where_the_change_could_not_be_kept(
    start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, client = start(FakeModel())
    with opened(tmp_path / "line") as db:
        db.execute("INSERT INTO bundle VALUES (?, 'line7.clipgrip', '', '{}')", ("b" * 12,))

    def full(*_: Any) -> Any:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(versions, "change_to", full)
    told = client.post("/v1/stations/a/configuration", json={"name": "line7"})
    assert told.status_code == 503
    out = client.get("/v1/stations/a").json()
    assert (out["ready"], out["code"], service.model.version) == (True, 6, "a" * 12)
