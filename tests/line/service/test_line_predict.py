"""POST /v1/predict: images in, in every form; answers that are kept, or a refusal that says why."""

from __future__ import annotations

import base64
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from line_fakes import DENT, GOOD, SCRATCH, UNSURE, FakeModel, picture, promised
from waiting import until

from clipgrip_line.service.ledger import NotKept


def test_the_bytes_of_an_image_are_answered_with_what_came_with_them(start: Any) -> None:
    _, client = start()
    told = client.post("/v1/predict?lot=L1&serial=S7&name=a.png", content=GOOD)
    assert told.status_code == 200
    (one,) = told.json()["answers"]
    assert (one["class"], one["verdict"], one["decided_by"]) == ("good", "ok", "model")
    assert (one["lot"], one["serial"], one["name"], one["number"]) == ("L1", "S7", "a.png", 1)
    assert one["top"][0]["class"] == "good"
    assert len(one["top"]) == 3
    assert one["version"] == "aaaaaaaaaaaa"
    assert len(one["image_id"]) == 64


def test_a_form_and_json_bring_many_images_in_their_order(start: Any) -> None:
    _, client = start()
    files = [("images", (f"{n}.png", data)) for n, data in enumerate((GOOD, SCRATCH, DENT))]
    form = client.post("/v1/predict", files=files, data={"lot": "L2"}).json()["answers"]
    assert [one["class"] for one in form] == ["good", "scratch", "dent"]
    assert {one["lot"] for one in form} == {"L2"}
    assert form[1]["name"] == "1.png"
    body = {
        "images": [{"data": base64.b64encode(data).decode(), "serial": str(n)} for n, data in enumerate((DENT, GOOD))]
    }  # fmt: skip
    by_json = client.post("/v1/predict", json=body).json()["answers"]
    assert [(one["class"], one["serial"]) for one in by_json] == [("dent", "0"), ("good", "1")]


def test_what_is_no_image_says_so_in_its_place(start: Any) -> None:
    _, client = start()
    files = [("images", ("a.png", GOOD)), ("images", ("b.png", b"no image"))]
    told = client.post("/v1/predict", files=files, headers={"accept-language": "ja"})
    first, second = told.json()["answers"]
    assert (told.status_code, first["class"], second["code"]) == (200, "good", "no_image")
    assert second["name"] == "b.png"
    assert client.post("/v1/predict", content=b"no image").status_code == 422


@pytest.mark.parametrize(
    ("content", "kind", "part"),
    [
        (b"", "application/octet-stream", "there is no image"),
        (b"{", "application/json", "no JSON"),
        (b'{"images": [{"data": "%%%"}]}', "application/json", "no Base64"),
        (b'{"images": [{"name": "a"}]}', "application/json", "has no data"),
        (b"x", "multipart/form-data", "form"),
    ],
)
def test_a_request_that_cannot_be_read_says_why(
    start: Any, content: bytes, kind: str, part: str
) -> None:
    _, client = start()
    told = client.post("/v1/predict", content=content, headers={"content-type": kind})
    assert told.status_code == 400
    assert part in told.json()["error"]


def test_images_and_bytes_and_pixels_are_bounded(start: Any) -> None:
    _, client = start(limits={"images": 2, "body": 50_000, "pixels": 10_000})
    files = [("images", (f"{n}.png", GOOD)) for n in range(3)]
    assert "at most 2" in client.post("/v1/predict", files=files).json()["error"]
    assert client.post("/v1/predict", content=b"x" * 200_000).status_code == 413
    chunks = iter([b"x" * 100_000, b"x" * 100_000])
    assert client.post("/v1/predict", content=chunks).status_code == 413
    large = client.post("/v1/predict", content=picture(1, 2, 3, 200))
    assert "pixels" in large.json()["answers"][0]["error"]


