"""What may go wrong around a line: restarts, clocks, disks, slow and strange clients. Nothing is torn by any of it."""

from __future__ import annotations

import asyncio
import http.client
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from line_fakes import GOOD, SCRATCH, FakeModel, app_of, service_of
from starlette.requests import Request
from waiting import LONG

from clipgrip_line.errors import LineError
from clipgrip_line.service import keeping, ledger
from clipgrip_line.service.admission import Full
from clipgrip_line.service.ledger import NAME, Ledger, NotKept
from clipgrip_line.service.predicted import room
from clipgrip_line.service.server import standing
from clipgrip_line.web.address import Access
from clipgrip_line.web.connections import Connection


def test_a_restart_in_the_middle_of_a_shift_shows_the_last_image_and_goes_on_counting(
    start: Any,
) -> None:
    service, client = start()
    told = client.post("/v1/predict?lot=L7", content=SCRATCH).json()["answers"][0]
    service.stop()
    _, again = start()
    line = again.get("/v1/line").json()
    assert line["last"] == told
    again.post("/v1/predict", content=SCRATCH)
    line = again.get("/v1/line").json()
    assert (line["last"]["number"], line["shifts"][0]["classes"]) == (2, {"scratch": {"ng": 2}})


def test_a_clock_that_was_ahead_for_a_while_leaves_no_shift_of_the_future(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, client = start()
    client.post("/v1/predict", content=GOOD)
    ahead = datetime(2099, 1, 1, 12).astimezone()
    monkeypatch.setattr(keeping, "now", lambda: ahead)
    client.post("/v1/predict", content=GOOD)
    monkeypatch.undo()
    third = client.post("/v1/predict", content=GOOD).json()["answers"][0]
    line = client.get("/v1/line").json()
    assert (third["number"], line["last"]["number"]) == (3, 3), "images count in their order"
    assert [one["shift"] for one in line["shifts"]] == [line["shift"]]
    assert line["shifts"][0]["classes"]["good"]["ok"] == 2


def test_a_database_that_cannot_be_opened_refuses_and_hangs_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, broken = ledger.connect, threading.Event()

    def connect(path: Path, **more: Any) -> Any:
        if broken.is_set():
            raise sqlite3.OperationalError("unable to open database file")
        return real(path, **more)

    monkeypatch.setattr(ledger, "connect", connect)
    made = Ledger(tmp_path)
    broken.set()
    put = "INSERT INTO setting VALUES ('a', '')"
    with pytest.raises(NotKept, match="unable to open"):
        made.do(lambda db: db.execute(put))
    broken.clear()
    made.do(lambda db: db.execute(put) and None)
    made.close()


def test_an_empty_database_is_a_line_that_has_not_begun(tmp_path: Path) -> None:
    (tmp_path / NAME).touch()
    with pytest.raises(LineError, match="no version yet"):
        standing(tmp_path, None, "Aki")


def test_a_folder_that_was_taken_away_is_not_ready(start: Any, tmp_path: Path) -> None:
    _, client = start()
    assert client.get("/readyz").status_code == 200
    (tmp_path / "line" / NAME).rename(tmp_path / "elsewhere.db")
    assert client.get("/readyz").status_code == 503


def test_what_is_only_announced_takes_no_room_and_the_body_of_a_refusal_is_read(
    start: Any,
) -> None:
    service, _ = start(limits={"waiting": 1000})
    read = []

    def asked(*sizes: int) -> Request:
        chunks = [{"type": "http.request", "body": bytes(n), "more_body": True} for n in sizes]
        chunks[-1]["more_body"] = False

        async def receive() -> Any:
            read.append(len(chunks[0]["body"]))
            return chunks.pop(0)

        headers = [(b"content-length", b"999999999")]
        return Request({"type": "http", "method": "POST", "headers": headers}, receive)

    async def both() -> None:
        async with room(service, asked(400)) as slow:
            assert service.admission.bytes == 0
            await slow.body()
            assert service.admission.bytes == 400
            with pytest.raises(Full):
                async with room(service, asked(300, 400, 7, 8)) as other:
                    await other.body()
            assert service.admission.bytes == 400

    asyncio.run(both())
    assert service.admission.bytes == 0
    assert read == [400, 300, 400, 7, 8]


@contextmanager
def _served(state: Path) -> Iterator[int]:
    """A service with real connections, and its port."""
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    service = service_of(state, FakeModel(), access=Access("127.0.0.1", port))
    app = app_of(service)
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="critical", lifespan="off", http=Connection)
    )
    thread = threading.Thread(target=server.run, args=([listening],))
    service.start()
    thread.start()
    try:
        yield port
    finally:
        server.should_exit = True
        thread.join()
        service.stop()
        listening.close()


def _status(port: int, method: str, path: str, headers: dict[str, str] | None = None) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONG)
    try:
        connection.request(method, path, headers=headers or {})
        return connection.getresponse().status
    finally:
        connection.close()


def test_strange_requests_get_an_answer_and_the_service_goes_on(tmp_path: Path) -> None:
    with _served(tmp_path / "line") as port:
        for method, path, status in (
            ("HEAD", "/", 200),
            ("HEAD", "/readyz", 200),
            ("HEAD", "/v1/line", 200),
            ("OPTIONS", "/v1/predict", 405),
            ("TRACE", "/", 405),
            ("GET", "/v1/predict", 405),
            ("POST", "/v1/predict", 400),
            ("GET", "//", 200),
            ("GET", "/v1/line/", 200),
            ("GET", "/v1/stations/%E7%B7%9A", 400),
            ("GET", "/v1/stations/a%2Fb", 404),
            ("GET", "/v1/stations/st%2D1", 200),
            ("GET", "/v1/pictures/%00", 404),
            ("GET", "/static/..%2Fschema.py", 404),
            ("GET", "/static/%2e%2e/schema.py", 404),
            ("GET", "/?" + "a=b&" * 2000, 200),
            ("GET", "/%ff%fe", 404),
        ):
            assert _status(port, method, path) == status, (method, path)
        assert _status(port, "GET", "/", {"x-long": "a" * 30_000}) == 200
        assert _status(port, "GET", "/", {"x-huge": "a" * 200_000}) == 400
        assert _status(port, "GET", "/", {"host": "evil.example"}) == 400
        assert _status(port, "GET", "/", {"cookie": '=;;"\\[' * 50}) == 200
        assert _status(port, "POST", "/v1/predict", {"content-length": "-1"}) in (400, 413)
        assert _status(port, "GET", "/readyz") == 200


def test_who_goes_away_in_the_middle_of_a_body_leaves_nothing_behind(tmp_path: Path) -> None:
    with _served(tmp_path / "line") as port:
        for path in ("/v1/predict", "/v1/stations/st-1/trigger", "/v1/answers"):
            with socket.create_connection(("127.0.0.1", port), timeout=LONG) as one:
                head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-length: 9000\r\n\r\n"
                one.sendall(head.encode() + b"x" * 100)
        assert _status(port, "GET", "/v1/line") == 200
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONG)
        connection.request("POST", "/v1/predict", GOOD)
        assert connection.getresponse().status == 200
        connection.close()
