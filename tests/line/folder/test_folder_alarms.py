"""The watch runs inside a watched folder: it rings, a broken promise falls, and a restart goes on where it was."""

from __future__ import annotations

import csv
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from folder_fakes import CLASSES, FakeModel, Line, Receiver, identity, picture
from PIL import Image

from clipgrip_line.cli import main
from clipgrip_line.folder import asking
from clipgrip_line.folder.asking import opened
from clipgrip_line.folder.assembly import Wishes
from clipgrip_line.promises import Promise, Scope


def promised(rate: float = 0.05) -> Promise:
    scope = Scope("all", frozenset(range(len(CLASSES))), 0.5, rate)
    return Promise(rate, 0.95, (scope,), "Aki", "2026-11-01T08:00:00+00:00")


def feed(line: Line, first: int, n: int, low: int, high: int) -> list[bytes]:
    """New pictures of a range of brightness."""
    levels = np.random.default_rng(first).integers(low, high, n).tolist()
    data = [picture(first + number, level) for number, level in enumerate(levels)]
    for number, one in enumerate(data):
        line.put(f"{first + number:05}.png", one)
    return data


def darkened(line: Line, wishes: Wishes | None = None, **settings: Any) -> None:
    feed(line, 0, 120, 100, 230)
    line.once(wishes, alpha=0.2, **settings)
    feed(line, 1000, 120, 0, 40)
    line.once(wishes, alpha=0.2, **settings)


def test_darker_pictures_ring_in_a_line_the_status_a_table_and_a_message(tmp_path: Path) -> None:
    line, receiver = Line(tmp_path), Receiver()
    with receiver.serving() as url:
        darkened(line, Wishes(webhook=url))
    assert any(one.startswith("ALARM: ") for one in line.lines)
    watch = line.status()["watch"]
    assert (watch["light"], watch["images"]) == ("alarm", 240)
    assert watch["alarm"]["since"] > 90
    (row,) = line.rows("alarms")
    assert row["event"] == "alarm"
    assert row["what"] == watch["alarm"]["what"]
    (message,) = [one for one in receiver.messages if one["event"] == "alarm"]
    assert message["what"] == row["what"]
    (key,) = {
        headers["Idempotency-Key"]
        for headers, body in receiver.requests
        if json.loads(body)["event"] == "alarm"
    }
    assert key == f"alarm-{row['number']}"
    assert len(line.rows()) == 240, "answers go on"


def test_an_answer_from_another_process_ends_the_alarm_and_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = Line(tmp_path)
    darkened(line)
    assert main(["status", str(line.out)]) == 1
    assert main(["alarms", str(line.out)]) == 1
    assert "RINGS" in capsys.readouterr().out
    words = ["--answer", "normal", "--note", "new lamp", "--by", "Aki"]
    assert main(["alarms", str(line.out), *words]) == 0
    line.once(alpha=0.2)
    assert line.status()["watch"]["light"] == "quiet"
    assert line.lines[-2] == "the alarm was answered"
    assert main(["alarms", str(line.out)]) == 0
    assert "new lamp" in capsys.readouterr().out
    assert main(["alarms", str(line.out), *words]) == 2
    assert "no alarm rings" in capsys.readouterr().err


def test_an_alarm_of_a_version_that_answers_no_more_can_be_answered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = Line(tmp_path)
    darkened(line)
    line.model = FakeModel()
    line.model.version = "fake00000002"
    line.once(alpha=0.2)
    assert main(["alarms", str(line.out), "--answer", "fixed", "--by", "Aki"]) == 0
    line.once(alpha=0.2)
    capsys.readouterr()
    assert main(["alarms", str(line.out)]) == 0
    assert "Aki" in capsys.readouterr().out


def test_an_alarm_keeps_pictures_from_before_and_after_and_writes_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line, folder = Line(tmp_path), tmp_path / "pictures"
    with line.watch(alpha=0.2) as watch:  # pictures come from memory
        for first, low, high in ((0, 100, 230), (1000, 0, 40)):
            feed(line, first, 120, low, high)
            for _ in range(3):
                watch.turn()
    assert main(["alarms", str(line.out), "--images", str(folder)]) == 1
    said = capsys.readouterr().out
    assert "pictures from before and after: 12 and 12, in" in said
    names = sorted(path.name for path in folder.iterdir())
    assert (len(names), names[0]) == (24, "alarm-1-after-01.jpg")
    levels = {name: np.asarray(Image.open(folder / name)).mean() for name in names}
    assert min(level for name, level in levels.items() if "before" in name) > 90
    assert sorted(level for name, level in levels.items() if "after" in name)[10] < 60
    assert main(["--json", "alarms", str(line.out), "--images", str(folder)]) == 1
    (alarm,) = json.loads(capsys.readouterr().out)["alarms"]
    assert alarm["before"] == [name for name in names if "before" in name]


