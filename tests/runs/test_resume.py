"""A run that was stopped, wherever and however, and run again is the run that was never stopped."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest
import torch
from projects import Dying, Log, Place, make_place, outputs, project
from projects import quick as quickly
from runs_forks import in_a_fork
from waiting import LONG

from clipgrip.backbone.registry import load_backbone
from clipgrip.data.classes import ClassNames
from clipgrip.data.rows import Row
from clipgrip.data.sources import FileSource
from clipgrip.method import PRESETS, learn
from clipgrip.pseudolabel.stop import AlarmLimits, Stop, Summary
from clipgrip.runs import store
from clipgrip.runs.embedding import Embeds
from clipgrip.runs.inputs import Inputs
from clipgrip.runs.pipeline import run
from clipgrip.runs.prepare import Prepared
from clipgrip.runs.reopen import reopen
from clipgrip.runs.rounds import reached
from clipgrip.runs.store import StoredRound
from clipgrip.runs.untuned_model import UntunedModel
from clipgrip.task import ul
from clipgrip_line import files

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """With a file that cannot be decoded."""
    made = make_place(tmp_path_factory.mktemp("resumed") / "place")
    (made.images / "broken.png").write_bytes((made.images / "part 00.png").read_bytes()[:900])
    return made


@pytest.fixture(scope="module")
def reference(place: Place, tiny_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Never stopped, with a cache that nobody else writes to."""
    folder = tmp_path_factory.mktemp("reference")
    with quickly(folder / "cache"):
        run(project(place, tiny_clip, folder / "run"))
    return folder / "run"


def kill_self() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dying_at_write(number: int, work: Callable[[], object]) -> Callable[[], None]:
    """``work`` that is killed at the n-th time it makes a file durable or gives it its name."""

    def killed() -> None:
        calls = 0

        def counting(real: Callable[..., object]) -> Callable[..., object]:
            def counted(*args: object) -> object:
                nonlocal calls
                calls += 1
                if calls == number:
                    kill_self()
                return real(*args)

            return counted

        files.os.fsync, files.os.replace = counting(os.fsync), counting(os.replace)  # type: ignore[assignment]
        work()

    return killed


def test_a_run_killed_at_each_event_and_run_again_in_between_is_byte_equal(
    place: Place, tiny_clip: Path, reference: Path, tmp_path: Path
) -> None:
    out, kills = tmp_path / "run", 0
    with quickly(tmp_path / "cache"):
        settings = project(place, tiny_clip, out)
        for at in (1, 20, 34, 35, 37, 36, 38, 3, 39, 37, 40, 38):
            status = in_a_fork(lambda at=at: run(settings, Dying(at, kill_self)))  # type: ignore[misc]
            assert status in (0, -signal.SIGKILL)
            kills += status != 0
        run(settings)
    assert kills >= 6
    assert outputs(out) == outputs(reference)
    assert not (tmp_path / "run-2").exists()


def test_a_run_killed_at_any_write_of_a_file_and_run_again_is_byte_equal(
    place: Place, tiny_clip: Path, reference: Path, tmp_path: Path
) -> None:
    writes, number = 0, 0
    while writes >= number:
        number += 1
        out = tmp_path / f"run-at-{number}"
        with quickly(tmp_path / f"cache-{number}"):
            settings = project(place, tiny_clip, out)
            if in_a_fork(dying_at_write(number, lambda: run(settings))) == 0:  # noqa: B023
                break
            writes += 1
            run(settings)
        assert outputs(out) == outputs(reference), f"killed at write {number}"
    assert writes > 10


def test_a_run_killed_at_random_times_and_run_again_is_byte_equal(
    place: Place, tiny_clip: Path, reference: Path, tmp_path: Path
) -> None:
    moments = random.Random(7)
    with quickly(tmp_path / "cache"):
        for number in range(6):
            settings = project(place, tiny_clip, tmp_path / f"timed{number}")
            for _ in range(3):
                in_a_fork(lambda: run(settings), kill_after=moments.uniform(0.02, 0.5))  # noqa: B023
            run(settings)
            assert outputs(settings.out or Path()) == outputs(reference)


def test_an_exception_in_a_listener_at_any_event_loses_nothing(
    place: Place, tiny_clip: Path, reference: Path, tmp_path: Path
) -> None:
    class StopHere(Exception):
        pass

    def stop() -> None:
        raise StopHere

    with quickly(tmp_path / "cache"):
        settings = project(place, tiny_clip, tmp_path / "run")
        at = stopped = 0
        while True:
            at += 1
            try:
                run(settings, Dying(at, stop))
            except StopHere:
                stopped += 1
            else:
                break
    assert stopped > 30
    assert outputs(tmp_path / "run") == outputs(reference)


def test_a_run_that_settles_early_and_is_stopped_then_settles_the_same_way(
    place: Place, tiny_clip: Path, tmp_path: Path
) -> None:
    with quickly(tmp_path / "cache", stop_below=0.999):
        whole = run(project(place, tiny_clip, tmp_path / "whole", rounds=6))
        assert [done.number for done in whole.rounds] == [1, 6]
        settings = project(place, tiny_clip, tmp_path / "stopped", rounds=6)
        for at in range(30, 60):
            if in_a_fork(lambda: run(settings, Dying(at, kill_self))) == 0:  # noqa: B023
                break
    assert outputs(tmp_path / "stopped") == outputs(tmp_path / "whole")


def rings_in_round_two(past: Sequence[Summary], limits: AlarmLimits) -> Stop | None:
    """As the collapse alarm does, whatever the answers are."""
    return Stop("one class swallows others", 1) if past[-1].number == 2 else None


