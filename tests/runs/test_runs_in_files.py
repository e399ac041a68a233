"""A large run's vectors and answers lie in files: the bytes are those of memory, and no file is left behind."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from embedded import with_labels, with_texts
from projects import SEEN, Dying, Log, Place, outputs, project

from clipgrip import config, mapped
from clipgrip.mapped import is_mapped
from clipgrip.report.build import build_report
from clipgrip.report.from_run import facts
from clipgrip.runs.outcome import Outcome
from clipgrip.runs.pipeline import run
from clipgrip.runs.reopen import reopen
from clipgrip.training import memory


@pytest.fixture
def scratch(tmp_path: Path, quick: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the files, which is empty in the end."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    quick.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert not os.listdir(folder)


def assert_in_files(done: Outcome) -> None:
    ready = done.ready
    held = [ready.embeds.pool, ready.embeds.pool_joined, ready.zero_shot.pool, done.answers.pool]
    learned = ready.learning
    assert all(
        map(is_mapped, [*held, learned.embeds.pool, learned.first, learned.refiner.zero_shot])
    )


def assert_same_in_files(begin: Callable[[str], Outcome], quick: pytest.MonkeyPatch) -> None:
    whole = begin("memory")
    assert not is_mapped(whole.embeds.pool)
    page = build_report(facts(whole), "en")
    quick.setattr(mapped, "LARGE", 1)
    done = begin("files")
    assert_in_files(done)
    assert outputs(done.folder) == outputs(whole.folder)
    assert bool((done.answers.pool == whole.answers.pool).all())
    again = reopen(whole.folder)
    assert_in_files(again)
    assert build_report(facts(again), "en") == page


@pytest.mark.parametrize("sample", [False, True])
@pytest.mark.parametrize("paradigm", ["UL", "SSL", "TRZSL"])
def test_images(
    place: Place,
    tiny_clip: Path,
    tmp_path: Path,
    scratch: Path,
    quick: pytest.MonkeyPatch,
    paradigm: str,
    sample: bool,
) -> None:
    if sample:
        quick.setattr(memory, "TUNED_ROWS", 12)
    labels, seen = place.labels(paradigm), None
    if paradigm == "TRZSL":
        seen = tmp_path / "seen.txt"
        seen.write_text("\n".join(SEEN), "utf-8")
    options = {"labels": labels, "seen": seen}
    assert_same_in_files(
        lambda name: run(project(place, tiny_clip, tmp_path / name, **options)), quick
    )


@pytest.mark.parametrize("given", [with_texts, with_labels])
def test_files_of_embeddings(
    tmp_path: Path, scratch: Path, quick: pytest.MonkeyPatch, given: Callable[[Path], Path]
) -> None:
    path = given(tmp_path / "e.npz")
    options: dict[str, Any] = {"images": path, "rounds": 2}
    assert_same_in_files(
        lambda name: run(config.project({**options, "out": tmp_path / name})), quick
    )


@pytest.mark.parametrize("at", [5, 40])
def test_a_run_that_is_stopped_goes_on_to_the_same_bytes(
    tmp_path: Path, scratch: Path, quick: pytest.MonkeyPatch, at: int
) -> None:
    options: dict[str, Any] = {"images": with_texts(tmp_path / "e.npz"), "rounds": 2}
    whole = run(config.project({**options, "out": tmp_path / "memory"}))
    quick.setattr(mapped, "LARGE", 1)

    def stop() -> None:
        raise KeyboardInterrupt

    stopped = config.project({**options, "out": tmp_path / "files"})
    with pytest.raises(KeyboardInterrupt):
        run(stopped, Dying(at, stop))
    assert outputs(run(stopped).folder) == outputs(whole.folder)


def test_without_room_all_is_held_in_memory_and_the_run_says_so(
    tmp_path: Path, scratch: Path, quick: pytest.MonkeyPatch
) -> None:
    quick.setattr(mapped, "LARGE", 1)
    quick.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=20_000))
    options: dict[str, Any] = {"images": with_texts(tmp_path / "e.npz"), "rounds": 2}
    log = Log()
    done = run(config.project({**options, "out": tmp_path / "run"}), log)
    assert not is_mapped(done.embeds.pool)
    assert any(f"{scratch} has no room" in one for one in log.notes)


def test_a_folder_that_may_not_be_written_is_no_hindrance(
    tmp_path: Path, quick: pytest.MonkeyPatch
) -> None:
    quick.setattr(mapped, "LARGE", 1)

    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied", "/scratch")

    quick.setattr(mapped, "mapped", refuse)
    options: dict[str, Any] = {"images": with_labels(tmp_path / "e.npz"), "rounds": 2}
    assert not is_mapped(run(config.project({**options, "out": tmp_path / "run"})).embeds.pool)
