"""What is kept for the next round, how much room it takes, and how it is carried there."""

from __future__ import annotations

import csv
import json
import sqlite3
import zipfile
from pathlib import Path

import pytest
from folder_fakes import Line, identity, picture

from clipgrip.data.classes import ClassNames
from clipgrip.data.ingest import ingest
from clipgrip_line.cli import main
from clipgrip_line.errors import LineError
from clipgrip_line.folder.assembly import Wishes
from clipgrip_line.folder.collecting import TABLE, chosen, least_budget
from clipgrip_line.folder.journal import Journal
from clipgrip_line.folder.samples import FOLDER, NAME, SamplePicture, Samples, is_drawn


@pytest.fixture
def line(tmp_path: Path) -> Line:
    line = Line(tmp_path)
    for number in range(60):
        line.put(f"lot{number % 3}/{number:02}.png", picture(number))
    return line


def watched(line: Line, rate: float = 0.2, size: int = 10**6) -> None:
    line.once(Wishes(keep_bytes=size, keep_rate=rate))


def test_what_is_drawn_depends_on_the_content_alone_and_is_the_share_asked_for() -> None:
    names = [identity(str(n).encode()) for n in range(20_000)]
    share = sum(is_drawn(name, 0.05) for name in names) / len(names)
    assert share == pytest.approx(0.05, abs=0.005)
    assert [is_drawn(names[0], 1.0), is_drawn(names[0], 0.0)] == [True, False]
    assert all(is_drawn(name, 0.2) for name in names if is_drawn(name, 0.1))


def test_the_least_confident_of_late_are_kept_as_doubtful(tmp_path: Path) -> None:
    store = Samples(tmp_path / "samples", 10**6, rate=0.1)
    names = [name for n in range(400) if not is_drawn(name := identity(str(n).encode()), 0.1)]
    for name in names[:100]:
        store.why(name, 0.9)
    assert store.why(names[100], 0.3) == "doubtful"
    assert store.why(names[101], 0.95) is None
    store.close()


def test_pictures_that_come_together_are_stored_together_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Samples(tmp_path / "samples", 10**6)
    pictures = [
        SamplePicture("random", f"{n}.png", bytes([n]) * 9, {"image_id": identity(bytes([n]) * 9)})
        for n in range(5)
    ]
    broken = SamplePicture("random", "x.png", b"x", {"image_id": identity(b"x"), "bad": object()})
    with pytest.raises(TypeError):
        store.keep([*pictures, broken])
    assert (store.images(), store.size()) == ([], 0)
    assert list((tmp_path / "samples").glob("*.png")) == []
    store.keep([*pictures, *pictures])
    assert [store.read(one) for one in store.images()] == [one.data for one in pictures]
    store.close()
    again = Samples(tmp_path / "samples", 100)
    again.keep([SamplePicture("random", "new.png", b"n" * 40, {"image_id": identity(b"n" * 40)})])
    assert again.size() <= 50, "what was kept before counts"
    again.close()


def test_the_store_stays_within_its_budget_and_the_oldest_go_first(tmp_path: Path) -> None:
    store = Samples(tmp_path / "samples", 2000, share=0.5)
    for number in range(10):
        data = bytes([number]) * 300
        store.keep([SamplePicture("random", f"{number}.png", data, {"image_id": identity(data)})])
    assert store.size() <= 1000
    assert [one.file.partition("-")[2] for one in store.images()] == ["7.png", "8.png", "9.png"]
    assert len(list((tmp_path / "samples").glob("*.png"))) == 3
    store.collected(store.images()[2:])
    data = b"new" * 100
    store.keep([SamplePicture("random", "new.png", data, {"image_id": identity(data)})])
    left = [one.file.partition("-")[2] for one in store.images()]
    assert left == ["7.png", "8.png", "new.png"]
    store.close()