@pytest.mark.parametrize("form", ["raw", "form", "json"])
def test_no_form_of_a_request_brings_more_bytes_than_are_taken(start: Any, form: str) -> None:
    _, client = start(limits={"body": 50_000})

    def asked(size: int) -> Any:
        data = (GOOD + bytes(size))[:size]
        if form == "raw":
            return client.post("/v1/predict", content=data)
        if form == "form":
            return client.post("/v1/predict", files=[("images", ("a.png", data))])
        images = [{"data": base64.b64encode(data).decode()}]
        return client.post("/v1/predict", json={"images": images})

    assert asked(50_000).status_code == 200
    told = asked(50_001)
    assert told.status_code == 413
    assert "--max-body" in told.json()["error"]


def test_a_full_queue_answers_429_and_says_when_to_come_again(start: Any) -> None:
    model = FakeModel(gate=threading.Event())
    service, client = start(model, limits={"queue": 3})
    with ThreadPoolExecutor(12) as pool:
        asked = [pool.submit(client.post, "/v1/predict", content=GOOD) for _ in range(3)]
        until(lambda: service.admission.images == 3)
        refused = client.post("/v1/predict", content=GOOD)
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        model.gate.set()  # type: ignore[union-attr]
        assert [one.result().status_code for one in asked] == [200] * 3
    assert service.admission.images == service.admission.bytes == service.admission.preparing == 0


def test_what_waits_together_is_seen_together_and_at_most_a_batch(start: Any) -> None:
    model = FakeModel(gate=threading.Event())
    service, client = start(model, limits={"batch": 4})
    with ThreadPoolExecutor(12) as pool:
        asked = [pool.submit(client.post, "/v1/predict", content=GOOD) for _ in range(9)]
        until(lambda: service.admission.images == 9 and service.admission.preparing == 0)
        model.gate.set()  # type: ignore[union-attr]
        numbers = sorted(one.result().json()["answers"][0]["number"] for one in asked)
    assert numbers == list(range(1, 10))
    assert sum(model.batches) == 9
    assert max(model.batches) == 4


def test_an_image_that_waited_too_long_is_refused_with_429(start: Any) -> None:
    model = FakeModel(gate=threading.Event())
    service, client = start(model, limits={"seconds": 1000.0, "batch": 1})
    waiting = service.engine._jobs
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(client.post, "/v1/predict", content=GOOD) for _ in range(2)]
        until(lambda: service.admission.images == 2 and service.admission.preparing == 0)
        until(lambda: len(waiting) == 1)  # the model has the other
        waiting[0].arrived -= 2000
        model.gate.set()  # type: ignore[union-attr]
        assert sorted(one.result().status_code for one in asked) == [200, 429]


@pytest.mark.parametrize(
    ("why", "code", "advice"),
    [
        ("database or disk is full", sqlite3.SQLITE_FULL, "Make room"),
        ("database is locked", sqlite3.SQLITE_BUSY, "Ask again later"),
        ("unable to open /carefully/line.db", sqlite3.SQLITE_CANTOPEN, "Ask again later"),
    ],
)
def test_why_an_answer_is_not_kept_says_what_to_do(
    start: Any, monkeypatch: pytest.MonkeyPatch, why: str, code: int, advice: str
) -> None:
    service, client = start()

    def refused(*_: Any) -> Any:
        error = sqlite3.OperationalError(why)
        error.sqlite_errorcode = code
        raise NotKept.because(error)

    monkeypatch.setattr(type(service.keeping), "write", refused)
    told = client.post("/v1/predict", content=GOOD)
    assert told.status_code == 503
    assert why in told.json()["error"]
    assert advice in told.json()["error"]


