"""Images in folders named like classes: run, suggest, init and fit take them for the same, and say so."""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from projects import CLASSES, Place, command, rows

from clipgrip import GripClassifier
from clipgrip.cli.init import classes_csv
from clipgrip.data.classes import ClassNames
from clipgrip.data.layout import class_folders, layout

pytestmark = pytest.mark.filterwarnings("ignore:The model seems to know nothing:UserWarning")

SAID = "16 of 32 images lie in folders named like classes, which count as labels"
Run = Callable[..., Any]


@pytest.fixture
def sorted_half(place: Place, tmp_path: Path, quick: pytest.MonkeyPatch) -> Path:
    """Half of the images in folders named like classes, written in another way; the working folder."""
    quick.chdir(tmp_path)
    for number, (path, label) in enumerate(place.truth.items()):
        inner = label.upper().replace(" ", "_") if number % 2 else "unsorted"
        (tmp_path / "photos" / inner).mkdir(parents=True, exist_ok=True)
        shutil.copy(place.images / path, tmp_path / "photos" / inner / path)
    shutil.copy(place.classes, tmp_path / "classes.txt")
    return tmp_path


@pytest.fixture
def run_command(capsys: pytest.CaptureFixture[str]) -> Run:
    return lambda *arguments: command(capsys, *arguments)


@pytest.fixture
def run(tiny_clip: Path, run_command: Run) -> Run:
    start = ["run", "photos", "--classes", "classes.txt", "--backbone", tiny_clip, "--rounds", 1]
    return lambda *more: run_command(*start, *more)


def test_a_run_takes_class_folders_for_labels_says_so_and_undoes_it(
    sorted_half: Path, run: Run
) -> None:
    told = run("--out", "by-folder")
    assert told.code == 0, told.err
    assert f"{SAID}; --ignore-folders undoes it." in told.err
    assert SAID not in told.out  # said once, before the rounds
    assert "a few labels (SSL)" in told.out
    metrics = json.loads((sorted_half / "by-folder" / "metrics.json").read_text("utf-8"))
    assert metrics["data"]["labeled"] == 16
    assert metrics["data"]["folders"] == {"labeled": 16, "images": 32, "remarks": {}}
    report = (sorted_half / "by-folder" / "report.html").read_text("utf-8")
    assert SAID in report
    kept = rows(sorted_half / "by-folder" / "predictions.csv")
    assert [row["decided_by"] for row in kept].count("person") == 16

    without = run("--ignore-folders", "--out", "without")
    assert without.code == 0, without.err
    assert "no labels (UL)" in without.out
    assert "named like" not in without.out + without.err


def test_the_project_file_undoes_it_too(sorted_half: Path, run: Run, run_command: Run) -> None:
    Path("project.toml").write_text(
        'images = "photos"\nclasses = "classes.txt"\nignore_folders = true\n'
    )
    given = ["run", "--config", "project.toml", "--strategy", "zero-shot", "--out", "out"]
    told = run_command(*given)
    assert told.code == 0, told.err
    assert "no labels (UL)" in told.out


def test_class_folders_of_some_classes_leave_the_others_open_to_all_classes(
    sorted_half: Path, run: Run
) -> None:
    for name in ("DENT", "STEEL"):
        shutil.rmtree(sorted_half / "photos" / name)
    told = run("--out", "out", "--json")
    assert told.code == 0, told.err
    metrics = json.loads(told.out)
    assert metrics["paradigm"] == "SSL"
    assert metrics["data"]["seen"] == []
    assert "taken to be of the other" not in told.err


def test_zero_shot_learns_nothing_from_class_folders_and_is_measured_on_them(
    sorted_half: Path, run: Run
) -> None:
    first, second = (
        run("--strategy", "zero-shot", "--out", out, *more)
        for out, more in (("with", []), ("without", ["--ignore-folders"]))
    )
    answers = [
        {row["path"]: row for row in rows(sorted_half / out / "predictions.csv")}
        for out in ("with", "without")
    ]
    model = [path for path, row in answers[0].items() if row["decided_by"] == "model"]
    assert len(model) == 16
    assert all(answers[0][path] == answers[1][path] for path in model)
    assert first.code == second.code == 0


def test_where_every_image_lies_in_a_class_folder_the_run_says_what_that_means(
    sorted_half: Path, run: Run
) -> None:
    shutil.rmtree(sorted_half / "photos" / "unsorted")
    told = run("--out", "out")
    assert told.code == 0, told.err
    assert "16 images of 4 classes, all of them labeled, 1 round of grip" in told.out
    assert "cross-validation" in told.out
    assert "each held out in turn" in told.out
    assert "every image here has a label, and none was kept to measure on" in told.out
    assert "The unlabeled images made" not in told.out
    report = (sorted_half / "out" / "report.html").read_text("utf-8")
    assert "labels for all of them" in report
    assert "Give more labels" not in report


