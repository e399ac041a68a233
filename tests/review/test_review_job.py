"""Stop means that round and no other process; looking disturbs nobody; no file of the current folder is imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from projects import command
from waiting import LONG

from clipgrip.errors import RunError
from clipgrip.review import job
from clipgrip.review.store import open_review
from clipgrip.runs.lock import locked


def test_stop_never_reaches_another_process_that_has_the_number_now(tmp_path: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        job.write(tmp_path, job.Progress("running", other.pid, token="t"))
        for busy in (False, True):
            if busy:  # another command works in the folder, which is no sign of the round
                with locked(tmp_path):
                    job.stop(tmp_path)
            else:
                job.stop(tmp_path)
            assert job.progress(tmp_path).state == "stopped"
            assert other.poll() is None
        with locked(tmp_path, job.LOCK):
            assert job.progress(tmp_path).state == "running"
            job.stop(tmp_path)
        assert other.poll() is None
        assert (tmp_path / job.STOP).read_text() == "t"
    finally:
        other.kill()
        other.wait()


@pytest.mark.parametrize(
    "text",
    [
        '{"state": "running", "pid": "x", "notes": []}',
        '{"state": "running", "pid": 1e400, "notes": []}',
        '{"state": "running", "began": NaN, "notes": []}',
        '{"state": "done", "facts": [], "notes": []}',
        '{"state": "done", "round": "2", "notes": []}',
        '{"state": "flying", "notes": []}',
        '{"state": "done", "notes": [3]}',
        "\udcff",
    ],
)
def test_a_record_that_was_damaged_is_none_and_can_be_stopped(tmp_path: Path, text: str) -> None:
    (tmp_path / job.NAME).write_text(text, "utf-8", "surrogateescape")
    assert job.progress(tmp_path).state == "none"
    job.stop(tmp_path)


def test_looking_at_a_stale_record_refuses_nobody(tmp_path: Path) -> None:
    job.write(tmp_path, job.Progress("running", 1, token="gone"))
    (tmp_path / job.LOCK).touch()
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            assert job.progress(tmp_path).state in ("stopped", "running")

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(200):
            with locked(tmp_path), job._living(tmp_path):
                pass
    finally:
        ended.set()
        looking.join()


def test_a_round_hears_only_its_own_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[tuple[int, int]] = []
    monkeypatch.setattr(job, "EVERY", 0.01)
    monkeypatch.setattr(os, "kill", lambda *said: heard.append(said))
    ended = threading.Event()
    listening = threading.Thread(target=job._listen, args=(tmp_path, "mine", ended))
    listening.start()
    (tmp_path / job.STOP).write_text("another's")
    time.sleep(0.1)
    assert heard == []
    (tmp_path / job.STOP).write_text("mine")
    listening.join(LONG)
    assert [number for number, _ in heard] == [os.getpid()]


def test_a_full_disk_is_a_sentence_and_nothing_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("clipgrip_line.files._write_through", full)
    with pytest.raises(RunError, match=r"cannot begin.*No space left.*Make space"):
        job.start(tmp_path, "Ito")
    assert job.progress(tmp_path).state == "none"


def test_no_file_of_the_current_folder_is_imported(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evil = tmp_path / "evil"
    evil.mkdir()
    for name in ("secrets", "json", "torchvision", "typer", "clipgrip"):
        (evil / f"{name}.py").write_text(f"open('imported-{name}', 'w').close()")
    monkeypatch.chdir(evil)
    job.start(folder, "Ito")
    job._children.pop(folder.resolve()).wait(120)
    assert job.progress(folder).state == "failed"  # there is no review yet
    for words in (["doctor"], ["init", "new"]):
        subprocess.run(
            [sys.executable, "-P", "-m", "clipgrip", *words], check=False, capture_output=True
        )
    (evil / "clipgrip.py").unlink()  # Python itself looks there first for what -m names
    subprocess.run([sys.executable, "-m", "clipgrip", "doctor"], check=False, capture_output=True)
    assert [path.name for path in evil.glob("imported-*")] == []


def test_next_after_a_review_that_failed_before_its_first_round(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_review(folder, create=True):
        pass
    told = command(capsys, "next", folder)
    assert told.code == 2
    assert f"Begin it again with clipgrip review {folder}" in told.err


def test_what_is_kept_can_be_read_again(tmp_path: Path) -> None:
    told = job.Progress("done", 3, "Ito", 1.5, notes=("a",), facts={"n": 1}, round=2, token="t")
    job.write(tmp_path, told)
    assert job.progress(tmp_path) == told
    assert json.loads((tmp_path / job.NAME).read_text())["token"] == "t"
