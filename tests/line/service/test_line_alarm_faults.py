"""What fails around the watch: no alarm is lost for it or rings twice, and a broken promise falls all the same."""

from __future__ import annotations

import queue
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from line_fakes import CLASSES, GOOD, SCRATCH, FakeModel, picture, promised

from clipgrip_line.monitoring.gallery import Gallery
from clipgrip_line.monitoring.watched import Watched
from clipgrip_line.monitoring.watching import Watching
from clipgrip_line.service import ledger
from clipgrip_line.service.bell import Bell
from clipgrip_line.service.ledger import NAME, Ledger, NotKept
from clipgrip_line.service.live import Asked, see
from clipgrip_line.service.shadowing import Shadow


class Once:
    """Fails at its first call, then does what it stands for."""

    def __init__(self, real: Any, error: Exception) -> None:
        self.real, self.error, self.failed = real, error, False

    def __call__(self, *given: Any) -> Any:
        if not self.failed:
            self.failed = True
            raise self.error
        return self.real(*given)


def _images(client: Any, low: int, high: int, n: int, seed: int) -> list[dict[str, Any]]:
    numbers = np.random.default_rng(seed)
    found: list[dict[str, Any]] = []
    for _ in range(n):
        red, green, blue = (int(numbers.integers(low, high)) for _ in range(3))
        content = picture(red, green, blue)
        found += client.post("/v1/predict", content=content).json()["answers"]
    return found


def _changed(client: Any) -> None:
    """A line that is bright, then dark."""
    _images(client, 100, 250, 120, 1)
    _images(client, 5, 40, 120, 2)


def _alarms(service: Any) -> int:
    rows = service.ledger.reader.execute("SELECT count(*) FROM alarm").fetchone()
    notices = service.ledger.reader.execute(
        "SELECT count(*) FROM notice WHERE body LIKE '%\"alarm\"%'"
    ).fetchone()
    assert rows == notices
    return int(rows[0])


