"""The journal stays small, and still answers every content once."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from folder_fakes import Line, Receiver, identity, picture

from clipgrip_line.folder import beside, compaction, journal
from clipgrip_line.folder.asking import opened
from clipgrip_line.folder.assembly import Wishes
from clipgrip_line.folder.schema import MIGRATIONS
from clipgrip_line.monitoring.tables import migrate


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is old after 10 files already."""
    monkeypatch.setattr(journal, "COMPACTED", 1)
    for name, value in (("WHOLE", 10), ("AT_ONCE", 25), ("PATHS", 5), ("SEEN", 15)):
        monkeypatch.setattr(compaction, name, value)


def rows(line: Line, table: str) -> int:
    with closing(sqlite3.connect(line.out / "journal.db")) as db:
        return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def put(line: Line, first: int, n: int) -> None:
    for number in range(first, first + n):
        line.put(f"lot/{number:03}.png", picture(number))


@pytest.mark.usefixtures("soon")
def test_of_old_answers_a_short_line_stays_and_counts_go_on(tmp_path: Path) -> None:
    line = Line(tmp_path)
    for first in range(0, 60, 10):
        put(line, first, 10)
        line.once(batch=4)
    for _ in range(3):
        line.once()
    assert rows(line, "items") == rows(line, "answers") == 10
    assert rows(line, "known") == 50
    assert rows(line, "seen") <= 15 + 10
    status = line.status()
    assert (status["answered"], status["watch"]["images"]) == (60, 60)
    assert sum(status["verdicts"].values()) == 60
    assert len(line.rows()) == 60


def test_a_drawn_picture_that_a_person_answered_is_not_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "SEEN", 3)
    with closing(sqlite3.connect(tmp_path / "j.db", isolation_level=None)) as db:
        migrate(db, MIGRATIONS)
        for number in range(6):
            values = (number, f"{number}", "all", "good", 0.9, "v")
            db.execute("INSERT INTO drawn VALUES(?,?,?,?,?,?)", values)
        db.execute(
            "INSERT INTO said(token, image, class, by, at, why, name, predicted, confidence, version) "
            "VALUES('t', '1', 'dent', '', '', 'audit', 'all', 'good', 0.9, 'v')"
        )
        compaction._forget_watched(db)
        assert db.execute("SELECT number FROM drawn ORDER BY 1").fetchall() == [
            (1,),
            (3,),
            (4,),
            (5,),
        ]


def test_who_only_reads_writes_nothing_into_a_journal(tmp_path: Path) -> None:
    line = Line(tmp_path)
    put(line, 0, 1)
    line.once()
    with closing(sqlite3.connect(line.out / "journal.db")) as db:
        before = db.execute("PRAGMA data_version").fetchone()
        opened(line.out).close()
        assert db.execute("PRAGMA data_version").fetchone() == before


@pytest.mark.usefixtures("soon")
def test_an_old_content_under_another_name_is_no_second_answer_and_gets_its_json(
    tmp_path: Path,
) -> None:
    line, receiver = Line(tmp_path), Receiver()
    put(line, 0, 40)
    line.once()
    line.once()
    before = line.json("lot/003.png")
    assert rows(line, "known") > 20
    line.put("again.png", picture(3))
    with receiver.serving() as url:
        assert line.once(Wishes(sort="copy", webhook=url)) == 0
    assert receiver.messages == []
    assert len(line.rows()) == len(line.model.asked) == 40
    said = line.json("again.png")
    for key in ("class", "verdict", "decided_by", "version", "image_id"):
        assert said[key] == before[key]
    assert said["confidence"] == pytest.approx(before["confidence"], abs=1e-4)
    assert said["top"] == [{"class": said["class"], "confidence": said["confidence"]}]
    place = line.out / "sorted" / said["verdict"] / "again.png"
    assert identity(place.read_bytes()) == said["image_id"]


@pytest.mark.usefixtures("soon")
def test_what_is_owed_or_a_dead_letter_is_kept_whole(tmp_path: Path) -> None:
    line, receiver = Line(tmp_path), Receiver()
    away = Wishes(webhook="http://127.0.0.1:9/")
    put(line, 0, 40)
    line.once(away, spool=30, patience=0.0)
    for _ in range(5):
        line.once(away, spool=30, patience=0.0)
    channel = line.status()["channels"]["webhook"]
    assert (channel["waiting"], channel["dead"]) == (30, 10)
    assert rows(line, "items") == 40
    with receiver.serving() as url:
        line.once(Wishes(webhook=url, revive=True), patience=5.0)
    assert len({one["image_id"] for one in receiver.messages}) == 40
    for _ in range(5):
        line.once()
    assert rows(line, "items") == 10