def test_an_alarm_without_pictures_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = Line(tmp_path)
    darkened(line)
    with closing(sqlite3.connect(line.out / "journal.db")) as db, db:
        db.execute("DELETE FROM alarm_picture")
    assert main(["alarms", str(line.out), "--images", str(tmp_path / "pictures")]) == 1
    assert "no pictures of it are kept" in capsys.readouterr().out


def test_with_the_rule_a_person_decides_while_an_alarm_rings(tmp_path: Path) -> None:
    line = Line(tmp_path)
    darkened(line, people_at_alarm=True)
    feed(line, 2000, 5, 0, 10)
    line.once(alpha=0.2, people_at_alarm=True)
    assert {row["verdict"] for row in line.rows()[-5:]} == {"person"}
    feed(line, 3000, 5, 0, 10)
    line.once(alpha=0.2)
    assert {row["verdict"] for row in line.rows()[-5:]} == {"ng"}


def _wealth(line: Line) -> Any:
    from clipgrip_line.trust.packed import read_monitors

    with closing(sqlite3.connect(line.out / "journal.db")) as db:
        (data,) = db.execute("SELECT data FROM monitor").fetchone()
    return read_monitors(data)


def test_a_kill_between_two_savings_changes_no_wealth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = Line(tmp_path / "whole"), Line(tmp_path / "cut")
    for one in (whole, cut):
        feed(one, 0, 60, 100, 230)
    whole.once()
    with cut.watch(batch=7) as watch:
        from clipgrip_line.folder.monitor import Monitor

        with monkeypatch.context() as patch:
            patch.setattr(Monitor, "save", lambda self: None)  # as after a kill
            watch.once()
    assert _wealth(cut).images < 60
    cut.once()
    assert np.array_equal(_wealth(whole).wealth, _wealth(cut).wealth)
    assert _wealth(cut).images == 60


def test_a_copy_of_a_picture_is_bet_on_once(tmp_path: Path) -> None:
    line = Line(tmp_path)
    for number in range(5):
        line.put(f"{number}.png", picture(1))
    line.once()
    assert line.status()["watch"]["images"] == 1


def answered(line: Line, tmp_path: Path, right: bool, capsys: Any) -> None:
    """Ask for what was drawn, fill in the sheet, take it in."""
    sheet = tmp_path / "sheet"
    words = ["answers", str(line.out), "--sheet", str(sheet), "--most", "40"]
    assert main(words) == 0
    table = (sheet / "ask.csv").read_text("utf-8-sig").splitlines()
    assert table[0] == "path,sha256,label"
    truth = {row["image_id"]: row["class"] for row in line.rows()}
    rows = []
    for row in table[1:]:
        path, image, _ = row.split(",")
        assert identity((sheet / path).read_bytes()) == image
        said = truth[image] if right else CLASSES[(CLASSES.index(truth[image]) + 1) % 4]
        rows.append(f"{path};{image};{said}")
    # as a Japanese Excel saves it
    (sheet / "ask.csv").write_bytes("\r\n".join(["path;sha256;label", *rows]).encode("cp932"))
    assert main(["answers", str(line.out), "--import", str(sheet / "ask.csv"), "--by", "Aki"]) == 0
    assert f"{len(rows)} answers taken in" in capsys.readouterr().out


KEEPING = Wishes(keep_bytes=10**8, keep_rate=1.0)


def test_answers_that_refute_a_promise_leave_its_pictures_to_people_at_once_and_after_a_restart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line, receiver = Line(tmp_path, promised()), Receiver()
    feed(line, 0, 40, 0, 250)
    line.once(KEEPING, alpha=0.5)
    assert {row["decided_by"] for row in line.rows()} == {"model"}
    answered(line, tmp_path, False, capsys)
    feed(line, 1000, 3, 0, 250)
    with receiver.serving() as url:
        line.once(Wishes(keep_bytes=10**8, keep_rate=1.0, webhook=url), alpha=0.5)
    assert any("PROMISE WITHDRAWN" in one for one in line.lines)
    (withdrawn,) = [one for one in receiver.messages if one["event"] == "promise_withdrawn"]
    assert withdrawn["wrong"] == withdrawn["answers"] == 40
    feed(line, 2000, 3, 0, 250)
    line.once(alpha=0.5)
    assert {row["verdict"] for row in line.rows()[-3:]} == {"person"}
    status = line.status()["watch"]
    assert status["light"] == "alarm"
    assert status["promises"][0]["withdrawn"]["wrong"] == 40
    capsys.readouterr()
    assert main(["status", str(line.out)]) == 1
    told = capsys.readouterr().out
    assert "a promise of version fake00000001 was withdrawn" in told
    assert "it rings" not in told