def test_a_run_that_goes_back_does_so_wherever_it_was_stopped(
    place: Place, tiny_clip: Path, tmp_path: Path
) -> None:
    with quickly(tmp_path / "cache", stop=("collapse",)) as patch:
        patch.setattr("clipgrip.strategy.collapse", rings_in_round_two)
        whole = run(project(place, tiny_clip, tmp_path / "whole", rounds=6), heard := Log())
        assert [done.number for done in whole.rounds] == [1, 2]
        assert whole.stopped == {"round": 2, "reason": "one class swallows others", "kept": 1}
        assert torch.equal(whole.learned["ctx"], whole.rounds[0].learned["ctx"])
        final, first = whole.metrics["final"]["test"], whole.rounds[0].facts["test"]
        assert final == first
        assert any("Back to round 1" in note for note in heard.notes)
        settings = project(place, tiny_clip, tmp_path / "stopped", rounds=6)
        for at in range(30, 60):
            if in_a_fork(lambda: run(settings, Dying(at, kill_self))) == 0:  # noqa: B023
                break
        again = run(settings)
        assert again.stopped == whole.stopped
        assert reopen(tmp_path / "stopped").stopped == whole.stopped
    assert outputs(tmp_path / "stopped") == outputs(tmp_path / "whole")


def test_a_database_that_holds_no_run_yet_is_the_folder_of_the_run_that_was_killed(
    place: Place, tiny_clip: Path, tmp_path: Path, quick: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / store.NAME).touch()
    assert run(project(place, tiny_clip, tmp_path / "run")).folder == tmp_path / "run"


@pytest.mark.parametrize("rows", [40, 8193, 2 * 8192 + 3])
def test_resuming_reaches_bit_for_bit_what_the_loop_had_reached(
    tiny_clip: Path, place: Place, quick: pytest.MonkeyPatch, rows: int
) -> None:
    """The loop answers in batches of 8,192 rows; sums over other batches differ in their last bits."""
    settings = project(place, tiny_clip, Path("out")).settings
    backbone, method = load_backbone(str(tiny_clip)), PRESETS["default"]["textual"]
    start = UntunedModel.of(backbone, ClassNames.read(place.classes), settings, method)
    noise = torch.Generator().manual_seed(0)
    images = torch.nn.functional.normalize(torch.randn(rows, 24, generator=noise), dim=1)
    source = FileSource(Path("gone.png"))
    files = tuple(Row(f"{n:06d}", (f"{n}.png",), -1, "pool", source) for n in range(rows))
    embeds, task = Embeds(images, images[:0], files, ()), ul(rows, len(start.classes))
    inputs = Inputs(embeds.pool, embeds.test)
    ready = Prepared(settings, start, embeds, task)
    begun = reached([], ready, inputs)
    (done,) = learn(start.prompt, images, task, begun, ks=[4], method=method, seed=0)
    learned = done.learner.prompt.learned()
    taught = done.pseudolabels
    told = zip(
        taught.rows.tolist(), taught.labels.tolist(), taught.confidence.tolist(), strict=True
    )
    named = tuple((f"{row:06d}", c, p) for row, c, p in told)
    facts = {"refined": {"method": done.refined_by}}
    stored = StoredRound(1, 4, done.changed, learned, facts, named)
    again = reached([stored], ready, inputs)
    assert torch.equal(again.probs, done.probs)
    assert (again.number, again.changed) == (1, done.changed)


def test_the_same_settings_again_compute_nothing_and_write_the_same_bytes(
    place: Place, tiny_clip: Path, tmp_path: Path, quick: pytest.MonkeyPatch
) -> None:
    first, again = Log(), Log()
    run(project(place, tiny_clip, tmp_path / "run"), first)
    before = outputs(tmp_path / "run")
    metrics = (tmp_path / "run" / "metrics.json").read_bytes()
    run(project(place, tiny_clip, tmp_path / "run"), again)
    assert len(first.rounds) == 3
    assert again.rounds == []
    assert [stage for stage, *_ in again.stages if stage == "round"] == []
    assert outputs(tmp_path / "run") == before
    assert (tmp_path / "run" / "metrics.json").read_bytes() == metrics


def test_renamed_images_are_the_same_run(
    place: Place, tiny_clip: Path, tmp_path: Path, quick: pytest.MonkeyPatch
) -> None:
    import shutil

    shutil.copytree(place.images, tmp_path / "copy")
    run(project(place, tiny_clip, tmp_path / "run"))
    again = Log()
    run(project(place, tiny_clip, tmp_path / "run", images=tmp_path / "copy"), again)
    assert again.rounds == []


@pytest.mark.slow
def test_ctrl_c_ends_with_130_and_a_sentence_and_the_same_command_goes_on(
    place: Place, tiny_clip: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "clipgrip", "run", str(place.images), "--backbone"]
    command += [str(tiny_clip), "--classes", str(place.classes), "--out", "run", "--rounds", "40"]
    command += ["--preset", "paper"]  # which does not settle before it can be stopped
    environment = os.environ | {"CLIPGRIP_CACHE": str(tmp_path / "cache")}
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:  # where the tests run in the background, SIGINT is ignored, and a child would inherit that
        running = subprocess.Popen(
            command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE
        )
    finally:
        signal.signal(signal.SIGINT, before)
    with closing(running.stderr), closing(running.stdout):  # type: ignore[type-var]
        for line in running.stderr:  # type: ignore[union-attr]
            if line.startswith(b"round"):
                break
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=LONG)
    assert running.returncode == 130
    assert errors.decode().splitlines()[-1].startswith("clipgrip: stopped. What is done is kept")
    assert b"Traceback" not in errors
    with store.open_store(tmp_path / "run") as kept:
        (stopped,) = (kept.run(),)
        assert stopped is not None
        assert stopped.finished is None
        assert len(kept.rounds(stopped.id)) >= 1
