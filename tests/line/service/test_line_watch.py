"""The watch inside: a changed line rings, a broken promise falls and its images go to people at once."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from line_fakes import CLASSES, FakeModel, picture, promised
from waiting import until

from clipgrip_line.monitoring import watching
from clipgrip_line.monitoring.gallery import Gallery
from clipgrip_line.monitoring.watched import Watched
from clipgrip_line.service import looking
from clipgrip_line.service.bell import Bell, revive
from clipgrip_line.service.ledger import NotKept
from clipgrip_line.trust.watch_words import advised
from clipgrip_line.words import Words


def _images(client: Any, low: int, high: int, n: int, seed: int) -> list[dict[str, Any]]:
    numbers = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        red, green, blue = (int(numbers.integers(low, high)) for _ in range(3))
        found += _answered(client, picture(red, green, blue))
    return found


def _answered(client: Any, content: bytes) -> list[dict[str, Any]]:
    response = client.post("/v1/predict", content=content)
    assert response.status_code == 200
    answers: list[dict[str, Any]] = response.json()["answers"]
    return answers


def test_darker_pictures_ring_and_the_answer_ends_it(start: Any) -> None:
    service, client = start(alpha=0.2)
    _images(client, 100, 250, 120, 1)
    _look(service)
    assert client.get("/v1/line").json()["watch"]["light"] == "quiet"
    _images(client, 5, 40, 120, 2)
    _look(service)
    watch = client.get("/v1/line").json()["watch"]
    assert watch["light"] == "alarm"
    assert "darker" in watch["alarm"]["what"]
    assert 90 < watch["alarm"]["since"] < 140
    text = client.get("/metrics").text
    assert 'clipgrip_line_watch_light{light="alarm"} 1' in text
    body = {"verdict": "normal", "note": "new lamp", "by": "Aki"}
    told = client.post("/v1/alarms/answer", json=body).json()
    assert told["response"]["note"] == "new lamp"
    assert client.get("/v1/line").json()["watch"]["light"] == "quiet"
    assert client.post("/v1/alarms/answer", json=body).status_code == 409


def test_an_alarm_shows_pictures_from_before_and_after_also_after_a_restart(start: Any) -> None:
    service, client = start(alpha=0.2)
    bright = {one["image_id"] for one in _images(client, 100, 250, 120, 1)}
    _look(service)
    dark = {one["image_id"] for one in _images(client, 5, 40, 120, 2)}
    _look(service)
    alarm = client.get("/v1/line").json()["watch"]["alarm"]
    assert (len(alarm["before"]), len(alarm["after"])) == (12, 12)
    assert set(alarm["before"]) <= bright
    assert len(set(alarm["after"]) & dark) >= 11
    service.stop()
    _, again = start(alpha=0.2)
    assert again.get("/v1/line").json()["watch"]["alarm"]["before"] == alarm["before"]
    shown = again.get(f"/v1/pictures/{alarm['before'][0]}")
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/jpeg")


def test_an_alarm_shows_what_memory_still_holds(start: Any) -> None:
    size = len(picture(1, 2, 3))
    service, client = start(alpha=0.2, limits={"gallery": 60 * size})
    _images(client, 100, 250, 120, 1)
    _images(client, 5, 40, 120, 2)
    _look(service)
    alarm = client.get("/v1/line").json()["watch"]["alarm"]
    assert alarm["before"], "a few of long ago are still here"
    assert len(alarm["after"]) == 12


def test_memory_holds_the_newest_images_and_fewer_of_the_older_ones() -> None:
    gallery = Gallery(1000)
    for n in range(1000):
        gallery.put(str(n), bytes(10))
    kept = [n for n in range(1000) if str(n) in gallery]
    assert len(kept) <= 100
    assert kept[-40:] == list(range(960, 1000))
    assert kept[0] < 500, "it reaches far back"
    gallery.put("large", bytes(5000))
    assert sum(str(n) in gallery for n in range(1000)) == 11, (
        "the newest twelve, whatever their size"
    )
    assert gallery.get("large") == bytes(5000)
    gallery.put("large", b"")
    gallery.put("more", bytes(800))
    assert "999" in gallery, "what comes again counts once"


def test_where_no_page_shows_them_few_large_images_are_held() -> None:
    gallery = Gallery(1000, newest=3)
    for n in range(20):
        gallery.put(str(n), bytes(5000))
    assert [n for n in range(20) if str(n) in gallery] == [17, 18, 19]


def test_the_watch_looks_by_itself(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "EVERY", 0.02)
    _, client = start(alpha=0.2)
    _images(client, 100, 250, 120, 1)
    _images(client, 5, 40, 120, 2)
    until(lambda: client.get("/v1/line").json()["watch"]["light"] == "alarm")


def test_pictures_that_are_more_like_the_reference_are_no_new_product() -> None:
    assert "the same ones come again" in advised("distance", False, Words("en"))
    assert "a new product" in advised("distance", True, Words("en"))
    assert "繰り返し" in advised("confidence", True, Words("ja"))


def test_a_restart_goes_on_with_the_very_wealth(start: Any, tmp_path: Path) -> None:
    service, client = start(alpha=0.2)
    _images(client, 100, 250, 60, 1)
    _look(service)
    service.watching.look()
    before = service.watching._watched.state.state
    service.watching._saved = 0
    service.stop()
    again, _ = start(alpha=0.2)
    after = again.watching._watched.state.state
    assert after.images == before.images == 60
    assert np.array_equal(after.monitors.wealth, before.monitors.wealth)


def test_a_copy_of_an_image_is_no_new_image(start: Any) -> None:
    service, client = start()
    for _ in range(5):
        client.post("/v1/predict", content=picture(200, 10, 10))
    _look(service)
    assert service.watching.status.images == 1


def test_a_broken_promise_is_withdrawn_and_people_decide_at_once(start: Any) -> None:
    service, client = start(FakeModel(promise=promised(0.5, 0.05)), audit_every=1, alpha=0.5)
    found = _images(client, 0, 250, 60, 3)
    decided = [one for one in found if one["decided_by"] == "model"]
    assert len(decided) > 20
    for n, one in enumerate(decided):
        wrong = CLASSES[(CLASSES.index(one["class"]) + 1) % 3]
        body = {"image": one["image_id"], "class": wrong, "by": "Aki", "token": f"token-{n:04d}"}
        client.post("/v1/answers", json=body)
    _look(service)
    watch = client.get("/v1/line").json()["watch"]
    assert watch["light"] == "alarm"
    assert watch["promises"][0]["withdrawn"]["wrong"] > 0
    after = client.post("/v1/predict", content=picture(255, 1, 1)).json()["answers"][0]
    assert (after["decided_by"], after["verdict"], after["class"]) == ("person", "person", "good")
    series = 'clipgrip_line_promise_withdrawn{version="aaaaaaaaaaaa",group="all"} 1'
    assert series in client.get("/metrics").text


class Disk:
    """Refuses while it is full."""

    def __init__(self, real: Any) -> None:
        self.real, self.full = real, False

    def __call__(self, *given: Any) -> Any:
        if self.full:
            raise sqlite3.OperationalError("database or disk is full")
        return self.real(*given)


def test_an_alarm_that_the_disk_refuses_rings_when_there_is_room(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(Watched.save)
    monkeypatch.setattr(Watched, "save", lambda *given: disk(*given))
    service, client = start(alpha=0.2)
    _images(client, 100, 250, 120, 1)
    _look(service)
    disk.full = True
    _images(client, 5, 40, 120, 2)
    with pytest.raises(NotKept):
        _look(service)
    assert service.watching.status.images < 240
    disk.full = False
    _look(service)
    assert (service.watching.status.images, service.watching.status.light) == (240, "alarm")
    disk.full = True
    body = {"verdict": "normal", "note": "", "by": "Aki"}
    assert client.post("/v1/alarms/answer", json=body).status_code == 503
    disk.full = False
    assert client.post("/v1/alarms/answer", json=body).status_code == 200


def test_a_withdrawal_that_the_disk_refuses_comes_when_there_is_room(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(watching.withdraw)
    monkeypatch.setattr(watching, "withdraw", disk)
    disk.full = True
    with pytest.raises(NotKept):
        test_a_broken_promise_is_withdrawn_and_people_decide_at_once(start)
    service, client = start(FakeModel(promise=promised(0.5, 0.05)), alpha=0.5)
    with pytest.raises(NotKept):
        _look(service)
    disk.full = False
    _look(service)
    after = client.post("/v1/predict", content=picture(253, 1, 1)).json()["answers"][0]
    assert after["decided_by"] == "person"


def test_a_withdrawn_promise_stays_so_after_a_restart(start: Any) -> None:
    test_a_broken_promise_is_withdrawn_and_people_decide_at_once(start)
    _, again = start(FakeModel(promise=promised(0.5, 0.05)), alpha=0.5)
    after = again.post("/v1/predict", content=picture(254, 1, 1)).json()["answers"][0]
    assert after["decided_by"] == "person"


def test_right_answers_keep_the_promise(start: Any) -> None:
    service, client = start(FakeModel(promise=promised(0.5, 0.05)), audit_every=1)
    for n, one in enumerate(_images(client, 0, 250, 40, 4)):
        body = {
            "image": one["image_id"], "class": one["class"], "by": "Aki", "token": f"token-{n:04d}",
        }  # fmt: skip
        client.post("/v1/answers", json=body)
    _look(service)
    (promise,) = client.get("/v1/line").json()["watch"]["promises"]
    assert promise["withdrawn"] is None
    assert promise["answers"] > 5


@contextmanager
def _receiver(statuses: list[int]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server that answers so, one after the other, and what it got."""
    got: list[dict[str, Any]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(statuses.pop(0))
            self.send_header("location", "/elsewhere")
            self.end_headers()

        def do_GET(self) -> None:
            raise AssertionError("a redirect would lose the body")

        def log_message(self, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", got
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _notice(service: Any, n: int = 1) -> None:
    body = json.dumps({"event": "alarm", "n": n})
    service.ledger.do(
        lambda db: db.execute("INSERT INTO notice (at, body) VALUES ('', ?)", (body,))
    )


def test_alarms_are_posted_until_they_arrive(start: Any) -> None:
    service, _ = start()
    with _receiver([500, 303, 200, 200]) as (url, got):
        bell = Bell(service.ledger, url)
        _notice(service)
        assert not bell.ring()
        assert not bell.ring()
        assert bell.ring()
        assert bell.ring()
    assert got == [{"event": "alarm", "n": 1}] * 3


def test_a_message_refused_for_good_is_no_obstacle_and_is_told(start: Any) -> None:
    service, client = start()
    with _receiver([400, 200, 200]) as (url, got):
        service.bell = Bell(service.ledger, url)
        _notice(service, 1)
        _notice(service, 2)
        assert service.bell.ring()
        assert [one["n"] for one in got] == [1, 2], "what follows arrives"
        trouble = client.get("/v1/line", headers={"accept-language": "ja"}).json()["trouble"]
        assert "--resend" in trouble
        assert 'clipgrip_line_alarm_messages{state="dead"} 1' in client.get("/metrics").text
        assert service.bell.ring(), "it is not posted again by itself"
        revive(service.ledger)
        assert service.bell.ring()
    assert [one["n"] for one in got] == [1, 2, 1]
    assert client.get("/v1/line").json()["trouble"] == ""
    service.bell = None


def _look(service: Any) -> None:
    while service.watching.look():
        pass


def _wrong(client: Any, answers: list[dict[str, Any]]) -> None:
    for n, one in enumerate(answers):
        name = CLASSES[(CLASSES.index(one["class"]) + 1) % 3]
        body = {"image": one["image_id"], "class": name, "by": "Aki", "token": f"token-{n:04d}"}
        client.post("/v1/answers", json=body)


def test_answers_about_the_version_before_count_at_once(start: Any) -> None:
    before = FakeModel(promise=promised(0.5, 0.05))
    service, client = start(before, audit_every=1, alpha=0.5)
    found = _images(client, 0, 250, 60, 3)
    service.watching.follow(FakeModel(version="b" * 12))
    _wrong(client, [one for one in found if one["decided_by"] == "model"])
    _look(service)
    rows = service.ledger.reader.execute("SELECT version FROM withdrawal").fetchall()
    assert rows == [(before.version,)]
    (body,) = service.ledger.reader.execute("SELECT body FROM notice").fetchone()
    assert json.loads(body)["version"] == before.version


def test_a_version_that_comes_back_meets_what_was_said_meanwhile_before_its_first_image(
    start: Any,
) -> None:
    before = FakeModel(promise=promised(0.5, 0.05))
    service, client = start(before, audit_every=1, alpha=0.5)
    found = _images(client, 0, 250, 60, 3)
    service.watching.follow(FakeModel(version="b" * 12))
    service.watching._promising.pop(before.version)  # as after a restart without its bundle
    _wrong(client, [one for one in found if one["decided_by"] == "model"])
    service.watching.follow(before)
    after = client.post("/v1/predict", content=picture(254, 1, 1)).json()["answers"][0]
    assert after["decided_by"] == "person"
