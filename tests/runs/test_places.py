"""Where runs lie, who may write there, and what the database says."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from projects import Log, Place, outputs, project

from clipgrip.data.classes import ClassNames
from clipgrip.data.manifest import Manifest
from clipgrip.data.rows import Row
from clipgrip.data.sources import FileSource
from clipgrip.errors import BackboneError, RunError
from clipgrip.runs import lock, migrations
from clipgrip.runs.database import migrate
from clipgrip.runs.pipeline import run
from clipgrip.runs.reopen import reopen
from clipgrip.runs.run_folder import wanted_folder
from clipgrip.runs.store import NAME, StoredRound, StoredRun, open_store

HOLD = """
import sys
from pathlib import Path
from clipgrip.runs.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_other_settings_get_a_folder_beside_the_first_which_stays_as_it_is(
    place: Place, tiny_clip: Path, tmp_path: Path, quick: pytest.MonkeyPatch
) -> None:
    run(project(place, tiny_clip, tmp_path / "run"))
    before = outputs(tmp_path / "run")
    heard = Log()
    for seed, name in ((1, "run-2"), (2, "run-3"), (1, "run-2"), (0, "run")):
        outcome = run(project(place, tiny_clip, tmp_path / "run", seed=seed), heard)
        assert outcome.folder.name == name
    assert outputs(tmp_path / "run") == before
    assert any(note.endswith(f"this one is in {tmp_path / 'run-2'}.") for note in heard.notes)


@pytest.mark.parametrize("name", ["there", "there/deeper", "file"])
def test_a_place_with_other_things_in_it_is_refused_before_any_work(
    place: Place, tiny_clip: Path, tmp_path: Path, quick: pytest.MonkeyPatch, name: str
) -> None:
    if name == "there":
        (tmp_path / "there").mkdir()
        (tmp_path / "there" / "diary.txt").write_text("mine")
    else:
        (tmp_path / name.split("/")[0]).write_text("mine")
    heard = Log()
    with pytest.raises(RunError, match="--out"):
        run(project(place, tiny_clip, tmp_path / name), heard)
    assert heard.stages == []
    assert len(list(tmp_path.rglob("*"))) == (2 if name == "there" else 1)


def test_a_folder_that_may_not_be_written_is_refused_before_any_work(
    place: Place, tiny_clip: Path, tmp_path: Path, quick: pytest.MonkeyPatch
) -> None:
    quick.setattr(os, "access", lambda *_: False)
    heard = Log()
    with pytest.raises(RunError, match=r"may not be written\. Choose another --out"):
        run(project(place, tiny_clip, tmp_path / "run"), heard)
    assert heard.stages == []


def test_without_out_the_images_name_the_folder() -> None:
    assert wanted_folder(None, Path("/data/photos")) == Path("clipgrip-runs/photos")
    assert wanted_folder(None, Path("/")) == Path("clipgrip-runs/images")


def test_a_second_process_is_refused_with_the_first_ones_id_and_a_dead_lock_is_taken_over(
    tmp_path: Path,
) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(RunError, match=rf"process {holder.pid}\)"), lock.locked(tmp_path):
            raise AssertionError
        holder.kill()
        holder.wait()
    with lock.locked(tmp_path):
        assert (tmp_path / lock.NAME).read_text() == str(os.getpid())


def test_a_run_in_a_folder_in_use_is_refused_and_writes_nothing(
    place: Place, tiny_clip: Path, tmp_path: Path, quick: pytest.MonkeyPatch
) -> None:
    run(project(place, tiny_clip, tmp_path / "run"))
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").iterdir()}
    with lock.locked(tmp_path / "run"), pytest.raises(RunError, match=str(os.getpid())):
        run(project(place, tiny_clip, tmp_path / "run"))
    kept = {path: when for path, when in before.items() if path.name != lock.NAME}
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items())


def test_a_database_of_another_schema_version_opens_or_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / NAME) as db:
        db.executescript(migrations.MIGRATIONS[0])
        db.execute("PRAGMA user_version = 1")
        db.execute(
            "INSERT INTO run VALUES ('abc', '2026-01-01', NULL, '{\"seed\": 3}', 'd', 'b', '{}')"
        )
        db.execute("INSERT INTO class VALUES ('abc', 0, 'キズ', 'scratch'), ('abc', 1, 'ok', 'ok')")
        source = '["file", "/x/a.png"]'
        db.execute(
            "INSERT INTO image VALUES ('abc', 'f00d', '[\"a.png\"]', -1, 'pool', ?)", (source,)
        )
    db.close()
    with open_store(tmp_path) as store:
        stored = store.run()
        assert stored is not None
        assert (stored.id, stored.settings, stored.finished) == ("abc", {"seed": 3}, None)
        manifest = store.manifest("abc")
    assert manifest.classes.display == ("キズ", "ok")
    assert manifest.rows[0].source == FileSource("/x/a.png")
    newer = len(migrations.MIGRATIONS) + 1
    with sqlite3.connect(tmp_path / NAME) as db:
        db.execute(f"PRAGMA user_version = {newer}")
    db.close()
    with pytest.raises(RunError, match=f"schema {newer}.*Update clipgrip"), open_store(tmp_path):
        raise AssertionError