def test_an_alarm_that_could_not_be_kept_for_whatever_reason_rings_at_the_next_look(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    what = Once(Watched._what, KeyError("share"))
    monkeypatch.setattr(Watched, "_what", lambda *given: what(*given))
    service, client = start(alpha=0.2)
    _changed(client)
    service.looking.look()
    assert _alarms(service) == 0
    line = client.get("/v1/line", headers={"accept-language": "ja"}).json()
    assert "監視が回答を確認できません" in line["trouble"]
    service.looking.look()
    assert (_alarms(service), service.watching.status.images) == (1, 240)
    assert client.get("/v1/line").json()["trouble"] == ""


def test_an_alarm_rings_once_though_the_look_ended_right_after_it(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    uphold = Once(Watching._uphold, NotKept("disk I/O error"))
    service, client = start(alpha=0.2)
    monkeypatch.setattr(Watching, "_uphold", lambda *given: uphold(*given))
    monkeypatch.setattr(Watching, "_renew", Once(Watching._renew, sqlite3.OperationalError("")))
    _changed(client)
    service.looking.look()
    assert _alarms(service) == 1
    monkeypatch.undo()
    _images(client, 5, 40, 30, 3)
    service.looking.look()
    assert _alarms(service) == 1


def test_a_promise_falls_though_nothing_can_be_bet_on(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, client = start(FakeModel(promise=promised(0.5, 0.05)), audit_every=1, alpha=0.5)

    def blind(*_: Any) -> None:
        raise ValueError("no such bytes")

    monkeypatch.setattr(Watching, "_bet", blind)
    found = _images(client, 0, 250, 60, 3)
    for n, one in enumerate([one for one in found if one["decided_by"] == "model"]):
        name = CLASSES[(CLASSES.index(one["class"]) + 1) % 3]
        body = {"image": one["image_id"], "class": name, "by": "Aki", "token": f"token-{n:04d}"}
        client.post("/v1/answers", json=body)
    service.looking.look()
    after = client.post("/v1/predict", content=picture(255, 1, 1)).json()["answers"][0]
    assert after["decided_by"] == "person"
    assert client.get("/v1/line").json()["watch"]["light"] == "alarm"


def test_an_alarm_rings_without_the_pictures_that_cannot_be_made(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(Gallery, "small", fails)
    service, client = start(alpha=0.2)
    _changed(client)
    service.looking.look()
    alarm = client.get("/v1/line").json()["watch"]["alarm"]
    assert alarm["before"] == alarm["after"] == []


def test_a_message_that_arrived_is_not_posted_again_because_the_disk_is_full(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, _ = start()
    bell, posted = Bell(service.ledger, "http://127.0.0.1:9/"), []
    monkeypatch.setattr(bell._webhook, "post", lambda body, key: posted.append(key))
    service.ledger.do(lambda db: service.ledger.notice(db, "", {"event": "alarm"}))
    do = Once(Ledger.do, NotKept("database or disk is full"))
    monkeypatch.setattr(Ledger, "do", lambda *given: do(*given))
    with pytest.raises(NotKept):
        bell.ring()
    assert bell.ring()
    assert bell.ring()
    assert posted == ["notice-1"]


def test_a_database_that_was_taken_away_acknowledges_nothing_until_it_is_back(
    start: Any, tmp_path: Path
) -> None:
    _, client = start()
    assert client.post("/v1/predict", content=GOOD).status_code == 200
    place, elsewhere = tmp_path / "line" / NAME, tmp_path / "elsewhere.db"
    place.rename(elsewhere)
    refused = client.post("/v1/predict", content=SCRATCH, headers={"accept-language": "ja"})
    assert refused.status_code == 503
    assert "元に戻すか" in refused.json()["error"]
    assert not place.exists(), "no empty one is begun in its place"
    place.touch()
    assert client.get("/readyz").status_code == 503
    assert client.post("/v1/predict", content=SCRATCH).status_code == 503
    elsewhere.replace(place)
    assert client.post("/v1/predict", content=SCRATCH).json()["answers"][0]["number"] == 2


def test_a_damaged_database_is_a_disk_that_refuses_and_no_fault_of_the_change(
    tmp_path: Path,
) -> None:
    made = Ledger(tmp_path)

    def damaged(_: sqlite3.Connection) -> Any:
        raise sqlite3.DatabaseError("database disk image is malformed")

    with pytest.raises(NotKept, match="malformed"):
        made.do(damaged)
    assert "malformed" in made.failing
    made.close()


def test_a_shadow_stops_though_it_takes_its_last_image_at_this_moment(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, _ = start()
    shadow = Shadow(service.ledger, FakeModel())
    put = Once(shadow._queue.put_nowait, queue.Full())
    monkeypatch.setattr(shadow._queue, "put_nowait", put)
    shadow.stop()
    assert shadow._queue.get_nowait() is None


def test_an_image_that_was_seen_before_a_promise_fell_and_is_written_after_it_goes_to_a_person(
    start: Any,
) -> None:
    service, client = start(FakeModel(promise=promised(0.5, 0.05)), audit_every=1, alpha=0.5)
    found = _images(client, 0, 250, 60, 3)
    for n, one in enumerate([one for one in found if one["decided_by"] == "model"]):
        name = CLASSES[(CLASSES.index(one["class"]) + 1) % 3]
        body = {"image": one["image_id"], "class": name, "by": "Aki", "token": f"token-{n:04d}"}
        client.post("/v1/answers", json=body)
    pixels = service.model.pixels(picture(255, 1, 1))
    (before,) = service.looking.scored(see(service.model, [Asked(pixels, b"")]))
    assert before.answer.decided == "model"
    service.looking.look()
    (kept,) = service.ledger.do(lambda db: service.keeping.write(db, [before]))
    assert (kept["decided_by"], kept["verdict"]) == ("person", "person")


def test_nothing_that_goes_wrong_while_writing_ends_the_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Once(ledger._written, MemoryError())
    monkeypatch.setattr(ledger, "_written", written)
    made = Ledger(tmp_path)
    with pytest.raises(NotKept, match="MemoryError"):
        made.do(lambda db: None)
    assert made.do(lambda db: 7) == 7
    assert made.failing == ""
    made.close()
