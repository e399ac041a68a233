"""What counts as a file of the watched folder, whatever lies in it."""

from __future__ import annotations

import errno
import os
import socket
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from folder_fakes import Line, Receiver, identity, picture

from clipgrip_line.cli import main
from clipgrip_line.folder import lock as folder_lock
from clipgrip_line.folder import scan as scanning
from clipgrip_line.folder.assembly import Wishes
from clipgrip_line.folder.journal import Journal
from clipgrip_line.folder.scan import is_within, scan


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return Line(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
def test_pipes_sockets_and_linked_folders_are_said_once_and_hold_nothing_up(line: Line) -> None:
    line.put("a.png", picture(1))
    os.mkfifo(line.folder / "pipe.png")
    (line.folder / "linked").symlink_to(line.folder)
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(line.folder / "socket.png"))
        with line.watch() as watch:
            for _ in range(4):
                watch.turn()
        assert watch.facts()["trouble"] == {}
    said = [one.split(":")[0] for one in line.lines if "It is left out" in one]
    assert said == ["linked", "pipe.png", "socket.png"]
    assert [row["path"] for row in line.rows()] == ["a.png"]


def test_once_waits_for_a_writer_as_long_as_the_watch_would(line: Line) -> None:
    data = picture(3)
    line.put("a.png", data[:100])
    turns = []

    with line.watch(give_up=3600.0) as watch:
        turn = watch.turn

        def counted() -> int:
            turns.append(1)
            if len(turns) == 30:
                line.put("a.png", data)
            return turn()

        watch.turn = counted  # type: ignore[method-assign]
        watch.once()
        assert watch.left() == 0
    assert [row["image_id"] for row in line.rows()] == [identity(data)]


def test_output_within_the_folder_is_known_by_what_it_is_and_not_by_its_name(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a share that does not mind upper and lower case, where a folder answers to other names."""
    (line.folder / "answers").mkdir()
    line.put("answers/a.png", picture(1))
    (line.folder / "ANSWERS").symlink_to(line.folder / "answers")
    assert scan(line.folder, line.folder / "ANSWERS").entries == ()
    assert is_within(line.folder / "answers" / "x", line.folder / "ANSWERS")
    assert not is_within(line.folder, line.folder / "ANSWERS")
    monkeypatch.setattr(scanning, "_identity", lambda folder: None)
    assert len(scan(line.folder, line.folder / "ANSWERS").entries) == 1


@pytest.mark.skipif(os.name == "nt", reason="names are text on Windows")
def test_a_name_that_is_no_text_goes_all_the_way(line: Line) -> None:
    name = os.fsdecode(b"\xff\xfe line\nbreak.png")
    line.put(name, picture(1))
    receiver = Receiver()
    with receiver.serving() as url:
        wishes = Wishes(sort="copy", webhook=url, beside=True, keep_bytes=10**7, keep_rate=1.0)
        assert line.once(wishes) == 0
    (row,) = line.rows()
    assert row["path"] == "\\udcff\\udcfe line\\nbreak.png"
    assert receiver.messages[0]["path"] == row["path"]
    assert (line.out / "sorted" / row["verdict"] / name).read_bytes() == picture(1)
    assert (line.folder / f"{name}.json").is_file()


def test_a_full_disk_of_the_journal_loses_nothing_and_is_said(line: Line) -> None:
    for number in range(40):
        line.put(f"{number:02}.png", picture(number))
    line.once()
    for number in range(40, 400):
        line.put(f"{number:03}.png", picture(number))
    with line.watch(batch=50) as watch:
        journal: Journal = watch._journal
        (pages,) = journal.reader.execute("PRAGMA page_count").fetchone()
        journal.reader.execute(f"PRAGMA max_page_count={pages + 1}")
        watch.turn()
        watch.turn()
        assert "full" in watch.facts()["trouble"]["journal"]
        journal.reader.execute("PRAGMA max_page_count=1000000")
    assert line.once() == 0
    images = [row["image_id"] for row in line.rows()]
    assert len(images) == len(set(images)) == 400
    assert line.status()["watch"]["images"] == 400


def test_an_output_folder_that_may_not_be_written_is_one_sentence(
    line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: Any) -> Any:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(line.out))

    monkeypatch.setattr(folder_lock, "alone_with", refuse)
    with pytest.raises(OSError, match="Read-only"):
        line.once()
    (tmp_path / "no.clipgrip").write_bytes(b"none")
    words = ["watch", str(tmp_path / "no.clipgrip"), str(line.folder), "--out", str(line.out)]
    assert main(words) == 2
    assert "is no bundle of clipgrip" in capsys.readouterr().err


def test_a_journal_that_another_program_holds_is_waited_for(line: Line) -> None:
    line.put("a.png", picture(1))
    with line.watch() as watch:
        watch._journal.reader.execute("PRAGMA busy_timeout=0")
        holding = sqlite3.connect(line.out / "journal.db", isolation_level=None)
        holding.execute("BEGIN IMMEDIATE")
        watch.turn()
        watch.turn()
        assert "locked" in watch.facts()["trouble"]["journal"]
        holding.execute("ROLLBACK")
        holding.close()
    assert line.once() == 0
    assert len(line.rows()) == 1
