"""A line that is watched: what counts as new, what rings, and what a restart, a copy or another order leaves."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tarfile
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from projects import Place, command, picture, rows
from safetensors.numpy import save

import clipgrip.runs.watch.store as store_module
from clipgrip.data.places import source_at
from clipgrip.errors import DataError, RunError
from clipgrip.runs.watch.daily import is_shown
from clipgrip.runs.watch.schema import MIGRATIONS
from clipgrip.runs.watch.status import status_of
from clipgrip.runs.watch.store import (
    NAME,
    WatchStore,
    anchors_bytes,
    is_watched,
    monitors_bytes,
    open_watch,
    read_anchors,
    read_monitors,
)
from clipgrip.serving.predictor import Predictor
from clipgrip.serving.watching import Watched, watch_files
from clipgrip_line.pictures.appearance import WIDTH
from clipgrip_line.trust.drift import waiting
from clipgrip_line.trust.scores import Anchors

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


@pytest.fixture
def line(tmp_path: Path) -> Path:
    folder = tmp_path / "line"
    folder.mkdir()
    return folder


def part(seed: int, light: float = 1.0) -> Image.Image:
    return ImageEnhance.Brightness(picture(seed, 50 * (seed % 4))).enhance(light)


def bring(line: Path, seeds: range, light: float = 1.0) -> None:
    for seed in seeds:
        part(seed, light).save(line / f"{seed:05d}.png")


def look(run: Path, line: Path, **more: Any) -> Watched:
    return watch_files(run, Predictor.open(run), line, lambda _: None, **more)


def contents(run: Path) -> dict[str, Any]:
    """All that decides when something rings."""
    with open_watch(run) as store:
        state = store.state()
        return {
            "wealth": state.monitors.wealth.tolist(),
            "seen": int(state.monitors.seen.sum()),
            "images": [one.sha256 for one in store.images()],
            "alarms": [(one.at, one.facts) for one in store.alarms()],
        }


def test_every_image_counts_once_by_its_content(run: Path, line: Path, place: Place) -> None:
    bring(line, range(1000, 1012))
    first = look(run, line)
    assert (first.new, first.began, first.alarms) == (12, True, ())
    before = contents(run)
    shutil.copy(line / "01000.png", line / "a copy.png")
    for path in list(place.images.iterdir())[:3]:  # the run learned from these
        shutil.copy(path, line / path.name)
    again = look(run, line)
    assert (again.new, again.began) == (0, False)
    assert contents(run) == before
    bring(line, range(1012, 1015))
    assert look(run, line).new == 3
    with open_watch(run) as store:
        assert [one.number for one in store.images()] == list(range(1, 16))


@pytest.mark.parametrize("kind", ["tar", "parquet"])
def test_pictures_out_of_packed_files_are_found_again(
    run: Path, line: Path, tmp_path: Path, kind: str
) -> None:
    bring(tmp_path, range(1000, 1012))
    files = sorted(tmp_path.glob("*.png"))
    if kind == "tar":
        with tarfile.open(line / "a.tar", "w") as made:
            for path in files:
                made.add(path, f"cam/{path.name}")
    else:
        pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        cells = [{"bytes": path.read_bytes(), "path": path.name} for path in files]
        pq.write_table(pa.table({"image": cells}), line / "a.parquet", row_group_size=5)
    look(run, line)
    with open_watch(run) as store:
        seen = store.images()
        pictures = store.begun().facts["pictures"]
    assert len(seen) == 12
    assert all(map(is_shown, seen))
    assert all(source_at(one["path"]).read() for one in pictures)
    assert {Path(one.path).parts[-2] for one in seen} == ({"cam"} if kind == "tar" else {"line"})
    next(line.iterdir()).unlink()
    assert not any(map(is_shown, seen))


def test_names_and_folders_do_not_matter(run: Path, line: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(run, tmp_path / "other"))
    bring(line, range(1000, 1030))
    look(run, line)
    sorted_by_light = tmp_path / "sorted"
    for n, path in enumerate(sorted(line.iterdir(), key=lambda p: -p.stat().st_size)):
        target = sorted_by_light / f"{n % 3}" / f"{n:02d}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    look(other, sorted_by_light)
    assert contents(run) == contents(other)


@pytest.mark.parametrize("where", ["deliver", "add"])
def test_a_look_that_is_cut_off_counts_nothing_and_the_next_one_counts_all(
    run: Path, line: Path, tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Path(shutil.copytree(run, tmp_path / "other"))
    bring(line, range(1000, 1020))
    look(other, line)

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if where == "add":
            patch.setattr(WatchStore, "_keep", _after(2, WatchStore._keep, die))
        with pytest.raises(KeyboardInterrupt):
            watch_files(
                run, Predictor.open(run), line, die if where == "deliver" else lambda _: None
            )
    look(run, line)
    assert contents(run) == contents(other)


def _after(n: int, real: Any, then: Any) -> Any:
    calls = [0]

    def called(*arguments: Any) -> Any:
        calls[0] += 1
        return real(*arguments) if calls[0] < n else then()

    return called


def test_less_light_rings_says_so_and_shows_pictures_before_and_after(
    run: Path, line: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    bring(line, range(1000, 1040))
    quiet = command(capsys, "watch", run, line, "--out", tmp_path / "p.csv")
    assert quiet.code == 0, quiet.err
    assert "○" in quiet.out
    bring(line, range(2000, 2080), light=0.4)
    told = command(capsys, "watch", run, line, "--out", tmp_path / "p.csv")
    assert told.code == 1, told.err
    assert "×" in told.out
    assert "darker than before" in told.out
    assert "Check lamp" in told.out
    assert len(rows(tmp_path / "p.csv")) == 120
    page = (run / "at-work.html").read_text("utf-8")
    assert page.count("<img") == 24
    with open_watch(run) as store:
        (alarm,) = store.alarms()
    assert alarm.facts["monitor"] in ("brightness", "highlights")
    assert 35 <= alarm.facts["since"] <= 60
    assert all(Path(one["path"]).name >= "02000" for one in alarm.facts["after"])
    status = command(capsys, "watch", "status", run, "--json")
    assert status.code == 1
    assert json.loads(status.out)["light"] == "alarm"
    japanese = command(capsys, "watch", "status", run, "--lang", "ja")
    assert "暗くなっています" in japanese.out


def test_an_alarm_rings_until_it_is_answered_and_nothing_else_rings_meanwhile(
    run: Path, line: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bring(line, range(1000, 1040))
    look(run, line)
    bring(line, range(2000, 2080), light=0.4)
    assert len(look(run, line).alarms) == 1
    bring(line, range(3000, 3040), light=0.4)
    assert look(run, line).alarms == ()
    nobody = command(capsys, "watch", "answer", run, "dirty")
    assert nobody.code == 2
    said = command(capsys, "watch", "answer", run, "normal", "--by", "Sato", "--note", "new lamp")
    assert said.code == 0, said.err
    again = command(capsys, "watch", "answer", run, "normal")
    assert (again.code, "nothing to answer" in again.err) == (2, True)
    bring(line, range(4000, 4060), light=0.4)
    assert look(run, line).alarms == ()
    with open_watch(run) as store:
        status = status_of(store)
    assert (status.light, status.period, status.images) == ("quiet", 2, 220)
    (alarm,) = status.alarms
    assert alarm.response is not None
    assert (alarm.response["by"], alarm.response["note"]) == ("Sato", "new lamp")


def test_what_was_removed_rings_again_when_it_comes_back(run: Path, line: Path) -> None:
    from clipgrip.runs.watch.store import answer_alarm

    bring(line, range(1000, 1040))
    look(run, line)
    bring(line, range(2000, 2080), light=0.4)
    assert look(run, line).alarms
    with open_watch(run) as store:
        answer_alarm(store, "fixed", by="Sato", note="", at="2026-01-01T00:00:00+00:00")
    bring(line, range(3000, 3040))
    assert look(run, line).alarms == ()
    bring(line, range(4000, 4080), light=0.4)
    assert look(run, line).alarms


def test_a_clock_that_goes_back_changes_nothing(
    run: Path, line: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Path(shutil.copytree(run, tmp_path / "other"))
    for folder, now in ((run, "2026-01-01T00:00:00+00:00"), (other, "1970-01-01T00:00:00+00:00")):
        for hour, seeds in enumerate((range(1000, 1020), range(1020, 1030))):
            at = now.replace("T00", f"T{9 - hour:02d}")
            monkeypatch.setattr("clipgrip.serving.watching.now", lambda at=at: at)
            bring(line, seeds)
            look(folder, line)
        shutil.rmtree(line)
        line.mkdir()
        monkeypatch.undo()
    assert contents(run) == contents(other)


def test_a_reference_of_its_own_and_a_budget_are_given_once(
    run: Path, line: Path, tmp_path: Path
) -> None:
    normal = tmp_path / "normal"
    normal.mkdir()
    bring(normal, range(500, 530))
    bring(line, range(1000, 1004))
    look(run, line, reference=normal, alpha=0.05)
    with open_watch(run) as store:
        begun = store.begun()
    assert (begun.alpha, begun.facts["reference"], begun.facts["held_out"]) == (0.05, 30, 30)
    with pytest.raises(RunError, match="is watched already"):
        look(run, line, reference=normal)


def test_a_reference_of_a_few_images_is_refused_and_leaves_nothing(
    run: Path, line: Path, tmp_path: Path
) -> None:
    normal = tmp_path / "normal"
    normal.mkdir()
    bring(normal, range(500, 510))
    bring(line, range(1000, 1004))
    with pytest.raises(RunError, match="what is normal needs 20"):
        look(run, line, reference=normal)
    assert look(run, line).began


def test_a_place_without_images_begins_no_line(run: Path, line: Path, tmp_path: Path) -> None:
    normal = tmp_path / "normal"
    normal.mkdir()
    bring(normal, range(500, 530))
    with pytest.raises(DataError, match="nowhere"):
        look(run, tmp_path / "nowhere")
    assert not is_watched(run)
    bring(line, range(1000, 1004))
    assert look(run, line, reference=normal).began


def test_a_run_that_is_not_watched_says_how_to_begin(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = command(capsys, "watch", "status", run)
    assert told.code == 2
    assert "clipgrip watch" in told.err


def test_a_damaged_state_is_said_and_not_bet_on(run: Path, line: Path) -> None:
    import sqlite3
    from contextlib import closing

    bring(line, range(1000, 1004))
    look(run, line)
    with closing(sqlite3.connect(run / NAME)) as db, db:
        db.execute("UPDATE state SET before = 7")
    bring(line, range(1004, 1006))
    with pytest.raises(RunError, match="is damaged"):
        look(run, line)


def test_a_score_that_was_changed_is_said_and_a_line_of_before_is_sealed(
    run: Path, line: Path
) -> None:
    """An answer to an alarm makes the new normal of the scores of images."""
    bring(line, range(1000, 1012))
    look(run, line)
    with closing(sqlite3.connect(run / NAME)) as db, db:  # as the version before left it
        db.execute("UPDATE seal SET value = ? WHERE name = 'image'", ("0" * 64,))
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS) - 1}")
    with open_watch(run) as store:
        assert len(store.images()) == 12
    with closing(sqlite3.connect(run / NAME)) as db, db:
        (codes,) = db.execute("SELECT codes FROM image WHERE number = 3").fetchone()
        changed = bytes([codes[0] ^ 1]) + codes[1:]
        db.execute("UPDATE image SET codes = ? WHERE number = 3", (changed,))
    said = 'table "image" does not hold what was written'
    with pytest.raises(RunError, match=said), open_watch(run) as store:
        store.images()


def test_the_state_is_small(run: Path, line: Path) -> None:
    bring(line, range(1000, 1020))
    look(run, line)
    assert sum(path.stat().st_size for path in run.glob(f"{NAME}*")) < 3_000_000
    with open_watch(run) as store:
        codes = np.stack([one.codes for one in store.images()])
    assert codes.shape == (20, 9)


def test_old_contents_are_forgotten_first_and_forgetting_damages_nothing(
    run: Path, line: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "MOST_SEEN", 10)
    bring(line, range(1000, 1014))
    assert look(run, line).new == 14
    assert look(run, line).new == 4  # the oldest, which are new again
    with open_watch(run) as store:
        assert store.state().images == 18


def test_a_first_look_that_was_cut_off_may_be_repeated_as_it_was(
    run: Path, line: Path, tmp_path: Path
) -> None:
    normal = tmp_path / "normal"
    normal.mkdir()
    bring(normal, range(3000, 3030))
    bring(line, range(1000, 1005))

    def die(_: Any) -> None:
        raise KeyboardInterrupt

    begun = {"reference": normal, "alpha": 0.02}
    with pytest.raises(KeyboardInterrupt):
        watch_files(run, Predictor.open(run), line, die, **begun)
    with pytest.raises(RunError, match="watched already"):
        look(run, line, reference=normal, alpha=0.05)
    assert look(run, line, **begun).new == 5
    with pytest.raises(RunError, match="watched already"):
        look(run, line, **begun)


def test_a_line_that_began_before_appearances_goes_on_measuring_as_it_did(
    run: Path, line: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(line, range(1000, 1030))
    with monkeypatch.context() as former:
        plain = staticmethod(lambda embeds, _: Anchors(np.asarray(embeds, np.float16).astype("f4")))
        former.setattr(Anchors, "of", plain)
        former.setattr(store_module, "anchors_bytes", lambda one: save({"anchors": one.vectors}))
        look(run, line)
        shutil.copytree(run, tmp_path / "kept")
        bring(line, range(1030, 1040))
        look(tmp_path / "kept", line)
    look(run, line)
    assert contents(run) == contents(tmp_path / "kept")


def test_anchors_are_read_as_they_were_written() -> None:
    draw = np.random.default_rng(0)
    made = Anchors.of(draw.normal(size=(9, 4)), draw.normal(size=(9, WIDTH)))
    read = read_anchors(anchors_bytes(made))
    assert read.weight == made.weight
    np.testing.assert_array_equal(read.vectors, made.vectors)
    former = read_anchors(save({"anchors": made.vectors[:, :4].astype(np.float16)}))
    assert former.weight == 0


def test_monitors_of_version_0_2_go_on_with_the_wealth_that_they_had() -> None:
    draw = np.random.default_rng(0)
    seen, labels = np.zeros((2, 256, 256), np.int64), np.array([3, 4])
    seen[0, 7, 9] = 5
    arrays = {
        "seen": seen,
        "labels": labels,
        "bins": draw.random((2, 2, 10)),
        "share_bins": draw.random((2, 2, 2)),
        "begun": draw.random((2, 4)),
        "rise": np.ones((2, 4)),
        "since": np.zeros((2, 4), np.int64),
        "images": np.asarray(40),
    }
    found = read_monitors(zlib.compress(save(arrays), 1))
    np.testing.assert_allclose(found.wealth, arrays["begun"].mean(0) + waiting(40))
    np.testing.assert_array_equal(found.seen, seen)
    assert read_monitors(monitors_bytes(found)).wealth.tolist() == found.wealth.tolist()