def test_an_answer_that_cannot_be_kept_is_not_given(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, client = start()

    def refuse(*_: Any) -> Any:
        raise NotKept("disk full")

    monkeypatch.setattr(service.keeping.__class__, "write", refuse)
    told = client.post("/v1/predict", content=GOOD)
    assert (told.status_code, told.json()["code"]) == (503, "not_kept")
    assert service.admission.images == 0


def test_a_request_that_is_sent_again_counts_once(start: Any) -> None:
    service, client = start()
    first = client.post("/v1/predict?request=r-1", content=GOOD).json()
    again = client.post("/v1/predict?request=r-1", content=GOOD).json()
    named = client.post("/v1/predict", content=GOOD, headers={"idempotency-key": "r-1"}).json()
    assert first == again == named
    assert service.ledger.reader.execute("SELECT sum(n) FROM tally").fetchone() == (1,)


def test_a_request_that_is_sent_again_answers_every_image_in_its_place(start: Any) -> None:
    service, client = start()
    files = [("images", (f"{n}.png", data)) for n, data in enumerate((b"no image", GOOD, DENT))]
    first = client.post("/v1/predict?request=r-2", files=files).json()["answers"]
    assert client.post("/v1/predict?request=r-2", files=files).json()["answers"] == first
    assert [one.get("class") for one in first] == [None, "good", "dent"]
    assert sum(service.counters.verdicts.values()) == 2


@pytest.mark.parametrize("files", [[SCRATCH, GOOD], [GOOD]])
def test_one_name_for_two_requests_is_refused(start: Any, files: list[bytes]) -> None:
    _, client = start()
    both = [("images", ("a.png", GOOD)), ("images", ("b.png", SCRATCH))]
    assert client.post("/v1/predict?request=r-3", files=both).status_code == 200
    others = [("images", ("a.png", data)) for data in files]
    told = client.post("/v1/predict?request=r-3", files=others)
    assert told.status_code == 409
    assert "name of its own" in told.json()["error"]


def test_a_request_that_comes_twice_at_once_counts_once(start: Any) -> None:
    model = FakeModel(gate=threading.Event())
    service, client = start(model)
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(client.post, "/v1/predict?request=r-4", content=GOOD) for _ in "ab"]
        until(lambda: service.admission.images == 2 and service.admission.preparing == 0)
        model.gate.set()  # type: ignore[union-attr]
        first, second = (one.result().json() for one in asked)
    assert first == second
    assert service.ledger.reader.execute("SELECT sum(n) FROM tally").fetchone() == (1,)


def test_what_no_promise_covers_goes_to_a_person_with_its_picture(start: Any) -> None:
    service, client = start(FakeModel(promise=promised()))
    sure = client.post("/v1/predict", content=GOOD).json()["answers"][0]
    unsure = client.post("/v1/predict", content=UNSURE).json()["answers"][0]
    assert (sure["verdict"], unsure["verdict"]) == ("ok", "person")
    waiting = client.get("/v1/waiting").json()
    assert [one["image"] for one in waiting["waiting"]] == [unsure["image_id"]]
    shown = client.get(f"/v1/pictures/{unsure['image_id']}")
    assert shown.headers["content-type"] == "image/jpeg"
    assert service.observers.gallery.get(sure["image_id"]) == GOOD


def test_an_alarm_that_rings_as_soon_as_an_answer_is_written_finds_its_picture(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, client = start()
    kind, there = service.keeping.__class__, list[bytes | None]()
    write = kind.write

    def looked(self: Any, db: Any, seen: Any) -> Any:
        there.extend(service.observers.gallery.get(one.answer.image_id) for one in seen)
        return write(self, db, seen)

    monkeypatch.setattr(kind, "write", looked)
    client.post("/v1/predict", content=GOOD)
    assert there == [GOOD]


def test_kept_answers_are_there_after_a_restart_and_numbers_go_on(start: Any) -> None:
    service, client = start()
    client.post("/v1/predict?request=a", content=GOOD)
    service.stop()
    _, again = start()
    assert again.post("/v1/predict?request=a", content=GOOD).json()["answers"][0]["number"] == 1
    assert again.post("/v1/predict", content=SCRATCH).json()["answers"][0]["number"] == 2
    shift = again.get("/v1/line").json()["shifts"][0]["classes"]
    assert shift == {"good": {"ok": 1}, "scratch": {"ng": 1}}
