"""clipgrip compare lines runs up by content, joins them, and refuses what does not belong together."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from projects import Place, command, project, rows

from clipgrip.runs import comparison
from clipgrip.runs.comparison import compare
from clipgrip.runs.pipeline import run
from clipgrip.runs.reopen import reopen
from clipgrip.types import Labels, Probs


@pytest.fixture
def two(
    place: Place, tiny_clip: Path, quick: pytest.MonkeyPatch, tmp_path: Path
) -> tuple[Path, Path]:
    """A zero-shot run and a tuned one over the same images."""
    quick.chdir(tmp_path)
    for name, strategy in (("first", "zero-shot"), ("second", "fpl")):
        run(project(place, tiny_clip, tmp_path / name, strategy=strategy))
    return tmp_path / "first", tmp_path / "second"


def test_the_table_has_each_run_and_each_consensus(
    two: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    told = command(capsys, "compare", *two, "--out", "both.csv")
    assert told.code == 0, told.err
    for words in ("first ", "second ", "geometric mean", "Dawid-Skene", "32 images in common"):
        assert words in told.out
    assert "err alike" in told.out
    written = rows(Path("both.csv"))
    assert len(written) == 32
    assert list(written[0]) == [
        "path", "consensus", "confidence", "disagreement", "first", "second",
    ]  # fmt: skip
    signals = [float(row["disagreement"]) for row in written]
    assert signals == sorted(signals, reverse=True)


def test_json_has_the_runs_own_accuracy(
    two: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    told = json.loads(command(capsys, "compare", *two, "--json").out)
    for folder, answerer in zip(two, told["answerers"], strict=False):
        known = json.loads((folder / "metrics.json").read_text("utf-8"))["final"]["test"]
        assert answerer["tested"] == known["n"]
        assert answerer["accuracy"] == pytest.approx(known["accuracy"])


def test_other_class_orders_and_paths_are_lined_up(
    two: tuple[Path, Path], place: Place, tiny_clip: Path, tmp_path: Path
) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(place.folder, moved)
    names = (moved / "classes.txt").read_text().split("\n")[:-1]
    (moved / "classes.txt").write_text("\n".join(reversed(names)) + "\n")
    other = Place(moved, place.truth)
    run(project(other, tiny_clip, tmp_path / "third", strategy="zero-shot"))
    compared = compare([reopen(two[0]), reopen(tmp_path / "third")])
    assert compared.left_out == 0
    assert compared.disagreement.max() < 1e-3
    assert [a.accuracy for a in compared.answerers[:1]] == [compared.answerers[1].accuracy]


def test_other_classes_are_refused(
    two: tuple[Path, Path],
    place: Place,
    tiny_clip: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    classes = tmp_path / "others.txt"
    classes.write_text("scratch\ndent\ngood part\nsteel\nrust\n")
    run(project(place, tiny_clip, tmp_path / "third", strategy="zero-shot", classes=classes))
    told = command(capsys, "compare", two[0], tmp_path / "third")
    assert told.code == 2
    assert "different classes: rust" in told.err


def test_one_run_alone_is_refused(
    two: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    told = command(capsys, "compare", two[0])
    assert told.code == 2
    assert "two or more" in told.err


def test_enough_shared_test_images_calibrate_every_run_before_it_votes(
    two: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[int] = []

    def flat(probs: Probs, labels: Labels) -> Probs:
        asked.append(int((labels >= 0).sum()))
        return torch.full_like(probs, 1 / probs.shape[1])

    assert "25 shared test images mend it" in command(capsys, "compare", *two).out
    monkeypatch.setattr(comparison, "ENOUGH", 2)
    monkeypatch.setattr(comparison, "calibrated", flat)
    told = json.loads(command(capsys, "compare", *two, "--json").out)
    tested = told["answerers"][0]["tested"]
    assert told["calibrated_by"] == tested > 2
    assert asked == [tested] * 2
    assert {row["disagreement"] for row in rows(Path("comparison.csv"))} == {"0.000000"}
