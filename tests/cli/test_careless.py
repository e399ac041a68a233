"""What people type without care is refused before images are read, in both languages, and names what is meant."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from projects import Place, command, project

from clipgrip.errors import ConfigError
from clipgrip.executors import executor_named
from clipgrip.runs.pipeline import run


@pytest.fixture
def ours(here: Path, finished: Path) -> Path:
    """Beside images and classes a finished run ``run``, and some wrong files."""
    shutil.copytree(finished, here / "run")
    texts = {
        "minus.toml": 'images="images"\nclasses="classes.txt"\n[refinement]\nneighbours = -3\n',
        "eyes.toml": 'images="images"\nclasses="classes.txt"\neye = [1, 2]\n',
        "nothing.toml": 'images="images"\nclasses="classes.txt"\neye = [""]\n',
        "empty.txt": "# nothing\n",
        "short.txt": "short",
        "dentt.csv": "path,label\npart 00.png,dentt\n",
        "three.csv": "path,label\npart 00.png,dent,more\n",
        "open.csv": 'path,label\n"part 00.png,dent\n',
    }
    for name, text in texts.items():
        (here / name).write_text(text, "utf-8")
    (here / "eye").mkdir()
    (here / "broken").mkdir()
    (here / "broken" / "b.txt").write_text("no picture")
    return here


BOARD = ["report", "run", "--for", "board"]
TEMPLATE = ["run", "images", "--classes", "classes.txt", "--out", "o", "--template"]
WHOLE = ["run", "images", "--classes", "classes.txt", "--out", "o"]


@pytest.mark.parametrize(
    ("words", "english", "japanese"),
    [
        (
            ["run", "--config", "minus.toml"],
            "minus.toml: refinement: neighbours = -3",
            "minus.toml：",
        ),
        (["run", "--config", "eyes.toml"], "eyes.toml: eye = [1, 2] is not allowed", "一覧"),
        (
            ["run", "--config", "nothing.toml"],
            'nothing.toml: eye = "" names nothing',
            "nothing.toml",
        ),
        ([*TEMPLATE, "@empty.txt"], "empty.txt holds no template", "テンプレートがありません"),
        (
            [*WHOLE, "--eye", "eye"],
            "It needs config.json, preprocessor_config.json and model",
            "eye",
        ),
        (["embed", "images", "--out", "/proc/e.npz"], "/proc may not be written", "書き込めません"),
        (
            ["audit", "plan", "images", "--out", "/proc/p.json"],
            "/proc may not be",
            "書き込めません",
        ),
        (["bundle", "run", "--out", "/proc/b"], "/proc may not be written", "書き込めません"),
        (
            ["predict", "run", "images", "--all-probabilities", "/proc/p.csv"],
            "Choose another --all-probabilities",
            "別の--all-probabilities",
        ),
        (["init", "/proc/x"], "Choose another FOLDER", "別のFOLDER"),
        (["demo", "steel"], '"steel" is not known. Known: digits', "「steel」は使えません"),
        ([*BOARD, "--currency", ""], '--currency "" is not allowed', "通貨"),
        ([*BOARD, "--currency", "yen\nyen"], "in at most 16 characters", "16文字以内"),
        ([*BOARD, "--pilot", "nofile"], "clipgrip audit plan wrote", "audit planが書いた"),
        ([*BOARD, "--ok-class", "dentt"], "Give one of these: scratch, dent", "もしかして「dent」"),
        (
            ["audit", "draw", "run", "--ok-class", "zzz"],
            '--ok-class "zzz" is no class',
            "クラスはありません",
        ),
        (
            ["bundle", "run", "--ok-class", "zzz"],
            '--ok-class "zzz" is no class. Give',
            "次から指定",
        ),
        ([*BOARD, "--assume", "hourly_cost=4:9:5"], "the middle value lies outside", "標準の値"),
        (["report", "run", "--groups", "classes.txt"], 'no column "path"', "path"),
        (["review", "run", "--token", "short"], "--token: the token has 5", "--token："),
        (
            ["review", "run", "--token-file", "short.txt"],
            "--token-file short.txt: the token",
            "short.txt：",
        ),
        (
            ["review", "run", "--import", "three.csv"],
            "three.csv line 2: 3 cells",
            "three.csvの2行目：セルが3個",
        ),
        (
            ["review", "run", "--import", "open.csv"],
            "open.csv line 2: not valid CSV",
            "データが途中で",
        ),
        (
            ["run", "broken", "--classes", "classes.txt", "--out", "o"],
            "among 1 file (1 not-an-image)",
            "（画像ではない1件）",
        ),
    ],
    ids=lambda value: " ".join(value[:3]) if isinstance(value, list) else "",
)
def test_it_is_refused_with_its_place_and_what_to_do(
    ours: Path,
    capsys: pytest.CaptureFixture[str],
    quick: pytest.MonkeyPatch,
    words: list[str],
    english: str,
    japanese: str,
) -> None:
    for language, said in (("en", english), ("ja", japanese)):
        told = command(capsys, *words, "--lang", language)
        assert told.code == 2, told
        assert said in told.err
        assert "Traceback" not in told.err
        assert "encoding images" not in told.err, "before any image is encoded"


def test_decisions_that_cannot_be_written_are_refused_before_images_are_encoded(
    ours: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(capsys, "audit", "draw", "run", "--out", "sheet.csv").code == 0
    told = command(capsys, "audit", "automate", "run", "--answers", "sheet.csv", "--out", "d.xlsx")
    assert (told.code, "another kind of file" in told.err) == (2, True)
    assert "encoding images" not in told.err


def test_wrong_labels_that_are_brought_in_name_their_file(
    ours: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = command(capsys, "review", "run", "--import", "dentt.csv")
    assert told.code == 1
    assert 'dentt.csv line 2: unknown class "dentt". Did you mean "dent"?' in told.out
    assert "the file line" not in told.out


@pytest.mark.parametrize("name", ["ray:", "processes:", "here:", "auto: "])
def test_a_place_for_the_work_that_names_nothing_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"is not known\. Give auto"):
        executor_named(name)


def test_very_many_classes_are_said_to_take_time(
    place: Place, tiny_clip: Path, tmp_path: Path, quick: pytest.MonkeyPatch
) -> None:
    from clipgrip.runs.events import Listener

    notes: list[str] = []

    class Notes(Listener):
        def note(self, text: str) -> None:
            notes.append(text)

    quick.setattr("clipgrip.runs.pipeline.MANY_CLASSES", 4)
    run(project(place, tiny_clip, tmp_path / "o", strategy="zero-shot"), Notes())
    assert [one for one in notes if re.match(r"4 classes make each step slow", one)]
