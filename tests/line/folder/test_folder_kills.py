"""Whatever moment it is killed at, nothing that was answered is lost and nothing is answered twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from folder_fakes import Line, Receiver, picture

from benchmarks.line.kills import campaign

WATCHED = Path(__file__).with_name("folder_watched.py")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="SIGKILL")


def command(place: Path, url: str, once: bool) -> list[str]:
    return [sys.executable, str(WATCHED), str(place), url, *["once"] * once]


@pytest.mark.slow
def test_killed_again_and_again_each_content_is_answered_once(tmp_path: Path) -> None:
    place = tmp_path / "line"
    contents = [picture(number) for number in range(150)]
    result = campaign(
        lambda url, once: command(place, url, once), place, contents, kills=8, seed=1, longest=1.5
    )
    assert result.bad == []
    assert result.answered > 100


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_with_what_is_left(tmp_path: Path, number: int) -> None:
    line, receiver = Line(tmp_path), Receiver()
    for one in range(5):
        line.put(f"{one}.png", picture(one))
    with receiver.serving() as url:
        words = command(tmp_path, url, once=False)
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "running\n"
            while len(receiver.requests) < 5:
                assert process.poll() is None
            process.send_signal(number)
            said = process.stdout.read()
        assert process.returncode == 0
    assert "5 pictures answered" in said
    assert "0 files and 0 deliveries wait" in said
    assert line.status()["state"] == "stopped"
    assert len(line.rows()) == 5
