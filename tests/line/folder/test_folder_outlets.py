"""Where answers go besides: sorted copies, kept pictures, files beside pictures; and what a full disk leaves."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from folder_fakes import Clock, Line, identity, picture

import clipgrip_line.folder.sorting as sorting
from clipgrip_line.folder import lines as lines_module
from clipgrip_line.folder import recording
from clipgrip_line.folder.assembly import Wishes
from clipgrip_line.folder.lines import Lines

DARK, BRIGHT, MIDDLE = picture(1, 10), picture(2, 220), picture(3, 120)


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return Line(tmp_path)


def sorted_files(line: Line) -> dict[str, bytes]:
    place = line.out / "sorted"
    return {
        path.relative_to(place).as_posix(): path.read_bytes()
        for path in place.rglob("*")
        if path.is_file()
    }


def bring(line: Line) -> None:
    line.put("lot/dark.png", DARK)
    line.put("lot/bright.png", BRIGHT)
    line.put("middle.png", MIDDLE)


WHERE = {"ng/lot/dark.png": DARK, "ok/lot/bright.png": BRIGHT, "person/middle.png": MIDDLE}


@pytest.mark.parametrize("how", ["copy", "link"])
def test_pictures_are_sorted_and_the_originals_stay(line: Line, how: Any) -> None:
    bring(line)
    line.once(Wishes(sort=how))
    assert sorted_files(line) == WHERE
    assert len([path for path in line.folder.rglob("*") if path.is_file()]) == 3
    same = os.path.samefile(line.folder / "middle.png", line.out / "sorted/person/middle.png")
    assert same == (how == "link")


def test_where_links_are_not_possible_copies_are_made(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(line)
    monkeypatch.setattr(sorting.os, "link", _refusing(errno.EXDEV))
    line.once(Wishes(sort="link"))
    assert sorted_files(line) == WHERE


def test_originals_are_moved_only_when_asked_and_arrive_whole(line: Line) -> None:
    bring(line)
    line.once(Wishes(sort="move"))
    assert sorted_files(line) == WHERE
    assert [path for path in line.folder.rglob("*") if path.is_file()] == []


def test_a_picture_that_comes_again_is_moved_again(line: Line) -> None:
    for _ in range(2):
        line.put("a.png", DARK)
        line.once(Wishes(sort="move"))
        assert not (line.folder / "a.png").exists()
    assert sorted_files(line) == {"ng/a.png": DARK}


def test_an_original_stays_where_its_copy_cannot_be_read_back(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    line.put("a.png", DARK)
    monkeypatch.setattr(sorting, "_holds", lambda *_: False)
    line.once(Wishes(sort="move"))
    assert (line.folder / "a.png").read_bytes() == DARK


def test_an_original_that_was_written_anew_meanwhile_stays(line: Line) -> None:
    file = line.put("a.png", DARK)
    with line.watch(Wishes(sort="move")) as watch:
        watch.turn()
        answer = line.model.embed

        def late(images: Any) -> Any:
            file.write_bytes(BRIGHT)
            return answer(images)

        line.model.embed = late  # type: ignore[method-assign]
        watch.turn()
        assert file.read_bytes() == BRIGHT
        line.model.embed = answer  # type: ignore[method-assign]
        for _ in range(3):
            watch.turn()
    assert sorted_files(line) == {"ng/a.png": DARK, "ok/a.png": BRIGHT}


def test_another_picture_of_the_same_name_gets_its_hash_in_the_sorted_name(line: Line) -> None:
    first, second = picture(1, 10), picture(2, 12)
    line.put("a.png", first)
    line.once(Wishes(sort="copy"))
    line.put("a.png", second)
    line.once(Wishes(sort="copy"))
    assert sorted_files(line) == {
        "ng/a.png": first,
        f"ng/a-{identity(second)[:12]}.png": second,
    }


def test_json_lies_beside_the_picture_where_asked(line: Line) -> None:
    bring(line)
    line.once(Wishes(beside=True))
    beside = {path.name for path in line.folder.rglob("*.json")}
    assert beside == {"dark.png.json", "bright.png.json", "middle.png.json"}
    line.once(Wishes(beside=True))
    assert line.status()["answered"] == 3


def test_a_name_too_long_for_its_json_becomes_a_dead_letter_and_holds_nothing_up(
    line: Line,
) -> None:
    line.put("a" * 251 + ".png", DARK)
    line.put("b.png", BRIGHT)
    line.once()
    assert len(line.rows()) == 2
    assert line.json("b.png")["verdict"] == "ok"
    assert line.status()["channels"]["json"]["dead"] == 1


def test_a_torn_last_line_is_mended_and_its_answer_written_whole(line: Line) -> None:
    for number in range(3):
        line.put(f"{number}.png", picture(number))
    line.once()
    table = next(line.out.glob("answers-*.csv"))
    whole = table.read_bytes()
    with sqlite3.connect(line.out / "journal.db") as db:
        db.execute("INSERT INTO waiting VALUES('answers', 3)")
    db.close()
    for cut in (1, 2, 30, len(whole.splitlines(keepends=True)[-1])):
        table.write_bytes(whole[:-cut])
        line.once()
        assert table.read_bytes() == whole
        with sqlite3.connect(line.out / "journal.db") as db:
            db.execute("INSERT OR IGNORE INTO waiting VALUES('answers', 3)")
        db.close()
    table.write_bytes(whole[:-30] + bytes(4096))
    line.once()
    assert table.read_bytes() == whole


def test_every_cut_of_a_table_leaves_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    Lines(path, ("number", "x")).add([(1, ("a",)), (2, ("b",))])
    whole = path.read_bytes()
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        lines = Lines(path, ("number", "x"))
        lines.add([(1, ("a",)), (2, ("b",))])
        assert path.read_bytes() == whole


def test_a_persons_file_of_the_same_name_stays(line: Line) -> None:
    from datetime import date

    theirs = line.out / f"answers-{date.today().isoformat()}.csv"
    line.out.mkdir()
    theirs.write_text("my own notes\n")
    line.put("a.png", DARK)
    line.once()
    assert theirs.read_text() == "my own notes\n"
    assert theirs.with_name(f"{theirs.stem}-2.csv").is_file()


def _refusing(code: int) -> Any:
    def refused(*_: Any, **__: Any) -> Any:
        raise OSError(code, os.strerror(code))

    return refused


def test_a_full_disk_under_the_tables_loses_no_line(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(line)
    with monkeypatch.context() as patch:
        patch.setattr(lines_module.os, "fsync", _refusing(errno.ENOSPC))
        assert line.once() > 0
    assert line.rows() == []
    assert any("CSV: No space left" in one for one in line.lines)
    assert line.once() == 0
    assert len(line.rows()) == 3
    assert len(line.model.asked) == 3


def test_a_full_disk_under_the_journal_leaves_pictures_unanswered_until_there_is_room(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(line)
    clock = Clock()
    with line.watch(now=clock) as watch:
        watch.turn()
        full = sqlite3.OperationalError("database or disk is full")
        with monkeypatch.context() as patch:
            patch.setattr(recording, "record", _raising(full))
            watch.turn()
            assert watch.facts()["trouble"] == {"journal": "database or disk is full"}
            assert watch.left() == 3
        clock.at += 60
        watch.turn()
        assert watch.facts()["trouble"] == {}
    assert len(line.rows()) == 3
    assert any("journal: works again" in one for one in line.lines)


def _raising(error: Exception) -> Any:
    def raised(*_: Any) -> Any:
        raise error

    return raised


def test_a_full_disk_under_the_sorted_copies_is_tried_again(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(line)
    with monkeypatch.context() as patch:
        patch.setattr(sorting, "write_bytes_once", _refusing(errno.ENOSPC))
        assert line.once(Wishes(sort="copy")) == 3
    assert sorted_files(line) == {}
    assert len(line.rows()) == 3
    assert line.once(Wishes(sort="copy")) == 0
    assert sorted_files(line) == WHERE


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="mounts a small disk: root only")
def test_a_disk_that_is_really_full_loses_nothing(tmp_path: Path) -> None:
    import subprocess

    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=450k", "tmpfs", str(small)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let us mount a small disk")
    try:
        line = Line(tmp_path)
        line.out = small / "out"
        for number in range(40):
            line.put(f"{number:02}.png", picture(number))
        (small / "ballast").write_bytes(bytes(180_000))
        assert line.once(Wishes(sort="copy")) > 0
        assert any("full" in one or "No space" in one for one in line.lines)
        (small / "ballast").unlink()
        subprocess.run([*mount[:4], "remount,size=8m", str(small)], check=True)
        assert line.once(Wishes(sort="copy")) == 0
        numbers = [int(row["number"]) for row in line.rows()]
        assert len(numbers) == len(set(numbers)) == 40
        assert len(sorted_files(line)) == 40
        assert len({row["image_id"] for row in line.rows()}) == 40
    finally:
        # lazily, as a failure above leaves the journal open, which would keep the disk mounted
        subprocess.run(["umount", "--lazy", str(small)], check=True)