def test_a_picture_that_made_room_and_came_again_with_others_has_its_file(tmp_path: Path) -> None:
    store = Samples(tmp_path / "samples", 200, share=0.5)

    def kept(letter: bytes) -> SamplePicture:
        data = letter * 60
        return SamplePicture("random", "a.png", data, {"image_id": identity(data)})

    store.keep([kept(b"a")])
    store.keep([kept(b"b"), kept(b"a")])
    (left,) = store.images()
    assert store.read(left) == b"a" * 60
    assert len(list(store.folder.glob("*.png"))) == 1
    store.close()


def test_a_list_that_is_damaged_is_named_and_what_to_do(
    line: Line, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    watched(line)
    (line.out / FOLDER / NAME).write_bytes(b"no database, but as long as one is" * 200)
    with pytest.raises(LineError, match=r"kept pictures in .*samples cannot be used: .*move that"):
        line.once(Wishes(keep_bytes=10**6, keep_rate=1.0))
    assert main(["collect", str(line.out), "--out", str(tmp_path / "x.zip"), "--lang", "ja"]) == 2
    assert "保管画像の一覧を使えません" in capsys.readouterr().err


def test_files_that_a_kill_left_without_their_line_go_and_a_persons_stay(tmp_path: Path) -> None:
    store = Samples(tmp_path / "samples", 2000)
    (store.folder / "0123456789ab-stray.png").write_bytes(b"x")
    (store.folder / "mine.png").write_bytes(b"x")
    (store.folder / "0123456789ab-no-file").mkdir()  # what cannot be taken away stays
    store.tidy()
    store.close()
    assert {path.name for path in store.folder.glob("*.png")} == {"mine.png"}


def test_a_collected_archive_is_read_by_clipgrip(
    line: Line, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    watched(line)
    archive = tmp_path / "lot.zip"
    assert main(["collect", str(line.out), "--out", str(archive)]) == 0
    said = capsys.readouterr().out
    assert "clipgrip labels suggest lot/collected.csv" in said
    place = tmp_path / "lot"
    with zipfile.ZipFile(archive) as one:
        one.extractall(place)
    found = ingest(place / TABLE, classes=ClassNames(("good", "scratch"), ("good", "scratch")))
    images = list((place / "images").iterdir())
    assert len(found.manifest.rows) == len(images) > 5
    assert found.issues == ()
    assert all(row.label == -1 for row in found.manifest.rows)
    rows = (place / TABLE).read_text("utf-8-sig").splitlines()
    assert len(rows) == len(images) + 1
    assert {row.split(",")[1] for row in rows[1:]} == {"random", "doubtful"}


def test_a_second_collect_brings_only_what_is_new(line: Line, tmp_path: Path) -> None:
    watched(line)
    first, second, third = (tmp_path / f"{n}.zip" for n in range(3))
    assert main(["collect", str(line.out), "--out", str(first)]) == 0
    assert main(["collect", str(line.out), "--out", str(second)]) == 2
    for number in range(60, 90):
        line.put(f"{number}.png", picture(number))
    watched(line)
    assert main(["collect", str(line.out), "--out", str(second)]) == 0
    assert main(["collect", str(line.out), "--out", str(third), "--again"]) == 0
    names = [set(zipfile.ZipFile(one).namelist()) - {TABLE} for one in (first, second, third)]
    assert names[0] & names[1] == set()
    assert names[0] | names[1] == names[2]


def test_the_newest_of_each_kind_go_into_a_small_archive(line: Line) -> None:
    watched(line)
    store = Samples(line.out / "samples", 0)
    images = store.images()
    store.close()
    budget = sum(one.size for one in images) / 3
    taken = chosen(images, budget, 0.5)
    assert sum(one.size for one in taken) <= budget
    for why in ("random", "doubtful"):
        kind = [one for one in images if one.why == why]
        mine = [one for one in taken if one.why == why]
        assert mine == kind[len(kind) - len(mine) :]
        assert mine
    assert chosen(images, 10**9, 0.5) == images


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_a_budget_for_no_picture_is_refused_with_one_that_holds_some(
    line: Line, tmp_path: Path, capsys: pytest.CaptureFixture[str], share: float
) -> None:
    watched(line)
    words = ["collect", str(line.out), "--out", str(tmp_path / "a.zip"), "--budget", "0"]
    assert main([*words, "--share", str(share)]) == 2
    assert "Give 1MB or more" in capsys.readouterr().err
    store = Samples(line.out / "samples", 0)
    images = store.images()
    store.close()
    enough = least_budget(images, share)
    assert chosen(images, enough + 1, share)
    assert not chosen(images, enough * 0.999, share)


def test_an_archive_that_is_there_stays(line: Line, tmp_path: Path) -> None:
    watched(line)
    theirs = tmp_path / "lot.zip"
    theirs.write_text("mine")
    assert main(["collect", str(line.out), "--out", str(theirs)]) == 2
    assert theirs.read_text() == "mine"
    assert not list(tmp_path.glob(".clipgrip*"))


def test_without_kept_pictures_it_says_which_folder_is_meant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["collect", str(tmp_path), "--out", str(tmp_path / "a.zip")]) == 2
    assert "--out; they keep some unless --keep is 0" in capsys.readouterr().err


def test_a_damaged_picture_is_left_out(line: Line, tmp_path: Path) -> None:
    watched(line)
    one = next((line.out / "samples").glob("*.png"))
    one.write_bytes(b"damaged")
    archive = tmp_path / "a.zip"
    assert main(["collect", str(line.out), "--out", str(archive)]) == 0
    assert f"images/{one.name}" not in zipfile.ZipFile(archive).namelist()


def test_status_is_for_people_for_programs_and_for_health_checks(
    line: Line, capsys: pytest.CaptureFixture[str]
) -> None:
    with line.watch() as watch:
        watch.turn()
        assert main(["status", str(line.out)]) == 0
        line.folder.rename(line.folder.with_name("away"))
        watch._status._written = float("-inf")
        watch.turn()
        assert main(["status", str(line.out)]) == 1
        assert "folder: No such file or directory" in capsys.readouterr().out
        assert main(["status", str(line.out), "--alive"]) == 0
        assert main(["status", str(line.out), "--lang", "ja"]) == 1
        assert "フォルダー" in capsys.readouterr().out
        watch.end()
    assert main(["status", str(line.out), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["healthy"] is False
    facts = line.status()
    (line.out / "status.json").write_text(
        json.dumps({**facts, "state": "running", "monotonic": 0.0, "trouble": {}})
    )
    assert main(["status", str(line.out)]) == 1
    assert "has said nothing" in capsys.readouterr().out


def test_status_of_a_folder_that_was_never_watched_is_an_error(tmp_path: Path) -> None:
    assert main(["status", str(tmp_path)]) == 2


def test_pictures_that_version_0_1_kept_are_collected(line: Line, tmp_path: Path) -> None:
    watched(line)
    db = sqlite3.connect(line.out / "samples" / NAME)
    with db:
        db.execute(
            """UPDATE samples SET document = replace(document, '"decided_by"', '"decided"')"""
        )
    db.close()
    assert main(["collect", str(line.out), "--out", str(tmp_path / "lot.zip")]) == 0
    table = zipfile.ZipFile(tmp_path / "lot.zip").read(TABLE).decode("utf-8-sig")
    rows = list(csv.DictReader(table.splitlines()))
    assert {row["decided_by"] for row in rows} <= {"model", "person"}
    assert rows


def test_a_database_that_another_program_has_is_said_in_a_sentence(
    line: Line, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    watched(line)

    def locked(*_: object) -> None:
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(Journal, "do", locked)
    monkeypatch.setattr(Journal, "_open", locked)
    for command in (["alarms", str(line.out)], ["answers", str(line.out), "--sheet", "x"]):
        assert main([*command, "--lang", "ja"]) == 2
        assert "データベースを今は使えません" in capsys.readouterr().err
