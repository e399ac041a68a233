"""What a newcomer does, from the first command to answers for new images."""

from __future__ import annotations

import functools
import json
import re
import shutil
from pathlib import Path

import pytest
from projects import CLASSES, Place, command, picture, rows

from clipgrip.data import samples


@pytest.mark.slow
def test_the_demo_labels_real_digits_better_after_tuning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The embedded model, the shipped presets, nothing shortened."""
    monkeypatch.setenv("CLIPGRIP_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    told = command(capsys, "demo")
    assert told.code == 0, told.err
    found = re.findall(r"^(zero-shot|fpl|ifpl|grip) +([\d.]+)%", told.out, re.MULTILINE)
    accuracy = {name: float(share) for name, share in found}
    assert list(accuracy) == ["zero-shot", "fpl", "ifpl", "grip"]
    assert accuracy["grip"] > accuracy["zero-shot"]
    assert accuracy["grip"] >= min(92.0, accuracy["zero-shot"] + 15)
    assert "539 test images" in told.out
    report = Path(told.out.split()[-1])
    assert not re.search(r"https?://(?!www\.w3\.org/)", report.read_text("utf-8"))


def test_the_demo_of_surfaces_makes_its_photographs_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], quick: pytest.MonkeyPatch
) -> None:
    few = functools.partial(samples.surfaces, pool=3, test=2, size=48)
    quick.setattr(samples, "surfaces", few)
    for _ in range(2):
        told = command(capsys, "demo", "surfaces", "--out", tmp_path / "d", "--lang", "ja")
        assert told.code == 0, told.err
        assert "grip" in told.out
    assert sorted(path.name for path in (tmp_path / "d" / "surfaces").iterdir()) == [
        "data",
        "fpl",
        "grip",
        "ifpl",
    ]
    assert "pseudolabels" not in told.err, "nothing is tuned twice"
    told = command(capsys, "demo", "surfaces", "--out", tmp_path / "d", "--eye", "texture")
    assert told.code == 0, told.err
    beside = tmp_path / "d" / "surfaces" / "grip-texture"
    assert json.loads((beside / "metrics.json").read_text("utf-8"))["settings"]["eye"] == [
        "texture"
    ]


def test_from_a_folder_of_images_to_answers_for_new_ones(
    place: Place,
    tiny_clip: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    quick: pytest.MonkeyPatch,
) -> None:
    quick.chdir(tmp_path)
    shutil.copytree(place.images, "plant/images")
    assert command(capsys, "init", "plant").code == 0
    Path("plant/classes.csv").write_text("name,prompt\nキズ,scratch\n打痕,dent\n良品,good part\n")
    start = ["run", "--config", "plant/project.toml", "--backbone", tiny_clip, "--rounds", 2]
    told = command(capsys, *start)
    assert told.code == 0, told.err
    assert "accuracy     unknown: nobody has answered a random sample" in told.out
    first = rows(Path("plant/clipgrip-run/predictions.csv"))
    assert {row["label"] for row in first} <= {"キズ", "打痕", "良品"}

    lines = [f"part 0{number}.png,{label}" for number, label in enumerate(["キズ", "打痕", "良品"])]
    text = "\r\n".join(["path,label", *lines])
    Path("plant/labels.csv").write_bytes(text.encode("cp932"))
    told = command(capsys, *start, "--labels", "plant/labels.csv")
    assert told.code == 0, told.err
    assert "a few labels (SSL)" in told.out
    assert "clipgrip-run-2" in told.out
    assert rows(Path("plant/clipgrip-run/predictions.csv")) == first

    Path("new").mkdir()
    picture(1234).save("new/fresh.png")
    told = command(capsys, "predict", "plant/clipgrip-run-2", "new", "--out", "answers.csv")
    assert told.code == 0, told.err
    (answer,) = rows(Path("answers.csv"))
    assert answer["path"] == "fresh.png"
    assert command(capsys, "report", "plant/clipgrip-run-2", "--lang", "ja").code == 0


def test_class_folders_serve_as_images_as_labels_and_as_test(
    place: Place,
    tiny_clip: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    quick: pytest.MonkeyPatch,
) -> None:
    quick.chdir(tmp_path)
    for path, label in place.truth.items():
        folder = Path("test" if path in place.test_paths else "pool") / label
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(place.images / path, folder)
    common = ["run", "pool", "--classes", place.classes, "--backbone", tiny_clip, "--rounds", 1]
    told = command(capsys, *common, "--test", "test", "--out", "ul", "--ignore-folders")
    assert told.code == 0, told.err
    assert "no labels (UL)" in told.out
    assert "8 test images" in told.out
    told = command(capsys, *common, "--labels", "pool", "--test", "test", "--out", "ssl")
    assert told.code == 0, told.err
    metrics = json.loads(Path("ssl/metrics.json").read_text("utf-8"))
    assert metrics["data"]["labeled"] == 24
    assert [done["k"] for done in metrics["rounds"]] == [0]
    assert metrics["data"]["classes"] == list(CLASSES)
    told = command(capsys, *common, "--test", "test", "--out", "unasked")
    assert "24 of 24 images lie in folders named like classes" in told.err
    unasked = json.loads(Path("unasked/metrics.json").read_text("utf-8"))
    assert unasked["run"] == metrics["run"], "labels are labels, whoever brought them"
