"""A file is old or new, never between."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from clipgrip.files import openable, write_bytes_atomic, write_text_atomic


def test_text_is_written_as_utf8_with_its_own_newlines(tmp_path: Path) -> None:
    write_text_atomic(tmp_path / "a.txt", "キズ\r\n")
    assert (tmp_path / "a.txt").read_bytes() == "キズ\r\n".encode()


def test_a_name_that_utf8_cannot_hold_is_written_escaped(tmp_path: Path) -> None:
    write_text_atomic(tmp_path / "a.txt", os.fsdecode(b"\xff.jpg"))
    assert b"udcff.jpg" in (tmp_path / "a.txt").read_bytes()


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_failing_system_call_leaves_the_old_file_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    path = tmp_path / "a.bin"
    write_bytes_atomic(path, b"old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, broken, fail)
    with pytest.raises(OSError, match="No space left"):
        write_bytes_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_bytes_atomic(tmp_path / "no" / "a", b"")


def test_a_long_name_can_be_written(tmp_path: Path) -> None:
    write_bytes_atomic(tmp_path / ("n" * 255), b"x")
    assert (tmp_path / ("n" * 255)).read_bytes() == b"x"


@pytest.mark.parametrize(
    ("path", "opened"),
    [
        ("C:\\short.png", "C:\\short.png"),
        ("C:\\" + "d\\" * 150 + "a", "\\\\?\\C:\\" + "d\\" * 150 + "a"),
        ("\\\\host\\s\\" + "d" * 250, "\\\\?\\UNC\\host\\s\\" + "d" * 250),
        ("\\\\?\\C:\\" + "d" * 250, "\\\\?\\C:\\" + "d" * 250),
    ],
)
def test_long_paths_open_on_windows(
    monkeypatch: pytest.MonkeyPatch, path: str, opened: str
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(os.path, "abspath", lambda text: text)
    assert openable(path) == opened
