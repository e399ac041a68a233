"""A finished run that may only be read can be used in full; an unusable cache stops nobody."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from projects import Place, command

from clipgrip.backbone import cache as caches
from clipgrip.errors import CacheError, RunError
from clipgrip.review.store import newest_round, open_review
from clipgrip.runs.store import open_store


@pytest.fixture
def shelf(
    place: Place, finished: Path, tmp_path: Path, quick: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A folder beside images and classes, in which nothing can be written."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    shutil.copytree(finished, folder / "run")
    real = os.access

    def access(path: os.PathLike[str] | str, mode: int) -> bool:
        return real(path, mode) and not (mode & os.W_OK and Path(path).is_relative_to(folder))

    quick.chdir(tmp_path)
    quick.setattr(os, "access", access)
    before = snapshot(folder)
    yield folder
    assert snapshot(folder) == before


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def test_a_run_that_may_only_be_read_is_audited_automated_reported_and_compared(
    shelf: Path, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    run = shelf / "run"

    def done(*words: object) -> str:
        told = command(capsys, *words)
        assert told.code == 0, told.err
        return told.err

    done("audit", run, "--n", 8, "--out", "sheet.csv")
    sheet = Path("sheet.csv")
    lines = sheet.read_text("utf-8-sig").splitlines()
    filled = [lines[0]] + [
        line.rstrip(",") + f",{place.truth[line.split(',')[2]]}" for line in lines[1:]
    ]
    sheet.write_text("\n".join(filled))
    told = done("automate", run, "--answers", sheet, "--out", "decisions.csv")
    assert "the promise stands in decisions.csv alone" in told
    done("report", run, "--out", "reports")
    done("report", run, "--for", "board", "--out", "reports")
    assert {path.name for path in Path("reports").iterdir()} >= {
        "report.html",
        "board.html",
        "board.xlsx",
    }
    done("predict", run, place.images, "--out", "p.csv")
    done("suggest", run, "--out", "s.csv")
    for words in (["report", run], ["automate", run, "--answers", sheet]):
        told = command(capsys, *words)
        assert (told.code, "Choose another --out" in told.err) == (2, True), told
    told = command(capsys, "watch", "look", run, place.images)  # whatever --out it is given
    assert (told.code, "Choose another RUN" in told.err) == (2, True), told


def test_what_stands_in_the_log_of_a_killed_process_is_read_also_there(tmp_path: Path) -> None:
    from clipgrip.runs.store import StoredRun

    with closing(sqlite3.connect(tmp_path / "x")) as db:
        db.execute("SELECT 1")
    with open_store(tmp_path, create=True) as store:
        store.db.execute("PRAGMA wal_autocheckpoint = 0")
        from clipgrip.data.classes import ClassNames
        from clipgrip.data.manifest import Manifest
        from clipgrip.data.rows import Row
        from clipgrip.data.sources import FileSource

        rows = (Row("aa", ("a.png",), -1, "pool", FileSource("/a.png")),)
        run = StoredRun("abc", "2026", None, {}, "d", "b", {})
        store.begin(run, Manifest(rows, ClassNames.of(["x", "y"])))
        copy = Path(shutil.copytree(tmp_path, tmp_path / "copy"))  # as a kill would leave it
    assert (copy / "runs.db-wal").stat().st_size > 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
        before = snapshot(copy)
        with open_store(copy) as store:
            found = store.run()
            assert found is not None
            assert found.id == "abc"
            with pytest.raises(sqlite3.OperationalError):
                store.finish("abc", "now")
        with pytest.raises(RunError, match="permissions"), open_store(copy) as store:
            store.finish("abc", "now")
        assert snapshot(copy) == before


def test_a_review_that_may_only_be_read_says_which_round_it_works_with(tmp_path: Path) -> None:
    from clipgrip.review.store import ReviewRound

    (tmp_path / "runs.db").touch()
    with open_review(tmp_path, create=True) as review:
        review.add_round(ReviewRound(1, ".", "abc", "now"))
        review.add_round(ReviewRound(2, "round-2", "abd", "now"))
    before = snapshot(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
        assert newest_round(tmp_path) == tmp_path / "round-2"
        with open_review(tmp_path) as review:
            assert len(review.rounds()) == 2
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("name", ["predict", "run"])
def test_an_unusable_cache_is_said_once_and_stops_nobody(
    place: Place,
    finished: Path,
    tiny_clip: Path,
    tmp_path: Path,
    quick: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    name: str,
) -> None:
    (tmp_path / "file").write_text("")
    quick.setenv("CLIPGRIP_CACHE", str(tmp_path / "file" / name))
    quick.chdir(tmp_path)
    rest = ["--classes", place.classes, "--backbone", tiny_clip, "--rounds", 1, "--out", "out"]
    words = ["predict", finished, place.images] if name == "predict" else ["run", place.images]
    told = command(capsys, *words, *(rest if name == "run" else []))
    assert told.code == 0, told.err
    (said,) = [text for text in caplog.messages if "cache" in text]
    assert "set CLIPGRIP_CACHE to another folder" in said
    if name == "predict":
        made = (tmp_path / "predictions.csv").read_bytes()
        assert made == (finished / "predictions.csv").read_bytes()


def test_a_cache_on_a_full_disk_is_said_once_and_keeps_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import numpy as np

    monkeypatch.setenv("CLIPGRIP_CACHE", str(tmp_path))
    cache = caches.cache_for("key", 4)
    assert cache is not None
    with pytest.raises(CacheError, match="not numbers"):
        cache.put(["a"], np.full((1, 4), np.nan, np.float32))

    def full(content: str, vector: bytes) -> bytes:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(caches, "_digest", full)
        for _ in range(3):
            cache.put(["a"], np.ones((1, 4), np.float32))
    assert len(caplog.messages) == 1
    assert cache.get(["a"]).missing.all()


@pytest.mark.parametrize("what", ["schema", "pages"])
def test_a_damaged_cache_is_said_once_and_stops_nobody(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import numpy as np

    monkeypatch.setenv("CLIPGRIP_CACHE", str(tmp_path))
    cache = caches.cache_for("key", 4)
    assert cache is not None
    hashes = [f"{n:064x}" for n in range(2000)]
    cache.put(hashes, np.ones((2000, 4), np.float32))
    file = cache.folder / caches.NAME
    content = file.read_bytes()
    if what == "schema":  # which sqlite3 quotes in an error that it cannot decode
        file.write_bytes(content.replace(b"CREATE TABLE", b"CREATE TABL\xc5"))
        assert caches.cache_for("key", 4) is None
    else:
        file.write_bytes(content[:16384] + bytes(len(content) - 16384))
        for _ in range(2):
            assert cache.get(hashes).missing.all()
        cache.put(hashes, np.ones((2000, 4), np.float32))
    assert len(caplog.messages) == 1
    assert "can be deleted at any time" in caplog.text
