"""A report about fewer images than the run had says so, for the team and for the board."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from projects import Place, command, project

from clipgrip.backbone.cache import ROOT_VARIABLE
from clipgrip.runs.pipeline import run


@pytest.fixture
def gone(
    place: Place, tiny_clip: Path, quick: pytest.MonkeyPatch, tmp_path: Path
) -> tuple[Path, Path]:
    """Images that a test takes away, and a run on them."""
    images, out = tmp_path / "images", tmp_path / "run"
    shutil.copytree(place.images, images)
    run(project(place, tiny_clip, out, images=images, strategy="zero-shot"))
    return images, out


def test_images_that_are_gone_are_counted_in_the_reports(
    gone: tuple[Path, Path],
    quick: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    images, out = gone
    whole = command(capsys, "report", out)
    assert "missing" not in whole.out
    assert "are gone" not in (out / "report.html").read_text("utf-8")
    for file in sorted(images.glob("*.png"))[:9]:
        file.unlink()
    command(capsys, "report", out)  # what is kept of them still counts
    assert "9 of the 32 images have no file any more" in (out / "report.html").read_text("utf-8")
    quick.setenv(ROOT_VARIABLE, str(tmp_path / "empty cache"))
    told = command(capsys, "report", out)
    assert told.code == 0, told.err
    assert "missing      9 images" in told.out
    assert "9 of the 32 images of the run are gone" in (out / "report.html").read_text("utf-8")
    told = command(capsys, "report", out, "--for", "board")
    assert told.code == 0, told.err
    assert "9 images are gone" in (out / "board.html").read_text("utf-8")


def test_a_sheet_of_images_that_are_gone_says_so(
    gone: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, out = gone
    sheet = tmp_path / "sheet.csv"
    asked = ("audit", "draw", out), ("labels", "suggest", out, "--count", 99)
    for words in asked:
        assert "cannot be found any more" not in command(capsys, *words, "--out", sheet).out
        sheet.unlink()
    for file in images.glob("*.png"):
        file.unlink()
    for words in asked:
        told = command(capsys, *words, "--out", sheet)
        assert told.code == 0, told.err
        assert "of these images cannot be found any more" in told.out
        sheet.unlink()
