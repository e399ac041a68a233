"""``clipgrip-line watch`` with a real bundle, in both languages, and what it refuses."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from folder_fakes import Receiver
from line_command import line
from projects import Place

pytest.importorskip("onnxruntime", reason="needs pip install 'clipgrip[onnx]'")


@pytest.fixture
def folder(place: Place, tmp_path: Path) -> Path:
    return Path(shutil.copytree(place.images, tmp_path / "camera"))


def answers(out: Path) -> list[dict[str, str]]:
    text = next(out.glob("answers-*.csv")).read_text("utf-8-sig")
    return list(csv.DictReader(text.splitlines()))


def test_what_is_watched_gets_the_answers_of_predict(
    bundle: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    more = ["--once", "--poll", "0.02", "--sort", "copy"]
    told = line(capsys, "watch", bundle, folder, "--out", out, *more)
    assert told.code == 0, told.err
    assert line(capsys, "status", out).code == 0, "all was answered, so nothing is in trouble"
    predicted = json.loads(line(capsys, "predict", bundle, folder, "--json").out)["answers"]
    expected = {one["image_id"]: (one["class"], one["verdict"]) for one in predicted}
    found = {row["image_id"]: (row["class"], row["verdict"]) for row in answers(out)}
    assert found == expected
    verdicts = {verdict for _, verdict in expected.values()}
    assert {path.name for path in (out / "sorted").iterdir()} == verdicts
    assert f"{len(expected)} pictures answered" in told.out


def test_the_same_in_japanese_and_as_one_document(
    bundle: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["watch", bundle, folder, "--out", tmp_path / "o", "--once"]
    words += ["--poll", "0.02", "--give-up", "1"]
    (folder / "broken.png").write_bytes(b"no image")
    assert "枚を判定しました" in line(capsys, *words, "--lang", "ja").out
    (told,) = (tmp_path / "o").glob("issues-*.csv")
    assert "読み取れる画像ではありません" in told.read_text("utf-8-sig")
    (folder / "broken.png").unlink()
    facts = json.loads(line(capsys, *words, "--json").out)
    assert facts["answered"] == len(answers(tmp_path / "o"))
    assert facts["channels"]["json"]["waiting"] == 0


def test_it_posts_to_a_server_with_the_secret_of_the_environment(
    bundle: Path,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CLIPGRIP_WEBHOOK_SECRET", "between us")
    receiver = Receiver()
    with receiver.serving() as url:
        words = ["--out", tmp_path / "o", "--once", "--poll", "0.02", "--webhook", url]
        assert line(capsys, "watch", bundle, folder, *words).code == 0
    events = [one["event"] for one in receiver.messages]
    assert events.count("answer") == len(answers(tmp_path / "o"))
    assert all("X-Clipgrip-Signature" in headers for headers, _ in receiver.requests)


def test_what_is_left_is_code_1(
    bundle: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--webhook", "http://127.0.0.1:9/", "--out", tmp_path / "o"]
    words = ["watch", bundle, folder, *where, "--once", "--poll", "0.02"]
    told = line(capsys, *words)
    assert told.code == 1
    assert "webhook: Connection refused" in told.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--sort", "copy", "--move"], "Give one of them"),
        (["--keep", "plenty"], "no size"),
        (["--keep", "500"], "with its unit"),
        (["--poll", "0"], "from 0.01"),
        (["--batch", "nan"], "whole number"),
        (["--keep-share", "2"], "from 0 to 1"),
        (["--webhook", "ftp://x"], "no address to post to"),
        (["--mqtt", "mqtt://x"], "no broker's address"),
    ],
)
def test_wishes_that_cannot_be_are_refused_before_anything_is_written(
    bundle: Path,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    said: str,
) -> None:
    told = line(capsys, "watch", bundle, folder, "--out", tmp_path / "o", *words)
    assert told.code == 2
    assert said in told.err
    assert not (tmp_path / "o").exists()


def test_a_journal_that_is_damaged_is_named_with_what_to_do(
    bundle: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "journal.db").write_bytes(b"no data base" * 1000)
    told = line(capsys, "watch", bundle, folder, "--out", tmp_path / "o", "--once")
    assert told.code == 2
    assert "move this file away to begin anew" in told.err


def test_the_hot_folder_needs_no_training_stack() -> None:
    modules = (
        "folder.assembly, folder.collecting, commands.watch, commands.status, commands.collect"
    )
    imports = ", ".join(f"clipgrip_line.{name}" for name in modules.split(", "))
    code = f"""
import sys, {imports}
print([one for one in ("torch", "clipgrip", "scipy", "paho", "numpy") if one in sys.modules])
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