@pytest.mark.usefixtures("soon")
def test_of_dead_letters_the_oldest_beyond_the_spool_are_forgotten(tmp_path: Path) -> None:
    line = Line(tmp_path)
    away = Wishes(webhook="http://127.0.0.1:9/")
    for first in range(0, 50, 10):
        put(line, first, 10)
        line.once(away, spool=10, patience=0.0)
    channel = line.status()["channels"]["webhook"]
    assert (channel["waiting"], channel["dead"]) == (10, 10)
    assert any("forgotten" in one for one in line.lines)


@pytest.mark.usefixtures("soon")
def test_paths_that_are_gone_are_forgotten_and_those_that_are_there_are_not_read_again(
    tmp_path: Path,
) -> None:
    line = Line(tmp_path)
    put(line, 0, 30)
    line.once()
    for number in range(20):
        (line.folder / f"lot/{number:03}.png").unlink()
    put(line, 30, 5)
    line.once()
    for _ in range(6):
        line.once()
    assert rows(line, "files") == 15 + 5
    put(line, 0, 30)
    line.once()
    assert len(line.rows()) == len(line.model.asked) == 35


def test_a_journal_of_the_version_before_is_taken_over(tmp_path: Path) -> None:
    line = Line(tmp_path)
    line.out.mkdir()
    data = picture(1)
    image = bytes.fromhex(identity(data))
    with closing(sqlite3.connect(line.out / "journal.db")) as db:
        db.executescript(MIGRATIONS[0])
        content = '{"class": "good", "verdict": "ok", "confidence": 1.0}'
        db.execute("INSERT INTO answers VALUES(?, 'ok', ?)", (image, content))
        values = (b"old.png", 1, 1, "2026-11-01T00:00:00+00:00", "answer", image, None)
        db.execute(
            "INSERT INTO items(path, size, mtime, at, kind, image, reason) VALUES(?,?,?,?,?,?,?)",
            values,
        )
        db.execute("PRAGMA user_version=1")
        db.commit()
    line.put("a.png", data)
    line.put("b.png", picture(2))
    line.once()
    assert [row["path"] for row in line.rows()] == ["b.png"]
    assert (line.status()["answered"], line.status()["repeated"]) == (2, 1)


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
def test_a_journal_of_every_earlier_version_gets_the_newest_tables(
    tmp_path: Path, version: int
) -> None:
    line = Line(tmp_path)
    line.out.mkdir()
    with closing(sqlite3.connect(line.out / "journal.db")) as db:
        for script in MIGRATIONS[:version]:
            db.executescript(script)
        db.execute(f"PRAGMA user_version={version}")
        db.commit()
    line.put("a.png", picture(1))
    assert line.once() == 0
    assert (rows(line, "items"), rows(line, "alarm_picture")) == (1, 0)


def test_a_journal_of_a_newer_version_is_left_as_it_is(tmp_path: Path) -> None:
    line = Line(tmp_path)
    line.out.mkdir()
    with closing(sqlite3.connect(line.out / "journal.db")) as db:
        db.execute(f"PRAGMA user_version={len(MIGRATIONS) + 1}")
        db.commit()
    with pytest.raises(journal.LineError, match="newer clipgrip-line"):
        line.once()


@pytest.mark.usefixtures("soon")
def test_jsons_that_a_share_refuses_wait_within_the_spool_and_come_when_it_may_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = Line(tmp_path)
    wishes = Wishes(beside=True)
    real = beside.write_bytes_atomic

    def refusing(path: Path, data: bytes) -> None:
        if path.is_relative_to(line.folder):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        real(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(beside, "write_bytes_atomic", refusing)
        for first in range(0, 40, 10):
            put(line, first, 10)
            line.once(wishes, spool=15)
    channel = line.status()["channels"]["beside"]
    assert (channel["waiting"], channel["dead"]) == (15, 15)
    assert "Read-only" in channel["trouble"]
    assert len(line.rows()) == 40, "the table is never given up"
    assert line.once(Wishes(beside=True, revive=True), spool=15) == 0
    assert len(list(line.folder.rglob("*.json"))) == 30
