"""``clipgrip labels suggest --eye`` chooses by what a run with that eye would see."""

from __future__ import annotations

from pathlib import Path

import pytest
from projects import Place, command, rows


@pytest.fixture
def here(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.chdir(tmp_path)
    return place


def test_an_eye_sees_beside_the_model_and_stands_in_the_next_command(
    here: Place, tiny_clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["labels", "suggest", here.images, "--backbone", tiny_clip, "-n", 4]
    plain = command(capsys, *words, "--out", "a.csv")
    told = command(capsys, *words, "--eye", "texture", "--out", "b.csv")
    assert (plain.code, told.code) == (0, 0), told.err
    assert "--eye" not in plain.out
    assert "--eye texture --labels b.csv" in told.out
    sheets = [rows(Path(name)) for name in ("a.csv", "b.csv")]
    assert [len(sheet) for sheet in sheets] == [4, 4]
    assert sheets[0] != sheets[1]


def test_with_classes_and_labels_it_teaches_as_a_run_would(
    here: Place, tiny_clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["labels", "suggest", here.images, "--backbone", tiny_clip, "--eye", "texture"]
    told = command(
        capsys, *words, "--classes", here.classes, "--labels", here.labels("SSL"), "-n", 3
    )
    assert told.code == 0, told.err


def test_the_model_itself_is_no_eye_and_a_run_has_its_own(
    here: Place, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = command(capsys, "labels", "suggest", here.images, "--eye", "nano")
    assert (told.code, "is the model itself" in told.err) == (2, True)
    told = command(capsys, "labels", "suggest", finished, "--eye", "texture")
    assert (told.code, "has its own eye" in told.err) == (2, True)
