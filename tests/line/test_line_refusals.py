"""Careless words at the line end with code 2 and a sentence in the reader's language, and nothing is lost."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from line_command import line
from projects import Place

pytest.importorskip("onnxruntime", reason="needs pip install 'clipgrip[onnx]'")
pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def at_line(bundle: Path, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a bundle ``m`` and pictures ``in``, which is the current one."""
    (tmp_path / "m").symlink_to(bundle)
    (tmp_path / "in").symlink_to(place.images)
    (tmp_path / "mine.txt").write_text("mine\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


PICTURE = "in/part 00.png"


@pytest.mark.parametrize(
    ("words", "english", "japanese"),
    [
        (["predict", "m", "in", "--out", "a.xlsx"], "another kind of file", "拡張子"),
        (
            ["predict", "m", "in", "--out", "/proc/a.csv"],
            "/proc may not be written",
            "書き込めません",
        ),
        (["predict", "m", "in", "--out", f"{PICTURE}/a.csv"], "is a file", "はファイルです"),
        (["predict", "m", "in", "--out", PICTURE], "another kind of file", "拡張子"),
        (["predict", "m", "in", "--out", "mine.txt"], "is there already", "すでに"),
        (["predict", "m", "in", "--out", ""], "--out is empty", "--outが空です"),
        (["predict", "m", "in", "--out="], "--out is empty", "--outが空です"),
        (["predict", "", "in"], "an argument is empty", "引数が空です"),
        (["show", "m", "--card", "--sbom"], "not allowed with argument --card", "--card"),
        (["watch", "m", "in", "--once", "--out", "mine.txt"], "is a file", "はファイルです"),
        (
            ["watch", "m", "in", "--once", "--out", "/proc/w"],
            "may not be written",
            "書き込めません",
        ),
        (["watch", "m", "in", "--once", "--out", "w", "--mqtt-ca", "x"], "mqtts://", "TLS"),
        (["serve", "m", "--state", "mine.txt"], "is a file", "はファイルです"),
        (["serve", "m", "--state", "/proc/s"], "may not be written", "書き込めません"),
        (["serve", "m", "--state", "s", "--max-body", f"{10**20}"], "at most 1000000", "以下"),
        (["serve", "m", "--state", "s", "--mqtt", "mqtt://h/x", "--mqtt-ca", "x"], "TLS", "TLS"),
        (["answers", "w", "--out", "l.csv", "--images", "mine.txt"], "is a file", "はファイルです"),
        (["answers", "w", "--sheet", "/proc/s"], "holds no", "ありません"),
        (["alarms", "w", "--images", "mine.txt"], "is a file", "はファイルです"),
    ],
)
def test_nothing_is_begun(
    at_line: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    english: str,
    japanese: str,
) -> None:
    before = sorted(os.listdir(at_line))
    for language, said in (("en", english), ("ja", japanese)):
        told = line(capsys, *words, "--lang", language)
        assert (told.code, told.out) == (2, "")
        assert said in told.err
        assert told.err.startswith("clipgrip-line: ")
    assert sorted(os.listdir(at_line)) == before
    assert (at_line / "mine.txt").read_text() == "mine\n"


def test_an_empty_word_that_is_no_file_is_one_that_was_given(
    at_line: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = line(capsys, "serve", "m", "--state", "s", "--name", "", "--port", "-1")
    assert "--port" in told.err


def test_a_file_that_may_not_be_read_costs_the_others_nothing(
    at_line: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(at_line / "pipe.png")
    told = line(capsys, "predict", "m", "pipe.png", PICTURE, "--json")
    found = json.loads(told.out)
    assert told.code == 1
    assert [one["path"] for one in found["answers"]] == [PICTURE]
    assert [one["path"] for one in found["refused"]] == ["pipe.png"]
    assert "パイプ" in line(capsys, "predict", "m", "pipe.png", PICTURE, "--lang", "ja").out


def test_a_budget_that_holds_no_picture_writes_no_empty_zip(
    at_line: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    watched = ["watch", "m", "in", "--out", "w", "--once", "--poll", "0.01", "--give-up", "0.01"]
    assert line(capsys, *watched, "--keep", "1MB", "--keep-share", 1).code == 0
    told = line(capsys, "collect", "w", "--out", "lot.zip", "--budget", "0")
    assert (told.code, "Give 1MB or more" in told.err) == (2, True)
    assert not (at_line / "lot.zip").exists()