def test_right_answers_keep_the_promise_and_go_home_as_labels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = Line(tmp_path, promised())
    feed(line, 0, 30, 0, 250)
    line.once(KEEPING)
    answered(line, tmp_path, True, capsys)
    line.once(KEEPING)
    (promise,) = line.status()["watch"]["promises"]
    assert (promise["withdrawn"], promise["answers"]) == (None, 30)
    words = ["--out", str(tmp_path / "labels.csv"), "--images", str(tmp_path / "new")]
    assert main(["answers", str(line.out), *words]) == 0
    assert (tmp_path / "labels.csv").read_text("utf-8").count(",Aki,") == 30
    assert len(list((tmp_path / "new").iterdir())) == 30
    assert main(["answers", str(line.out), "--sheet", str(tmp_path / "again")]) == 0
    assert "nothing to ask" in capsys.readouterr().out
    assert not (tmp_path / "again").exists()


def _table(line: Line, tmp_path: Path, *rows: str) -> list[str]:
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["sha256,label", *rows]), "utf-8")
    return ["answers", str(line.out), "--import", str(path), "--by", "Aki"]


def test_a_table_is_taken_in_whole_or_not_at_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = Line(tmp_path)
    data = feed(line, 0, 3, 200, 250)
    line.once(KEEPING)
    images = [identity(one) for one in data]
    assert main(_table(line, tmp_path, f"{images[0]},good", f"{images[1]},scrach")) == 2
    assert "line 3: no class scrach" in (said := capsys.readouterr().err)
    assert 'Did you mean "scratch"' in said
    assert main(_table(line, tmp_path, "abc,good")) == 2
    assert "no SHA-256" in capsys.readouterr().err
    rows = [f"{images[0]},good", f"{images[1]},", f"{'0' * 64},good"]
    assert main([*_table(line, tmp_path, *rows), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"kept": 1, "again": 0, "empty": 1, "foreign": 1}
    emptied = [",", " ,", ",,,"]  # lines that a person emptied, as Excel saves them
    assert main([*_table(line, tmp_path, rows[0], *emptied), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["again"] == 1
    assert main(_table(line, tmp_path, f"{images[0]},dent")) == 0
    with closing(opened(line.out)) as journal:
        stands = journal.reader.execute("SELECT class FROM said WHERE undone=0").fetchall()
    assert stands == [("dent",)]


@pytest.mark.parametrize("longest_cell", [1 << 17, 1 << 30])
def test_a_table_that_cannot_be_read_is_a_sentence(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    longest_cell: int,
) -> None:
    """Also where the same process allows longer cells than Python does by itself."""
    before = csv.field_size_limit(longest_cell)
    try:
        _refused(tmp_path, capsys, monkeypatch)
    finally:
        csv.field_size_limit(before)


def _refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    line = Line(tmp_path)
    feed(line, 0, 1, 200, 250)
    line.once()
    assert main(_table(line, tmp_path, '"' + "x" * 200_000)) == 2
    assert "is no table that can be read" in capsys.readouterr().err
    monkeypatch.setattr(asking, "MOST_BYTES", 1 << 20)
    assert main(_table(line, tmp_path, "x" * (1 << 21))) == 2
    assert "larger than 1 MiB" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["answers", str(line.out), "--sheet", str(tmp_path / "s"), "--most", "0"])


def test_a_watch_that_cannot_look_stops_no_answer_and_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clipgrip_line.monitoring.watching import Watching

    def broken(self: Watching) -> bool:
        raise ZeroDivisionError("a fault")

    line = Line(tmp_path)
    feed(line, 0, 10, 100, 200)
    with monkeypatch.context() as patch:
        patch.setattr(Watching, "look", broken)
        line.once()
    assert len(line.rows()) == 10
    assert "ZeroDivisionError: a fault" in line.status()["trouble"]["watch"]
    line.once()
    assert line.status()["watch"]["images"] == 10


def test_another_version_takes_the_next_place_of_the_budget(tmp_path: Path) -> None:
    line = Line(tmp_path)
    feed(line, 0, 10, 100, 200)
    line.once()
    line.model = FakeModel()
    line.model.version = "fake00000002"
    feed(line, 1000, 10, 100, 200)
    line.once()
    with closing(opened(line.out)) as journal:
        rows = journal.reader.execute("SELECT version, period FROM monitor ORDER BY 1").fetchall()
    assert rows == [("fake00000001", 1), ("fake00000002", 2)]
    assert line.status()["watch"]["images"] == 10
