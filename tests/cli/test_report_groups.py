"""clipgrip report --groups compares groups of images, and says what is wrong with the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from projects import Place, command, project

from clipgrip.runs.pipeline import run


@pytest.fixture
def finished_run(place: Place, tiny_clip: Path, quick: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    run(project(place, tiny_clip, tmp_path / "run", strategy="zero-shot"))
    return tmp_path / "run"


def test_groups_of_the_test_images_stand_in_the_report(
    finished_run: Path, place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"{path},{'AB'[i % 2]}" for i, path in enumerate(place.test_paths)]
    groups = tmp_path / "groups.csv"
    groups.write_text("\n".join(["path,camera", *lines]) + "\n")
    told = command(capsys, "report", finished_run, "--groups", groups)
    assert told.code == 0, told.err
    assert "By camera" in (finished_run / "report.html").read_text("utf-8")


def test_a_file_of_other_images_is_refused(
    finished_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    groups = tmp_path / "groups.csv"
    groups.write_text("path,camera\nnowhere.png,A\n")
    told = command(capsys, "report", finished_run, "--groups", groups)
    assert told.code == 2
    assert "none of its paths" in told.err
