"""Connections that say nothing are let go, and no number of them stops the review or fills its log."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from waiting import LONG

from clipgrip_line.web import connections
from clipgrip_line.web.connections import Connection, Server

ASK = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    body = b""
    while (message := await receive()).get("more_body"):
        body += message["body"]
    await PlainTextResponse("ok")(scope, receive, send)


@contextlib.contextmanager
def served(most: int = 512) -> Iterator[int]:
    """The port of a server in this process."""
    protocol = type("Connection", (Connection,), {"most": most})
    config = uvicorn.Config(
        app, http=protocol, lifespan="off", log_level="warning", timeout_keep_alive=60
    )
    server = Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def opened(port: int, said: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=LONG)
    connection.sendall(said)
    return connection


def ended(connection: socket.socket) -> bool:
    """Waits until the other side has ended it."""
    try:
        while connection.recv(1000):
            pass
    except ConnectionError:
        pass
    connection.close()
    return True


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GET /healthz HTTP/1.1\r\nHost: 127",
        b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nhalf",
    ],
    ids=["nothing", "half a head", "half a body"],
)
def test_who_says_nothing_or_half_is_let_go(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SILENT", 0.2)
    monkeypatch.setattr(connections, "STALLED", 0.2)
    with served() as port:
        assert ended(opened(port, said))


def test_a_server_that_stops_waits_for_nobody_who_stands_still(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with served() as port:
        stuck = opened(port, b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf")
        asked = opened(port, ASK)
        assert asked.recv(1000)
        asked.close()
        monkeypatch.setattr(connections, "STALLED", 0.0)
    assert ended(stuck)


def test_where_there_are_too_many_the_longest_silent_one_makes_room() -> None:
    with served(most=3) as port:
        silent = [opened(port) for _ in range(3)]
        late = opened(port, ASK)
        assert late.recv(100).startswith(b"HTTP/1.1 200")
        assert ended(silent[0])
        for one in (late, *silent[1:]):
            one.close()


def test_where_all_are_in_the_middle_of_a_body_one_that_stopped_sending_makes_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "LOITERING", 0.0)
    half = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nhalf"
    with served(most=3) as port:
        stuck = [opened(port, b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n") for _ in range(3)]
        for one in stuck:
            assert one.recv(1000).startswith(b"HTTP/1.1 200")
            one.sendall(half)
        late = opened(port, ASK)
        assert late.recv(100).startswith(b"HTTP/1.1 200")
        for one in (late, *stuck):
            one.close()


@pytest.mark.skipif(os.name == "nt", reason="needs a limit of open files")
def test_hundreds_of_idle_connections_neither_stop_the_review_nor_fill_its_log(
    folder: Path, tmp_path: Path
) -> None:
    import resource

    def few_files() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))

    log = tmp_path / "log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "clipgrip",
                "review",
                str(folder),
                "--port",
                "0",
                "--no-browser",
            ],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            preexec_fn=few_files,
        )
    idle: list[socket.socket] = []
    try:
        assert process.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", process.stdout.readline())
        assert found
        port = int(found[1])
        idle = [opened(port) for _ in range(400)]
        for _ in range(3):
            with contextlib.closing(
                opened(port, ASK.replace(b"127.0.0.1", f"127.0.0.1:{port}".encode()))
            ) as late:
                assert late.recv(100).startswith(b"HTTP/1.1 200")
        assert log.stat().st_size < 2000
    finally:
        for one in idle:
            one.close()
        process.kill()
        process.communicate()


def test_a_shortage_of_files_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    import asyncio
    import errno

    shortage, loop = connections._Shortage(), asyncio.new_event_loop()
    for _ in range(1000):
        shortage(
            loop, {"message": "accept", "exception": OSError(errno.EMFILE, "Too many open files")}
        )
    assert [record.getMessage() for record in caplog.records] == [
        "no more connections can be accepted for now: Too many open files"
    ]
    shortage(loop, {"message": "something else"})
    assert len(caplog.records) == 2
    loop.close()
