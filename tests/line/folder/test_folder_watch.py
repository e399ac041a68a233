"""Each picture is answered once, by its content, whatever names, writers and clocks do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from folder_fakes import Clock, Line, identity, picture

from clipgrip_line.errors import LineError
from clipgrip_line.folder.assembly import Wishes


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return Line(tmp_path)


def test_a_picture_gets_a_line_a_json_and_its_lot(line: Line) -> None:
    line.put("lot7/a.png", picture(1, 200))
    assert line.once() == 0
    row = line.rows()[0]
    assert (row["number"], row["lot"], row["path"]) == ("1", "lot7", "lot7/a.png")
    assert (row["class"], row["verdict"], row["decided_by"]) == ("good", "ok", "model")
    assert row["image_id"] == identity(picture(1, 200))
    said = line.json("lot7/a.png")
    assert (said["class"], said["verdict"], said["lot"]) == ("good", "ok", "lot7")
    assert said["version"] == line.model.version
    status = line.status()
    assert (status["answered"], status["state"], status["files_waiting"]) == (1, "done", 0)
    assert status["last"]["path"] == "lot7/a.png"


def test_what_was_answered_is_not_answered_again_after_a_restart(line: Line) -> None:
    line.put("a.png", picture(1))
    line.once()
    line.once()
    assert len(line.model.asked) == len(line.rows()) == 1


def test_a_file_that_grows_waits_until_two_looks_show_it_alike(line: Line) -> None:
    data = picture(3)
    file = line.put("a.png", data[:100])
    clock = Clock()
    with line.watch(now=clock, give_up=60.0) as watch:
        watch.turn()
        file.write_bytes(data[:200])
        watch.turn()
        file.write_bytes(data)
        watch.turn()
        assert line.model.asked == []
        watch.turn()
    assert line.model.asked == [identity(data)]


def test_a_writer_that_pauses_is_waited_for_and_nothing_is_refused(line: Line) -> None:
    data = picture(3)
    file = line.put("a.png", data[:100])
    clock = Clock()
    with line.watch(now=clock, give_up=60.0, poll=1.0) as watch:
        for _ in range(5):
            watch.turn()
            clock.at += 5
        file.write_bytes(data)
        for _ in range(3):
            watch.turn()
            clock.at += 5
    assert len(line.rows()) == 1
    assert line.rows("issues") == []


def test_what_never_decodes_is_listed_once_with_its_reason_and_left_alone(line: Line) -> None:
    line.put("lot/broken.png", picture(1)[:-40])
    clock = Clock()
    with line.watch(now=clock, give_up=60.0, poll=1.0) as watch:
        for _ in range(40):
            watch.turn()
            clock.at += 5
    issues = line.rows("issues")
    assert [(row["path"], row["lot"]) for row in issues] == [("lot/broken.png", "lot")]
    assert "not an image" in issues[0]["reason"]
    assert any("lot/broken.png" in one for one in line.lines)
    assert line.json("lot/broken.png")["reason"] == issues[0]["reason"]
    line.once()
    assert len(line.rows("issues")) == 1


def test_a_refused_file_that_is_written_anew_is_answered(line: Line) -> None:
    line.put("a.png", b"no picture at all")
    line.once()
    assert line.rows() == []
    line.put("a.png", picture(1))
    line.once()
    assert [row["path"] for row in line.rows()] == ["a.png"]


def test_an_empty_file_is_listed(line: Line) -> None:
    line.put("a.png", b"")
    line.once()
    assert line.rows("issues")[0]["reason"] == "an empty file"


def test_a_name_with_other_content_is_answered_again_and_its_newest_answer_stays(
    line: Line,
) -> None:
    line.put("a.png", picture(1, 10))
    line.once()
    line.put("a.png", picture(2, 220))
    line.once()
    assert [row["verdict"] for row in line.rows()] == ["ng", "ok"]
    assert line.json("a.png")["verdict"] == "ok"


def test_the_same_content_under_another_name_is_one_answer(line: Line) -> None:
    line.put("a.png", picture(1))
    line.put("b.png", picture(1))
    line.once()
    line.put("lot/c.png", picture(1))
    line.once()
    assert len(line.model.asked) == len(line.rows()) == 1
    assert line.json("lot/c.png")["image_id"] == line.json("b.png")["image_id"]
    assert line.status()["repeated"] == 2


def test_times_of_files_in_past_and_future_change_nothing(line: Line) -> None:
    for number, moment in enumerate((0, 2_000_000_000, 4_000_000_000)):
        file = line.put(f"{number}.png", picture(number))
        os.utime(file, (moment, moment))
    line.once()
    assert len(line.rows()) == 3


def test_a_share_that_goes_and_comes_back_is_waited_for(line: Line, tmp_path: Path) -> None:
    line.put("a.png", picture(1))
    with line.watch() as watch:
        watch.turn()
        watch.turn()
        line.folder.rename(tmp_path / "away")
        watch.turn()
        watch.turn()
        assert watch.facts()["trouble"]["folder"]
        (tmp_path / "away").rename(line.folder)
        line.put("b.png", picture(2))
        for _ in range(3):
            watch.turn()
        assert watch.facts()["trouble"] == {}
    assert len(line.rows()) == 2
    assert len(line.model.asked) == 2
    assert sum("folder" in one for one in line.lines) == 2


@pytest.mark.skipif(os.name == "nt", reason="links need a right on Windows")
def test_a_link_in_a_circle_is_said_and_stops_no_other_picture(line: Line) -> None:
    line.put("a.png", picture(1))
    (line.folder / "circle.png").symlink_to("circle.png")
    with line.watch() as watch:
        for _ in range(3):
            watch.turn()
        assert "circle.png" in watch.facts()["trouble"]["folder"]
        (line.folder / "circle.png").unlink()
        watch.turn()
        assert watch.facts()["trouble"] == {}
    assert [row["path"] for row in line.rows()] == ["a.png"]


def test_a_folder_that_is_not_there_at_the_start_is_an_error(line: Line) -> None:
    line.folder.rmdir()
    with pytest.raises(LineError, match="no folder, or its share is not there"):
        line.once()


def test_hidden_unfinished_and_own_files_are_no_pictures(line: Line) -> None:
    for name in (
        ".hidden.png",
        "a.png.tmp",
        "a.part",
        "Thumbs.db",
        "a.json",
        "note.txt",
        ".d/x.png",
    ):
        line.put(name, picture(1))
    line.once()
    assert line.rows() == line.rows("issues") == []


def test_output_below_the_watched_folder_is_not_read_as_pictures(tmp_path: Path) -> None:
    line = Line(tmp_path)
    line.out = line.folder / "answers"
    line.put("a.png", picture(1))
    for _ in range(2):
        line.once(Wishes(sort="copy", keep_bytes=10**7))
    assert line.status()["answered"] == 1
    assert line.status()["repeated"] == 0


@pytest.mark.parametrize("below", ["", "sorted", "json/x"])
def test_a_watched_folder_inside_what_is_written_is_refused(tmp_path: Path, below: str) -> None:
    line = Line(tmp_path)
    line.folder = line.out / below
    line.folder.mkdir(parents=True)
    with pytest.raises(LineError, match="holds the watched folder"):
        line.once()


def test_a_second_watch_on_the_same_output_is_refused_with_the_process(line: Line) -> None:
    with line.watch(), pytest.raises(LineError, match=str(os.getpid())):
        line.once()


def test_another_folder_with_equal_names_and_times_is_read_anew(line: Line, tmp_path: Path) -> None:
    os.utime(line.put("a.png", picture(1, 50)), (5, 5))
    line.once()
    line.folder = tmp_path / "in2"
    same_size = picture(1, 50)[:-1] + b"\0"
    os.utime(line.put("a.png", same_size), (5, 5))
    line.once()
    assert line.status()["answered"] + line.status()["refused"] == 2


def test_a_picture_at_which_the_model_fails_is_listed_and_the_others_are_answered(
    line: Line,
) -> None:
    for number in range(5):
        line.put(f"{number}.png", picture(number))
    line.model.fails_at = {identity(picture(2))}
    line.once()
    assert len(line.rows()) == 4
    assert "the engine fell over" in line.rows("issues")[0]["reason"]


def test_names_of_every_kind_are_one_line_each(line: Line) -> None:
    names = ["a\nb.png", '"q".png', "=1+1.png", "日本 語.png", "a,b.png", "🙂.png"]
    for number, name in enumerate(names):
        line.put(name, picture(number))
    raw = os.path.join(os.fsencode(line.folder), b"\xff\xfe.png")
    with open(raw, "wb") as file:
        file.write(picture(99))
    line.once()
    rows = line.rows()
    assert len(rows) == len(names) + 1
    assert {"日本 語.png", "a\\nb.png", "'=1+1.png"} <= {row["path"] for row in rows}
    text = next(line.out.glob("answers-*.csv")).read_bytes()
    assert text.count(b"\n") == text.count(b"\r\n") == len(rows) + 1


def test_the_tables_are_one_a_day(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    import clipgrip_line.folder.watch as module

    class Day(module.datetime):  # type: ignore[name-defined,misc]
        day = 1

        @classmethod
        def now(cls, tz: object = None) -> Day:
            return cls(2026, 12, cls.day)

    monkeypatch.setattr(module, "datetime", Day)
    for day in (1, 2, 1):  # the clock jumps back
        Day.day = day
        line.put(f"{len(line.model.asked)}.png", picture(len(line.model.asked)))
        line.once()
    found = {path.name: path.read_text("utf-8-sig").count("\n") for path in line.out.glob("*.csv")}
    assert found == {"answers-2026-12-01.csv": 3, "answers-2026-12-02.csv": 2}
    assert sorted(int(row["number"]) for row in line.rows()) == [1, 2, 3]


def test_a_stop_finishes_the_batch_and_says_what_is_left(line: Line) -> None:
    for number in range(20):
        line.put(f"{number:02}.png", picture(number))
    with line.watch(batch=4) as watch:
        answer = line.model.embed

        def stopping(images: object) -> object:
            watch.stop.set()
            return answer(images)  # type: ignore[arg-type]

        line.model.embed = stopping  # type: ignore[method-assign,assignment]
        watch.once()
        assert watch.left() == 16
    assert len(line.rows()) == 4
    assert "16 files" in line.lines[-1]
    del line.model.embed
    line.once()
    assert len(line.rows()) == len(set(line.model.asked)) == len(line.model.asked) == 20
