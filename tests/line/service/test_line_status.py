"""How a line goes, told from outside: a service that was killed is known at once, and so is a watched folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from line_fakes import UNSURE, FakeModel, promised

from clipgrip_line.cli import main
from clipgrip_line.folder.lock import NAME
from clipgrip_line.lock import is_held
from clipgrip_line.service.alone import LOCK, alone

HOLDS = """
import sys, time
from pathlib import Path
from clipgrip_line.lock import alone_with
with alone_with(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def _holder(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def _killed(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_a_watched_folder_whose_process_was_killed_is_told_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = {
        "state": "running", "monotonic": 1e18, "answered": 3, "refused": 0, "files_waiting": 0,
        "version": "a", "trouble": {}, "channels": {},
    }  # fmt: skip
    monkeypatch.setattr("time.monotonic", lambda: 1e18)
    (tmp_path / "status.json").write_text(json.dumps(facts))
    process = _holder(tmp_path / NAME)
    assert main(["status", str(tmp_path)]) == 0
    _killed(process)
    assert main(["status", str(tmp_path)]) == 1
    assert "its process is gone" in capsys.readouterr().out


def test_a_service_that_was_killed_is_told_at_once_and_what_its_folder_holds(
    start: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service, client = start(FakeModel(promise=promised()))
    client.post("/v1/predict", content=UNSURE)
    process = _holder(tmp_path / "line" / LOCK)
    assert main(["status", str(tmp_path / "line")]) == 0
    assert "1 picture answered, 1 picture waiting for a person" in capsys.readouterr().out
    _killed(process)
    assert main(["status", str(tmp_path / "line"), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["running"], told["healthy"], told["waiting"]) == (False, False, 1)
    assert "no process serves it" in told["troubles"][0]
    service.ledger.do(
        lambda db: db.execute(
            "INSERT INTO notice (at, body, refused) VALUES ('', '', 'it answers 400')"
        )
    )
    assert main(["status", str(tmp_path / "line"), "--lang", "ja"]) == 1
    assert "--resend" in capsys.readouterr().out


def test_asking_whether_a_lock_is_held_does_not_keep_its_next_holder_out(tmp_path: Path) -> None:
    assert not is_held(tmp_path / "lock")
    with alone(tmp_path):
        assert is_held(tmp_path / LOCK)
    assert not is_held(tmp_path / LOCK)
    with alone(tmp_path):
        pass


def test_a_lock_that_may_not_be_opened_is_taken_for_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> int:
        raise PermissionError(13, "no")

    monkeypatch.setattr(os, "open", refused)
    assert is_held(tmp_path / "lock")


def test_a_service_that_is_refused_leaves_no_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.clipgrip").write_bytes(b"no bundle")
    (tmp_path / "tokens").write_text("# none\n")
    bad, state = str(tmp_path / "bad.clipgrip"), str(tmp_path / "line")
    for more in (
        [bad],
        [str(tmp_path / "none.clipgrip")],
        [],
        [bad, "--audit-every", "-3"],
        [bad, "--queue", "0"],
        [bad, "--shifts", "25:00"],
        [bad, "--allow-name", "http://line3/", "--token-file", str(tmp_path / "tokens")],
        [bad, "--resend"],
        [bad, "--port", "70000"],
    ):
        assert main(["serve", *more, "--state", state]) == 2, more
        assert not Path(state).exists(), more
        assert "Traceback" not in capsys.readouterr().err


def test_a_folder_that_was_there_before_stays(tmp_path: Path) -> None:
    (tmp_path / "line").mkdir()
    (tmp_path / "line" / "mine.txt").write_text("mine")
    assert main(["serve", str(tmp_path / "none"), "--state", str(tmp_path / "line")]) == 2
    assert (tmp_path / "line" / "mine.txt").read_text() == "mine"
