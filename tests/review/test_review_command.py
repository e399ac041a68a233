"""clipgrip review from the command line: what it refuses, and that a killed server loses nothing."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from projects import command
from waiting import LONG

from clipgrip.review.store import ReviewRound, newest_round, open_review


def test_another_address_without_a_token_is_refused_before_anything_is_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for more in ((), ("--token", "short")):
        told = command(capsys, "review", tmp_path, "--host", "0.0.0.0", "--no-browser", *more)
        assert told.code == 2
        assert "needs --token with at least 12 characters" in told.err


def test_a_taken_port_is_a_sentence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        told = command(capsys, "review", folder, "--port", port, "--no-browser")
    assert told.code == 2
    assert f"port {port} of 127.0.0.1 cannot be used" in told.err
    assert "Choose another --port" in told.err
    assert not (folder / "review.db").exists()


def test_a_folder_without_a_run_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for place in (tmp_path, tmp_path / "missing"):
        told = command(capsys, "review", place, "--port", 0, "--no-browser")
        assert told.code == 2
        assert "holds no run" in told.err
    assert list(tmp_path.iterdir()) == []


def test_next_says_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = command(capsys, "next", tmp_path / "missing")
    assert (told.code, "holds no run" in told.err) == (2, True)


@pytest.mark.skipif(os.name == "nt", reason="needs folders that cannot be written")
def test_the_newest_round_is_put_to_work(folder: Path) -> None:
    assert newest_round(folder) == folder
    with open_review(folder, create=True) as store:
        assert newest_round(folder) == folder
        for number, place in ((1, "."), (2, "round-2"), (3, ".")):
            store.add_round(ReviewRound(number, place, "0" * 12, "2026-01-01"))
            assert newest_round(folder) == (folder / place if place != "." else folder)
        store.add_round(ReviewRound(4, "round-2", "0" * 12, "2026-01-01"))
    folder.chmod(0o555)
    try:
        assert newest_round(folder) == folder / "round-2"
    finally:
        folder.chmod(0o755)


class Served:
    """``clipgrip review`` in a process of its own."""

    def __init__(self, folder: Path) -> None:
        arguments = ["review", os.fspath(folder), "--port", "0", "--no-browser"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "clipgrip", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
        assert found, line
        self.port, self.cookie, self.csrf = int(found[1]), "", ""
        page, headers = self.ask("GET", "/files")
        self.cookie = headers["set-cookie"].partition(";")[0]
        csrf = re.search(r'name="csrf" content="(\w+)"', page)
        page, _ = self.ask("GET", "/files")
        csrf = re.search(r'name="csrf" content="(\w+)"', page)
        assert csrf
        self.csrf = csrf[1]

    def ask(self, method: str, path: str, body: Any = None) -> tuple[str, Any]:
        with closing(
            http.client.HTTPConnection("127.0.0.1", self.port, timeout=LONG)
        ) as connection:
            headers = {"cookie": self.cookie, "x-csrf-token": self.csrf}
            headers |= {"content-type": "application/json"}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read().decode()
            assert response.status == 200, text
            return text, response.headers

    def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        self.process.communicate()
        return self.process.returncode


def test_a_killed_server_loses_nothing_and_ctrl_c_is_a_good_end(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    acknowledged: list[str] = []
    for life in range(2):
        server = Served(folder)
        text, _ = server.ask("GET", "/api/next?n=10")
        for n, one in enumerate(json.loads(text)["images"]):
            token = f"life-{life}-{n}"
            said = {"token": token, "image": one["image"], "klass": 1 + n % 4}
            server.ask("POST", "/api/answers", {"answers": [said]})
            acknowledged.append(token)
        assert server.end(signal.SIGKILL) == -signal.SIGKILL
    server = Served(folder)
    with open_review(folder) as store:
        assert [answer.token for answer in store.answers()] == acknowledged
    told = command(capsys, "review", folder, "--port", 0, "--no-browser")
    assert told.code == 2
    assert "is open already" in told.err
    assert server.end(signal.SIGINT) in (0, 130)