@pytest.mark.parametrize("version", range(1, len(migrations.MIGRATIONS)))
def test_every_old_schema_is_brought_to_the_newest(tmp_path: Path, version: int) -> None:
    with sqlite3.connect(tmp_path / NAME) as db:
        for script in migrations.MIGRATIONS[:version]:
            db.executescript(script)
        db.execute(f"PRAGMA user_version = {version}")
    db.close()
    with open_store(tmp_path) as store:
        tables = {name for (name,) in store.db.execute("SELECT name FROM sqlite_master")}
        reached = store.db.execute("PRAGMA user_version").fetchone()
    assert {"run", "training", "audit_answer", "promise"} <= tables
    assert reached == (len(migrations.MIGRATIONS),)


def test_two_processes_that_make_a_database_at_once_both_find_it_made(tmp_path: Path) -> None:
    first, second = (sqlite3.connect(tmp_path / NAME) for _ in range(2))
    migrate(first, migrations.MIGRATIONS, "runs.db")
    migrate(second, migrations.MIGRATIONS, "runs.db")
    assert second.execute("SELECT count(*) FROM run").fetchone() == (0,)
    first.close()
    second.close()


def store_a_run(folder: Path) -> StoredRound:
    rows = (Row("aa", ("a.png",), -1, "pool", FileSource("/a.png")),)
    done = StoredRound(1, 2, 0.1, {"ctx": torch.randn(2, 3)}, {"n": 1}, (("aa", 1, 0.123456789),))
    with open_store(folder, create=True) as store:
        run = StoredRun("abc", "2026", None, {}, "d", "b", {"z": 1, "a": 2})
        store.begin(run, Manifest(rows, ClassNames.of(["x", "y"])))
        store.add_round("abc", done)
    return done


def test_a_round_comes_back_bit_for_bit(tmp_path: Path) -> None:
    written = store_a_run(tmp_path)
    with open_store(tmp_path) as store:
        (read,) = store.rounds("abc")
    assert torch.equal(read.learned["ctx"], written.learned["ctx"])
    assert (read.changed, read.facts, read.pseudolabels) == (
        written.changed,
        written.facts,
        written.pseudolabels,
    )


def test_a_failed_round_leaves_nothing_behind(tmp_path: Path) -> None:
    done = store_a_run(tmp_path)
    twice = StoredRound(2, 2, 0.1, done.learned, {}, (("aa", 1, 0.5), ("aa", 0, 0.5)))
    with pytest.raises(RunError), open_store(tmp_path) as store:
        store.add_round("abc", twice)
    with open_store(tmp_path) as store:
        assert [stored.number for stored in store.rounds("abc")] == [1]


@pytest.mark.parametrize("how", ["text", "torn", "tensor"])
def test_a_damaged_database_is_an_error_that_names_the_file(tmp_path: Path, how: str) -> None:
    store_a_run(tmp_path)
    path = tmp_path / NAME
    if how == "text":
        path.write_bytes(b"this is no database" * 100)
    elif how == "torn":
        data = bytearray(path.read_bytes())
        data[4096:] = b"\xff" * (len(data) - 4096)
        path.write_bytes(data)
    else:
        with sqlite3.connect(path) as db:
            db.execute("UPDATE round SET prompt = x'00112233'")
        db.close()
    with pytest.raises(RunError, match=NAME), open_store(tmp_path) as store:
        store.rounds("abc")


def test_a_full_disk_says_so_and_what_was_stored_stays(tmp_path: Path) -> None:
    done = store_a_run(tmp_path)
    big = StoredRound(2, 2, 0.1, {"ctx": torch.zeros(300, 300)}, {}, ())

    def fill(folder: Path) -> None:
        with open_store(folder) as store:
            (pages,) = store._db.execute("PRAGMA page_count").fetchone()
            store._db.execute(f"PRAGMA max_page_count = {pages}")
            store.add_round("abc", big)

    with pytest.raises(RunError, match="Make space"):
        fill(tmp_path)
    with open_store(tmp_path) as store:
        (kept,) = store.rounds("abc")
    assert torch.equal(kept.learned["ctx"], done.learned["ctx"])


def test_reopening_gives_the_outcome_of_the_run(
    place: Place, finished: Path, quick: pytest.MonkeyPatch
) -> None:
    before = outputs(finished)
    again = reopen(finished)
    assert again.metrics["run"] == again.run.id
    assert len(again.rounds) == 3
    assert outputs(finished) == before


def test_reopening_an_unfinished_run_or_one_of_another_model_is_refused(
    tmp_path: Path, finished: Path, tiny_clip: Path, quick: pytest.MonkeyPatch
) -> None:
    store_a_run(tmp_path)
    with pytest.raises(RunError, match=r"not finished\. Run the same"):
        reopen(tmp_path)
    with pytest.raises(RunError, match="holds no run"):
        reopen(tmp_path / "nowhere")
    quick.setattr("clipgrip.backbone.checkpoint.Checkpoint.fingerprint", lambda _: "0" * 64)
    with pytest.raises(BackboneError, match="another model"):
        reopen(finished)


def test_a_model_in_a_folder_is_found_again_from_another_working_folder(
    place: Place, tiny_clip: Path, tmp_path: Path, quick: pytest.MonkeyPatch
) -> None:
    quick.chdir(tiny_clip.parent)
    run(project(place, Path(tiny_clip.name), tmp_path / "run"))
    quick.chdir(tmp_path)
    assert reopen(tmp_path / "run").rounds