def test_a_suggestion_does_not_ask_for_what_its_folder_says(
    sorted_half: Path, tiny_clip: Path, run_command: Run
) -> None:
    given = ["labels", "suggest", "photos", "--classes", "classes.txt", "--backbone", tiny_clip]
    told = run_command(*given, "--count", 4, "--out", "s.csv")
    assert told.code == 0, told.err
    asked = [row["path"] for row in rows(Path("s.csv")) if not row["label"]]
    assert asked
    assert all(path.startswith("unsorted/") for path in asked)
    assert SAID in told.err
    assert "--ignore-folders" not in told.out
    told = run_command(*given, "--count", 32, "--ignore-folders", "--out", "all.csv")
    assert "known labels" not in told.out
    assert SAID not in told.err
    assert (
        "--ignore-folders --labels all.csv" in told.out
    )  # the command that follows learns from no folder either
    told = run_command(*given, "--encoding", "utf-8", "--out", "read.csv")
    assert "--encoding utf-8 --labels read.csv" in told.out


def test_fit_on_a_folder_learns_from_the_same_labels_and_warns_of_them(
    sorted_half: Path, tiny_clip: Path
) -> None:
    model = GripClassifier(CLASSES, backbone=str(tiny_clip), rounds=1)
    with pytest.warns(UserWarning, match=f"{SAID}; ignore_folders=True undoes it") as told:
        model.fit("photos")
    assert told[0].filename == __file__
    assert model.paradigm_ == "SSL"
    quiet = GripClassifier(CLASSES, backbone=str(tiny_clip), rounds=1, ignore_folders=True)
    assert quiet.fit("photos").paradigm_ == "UL"
    items = sorted(str(path) for path in Path("photos").rglob("*.png"))
    assert GripClassifier(CLASSES, backbone=str(tiny_clip), rounds=1).fit(items).paradigm_ == "UL"


def test_init_writes_what_the_folders_say_into_the_project(
    sorted_half: Path, run_command: Run
) -> None:
    shutil.rmtree(sorted_half / "photos" / "unsorted")
    shutil.copy("classes.txt", "photos/classes.csv")
    told = run_command("init", "photos")
    assert told.code == 0, told.err
    sentence = "16 of 16 images lie in folders named like classes, which count as labels"
    assert f"{sentence}; ignore_folders = true in project.toml undoes it." in told.out
    text = Path("photos/project.toml").read_text("utf-8")
    assert tomllib.loads(text)["ignore_folders"] is False
    assert sentence in text


def test_init_takes_a_test_folder_for_the_test(sorted_half: Path, run_command: Run) -> None:
    for split, number in (("train", 0), ("test", 1)):
        for name in ("DENT", "STEEL"):
            files = sorted(Path("photos", name).iterdir())
            (target := Path("set", split, name.lower())).mkdir(parents=True)
            shutil.copy(files[number], target)
    told = run_command("init", "set")
    settings = tomllib.loads(Path("set/project.toml").read_text("utf-8"))
    assert (settings["images"], settings["test"]) == ("train", "test")
    assert ClassNames.read("set/classes.csv").display == ("dent", "steel")
    assert "2 of 2 images" in told.out


def test_what_folders_may_be_classes_is_found_in_lots_too(sorted_half: Path) -> None:
    for lot in ("lot1", "lot2"):
        for name in ("DENT", "STEEL"):
            shutil.copytree(Path("photos", name), Path("lots", lot, name, "2026"))
    assert class_folders(Path("lots")) == ["DENT", "STEEL"]
    assert layout(Path("lots")).images == "."
    assert layout(Path("nothing")).images == "images"
    Path("plant").mkdir()
    shutil.copytree("lots", "plant/images")
    assert layout(Path("plant")).images == "images"


def test_names_in_another_script_get_english_words_or_are_asked_for(
    sorted_half: Path, run_command: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("キズ", "傷", "деталь"):
        shutil.copytree(Path("photos", "DENT"), Path("mine", name))
    told = run_command("init", "mine")
    names = ClassNames.read("mine/classes.csv")
    texts = dict(zip(names.display, names.prompts, strict=True))
    assert texts["キズ"] == "a scratch on the surface"
    assert texts["傷"] == "傷", "two classes cannot have one text"
    assert "words for 2 of 3 names in another script; they stand in the column prompt" in told.out
    assert "Write English words for: деталь" in told.out

    asked: list[str] = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr("typer.prompt", lambda text, **_: asked.append(text) or " good  part ")
    shutil.rmtree("mine")
    shutil.copytree(Path("photos", "DENT"), Path("mine", "деталь"))
    shutil.copytree(Path("photos", "STEEL"), Path("mine", "キズ"))
    run_command("init", "mine")
    assert [text.strip() for text in asked] == ["деталь"]
    assert ClassNames.read("mine/classes.csv").prompts == ("good part", "a scratch on the surface")


def test_two_names_with_one_translation_keep_two_texts() -> None:
    lines = classes_csv(["キズ", "傷"]).decode("utf-8-sig").splitlines()
    assert lines == ["name,prompt", "キズ,a scratch on the surface", "傷,傷"]
