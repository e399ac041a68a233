"""What staff of a plant read on the terminal under ``--lang ja`` is Japanese: results, notes, progress, errors."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from projects import CLASSES, Place, Told, command, rows
from rich.cells import cell_len

from clipgrip.cli.tree import paths
from clipgrip.data.tables import write_csv
from clipgrip.errors import ConfigError, DataError
from clipgrip.sentences import Sentence, combined, mark
from clipgrip.words import Words

JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
WORDS = re.compile("[A-Za-z]{2,}")
NAMES = (
    r"FPL:|IFPL:|GRIP:",  # methods
    r"clipgrip [\w ./<>|-]+",  # a command to copy, or the version
    r".*\.(csv|html|png|db|txt|xlsx)( .*)?",  # files
    r" +[\w-]+ {2,}[A-Z]\w+[\w ,]*",  # kinds of models by name
    r" *(fpl|ifpl|grip|zero-shot|out|out-2) +[\d. %~～-]+",  # rows of a table
    r" *(hf download|python -c|clipgrip|pip) .*",  # commands to copy
    r" +.*：「.*」",  # a class and the text that the model reads
)
"""Lines that hold no sentence: names, commands, figures."""
Said = Callable[..., Told]


def english(text: str) -> Iterator[str]:
    """Lines with words that are not Japanese, but for names."""
    for line in text.splitlines():
        is_name = any(re.fullmatch(one, line) for one in NAMES)
        without_classes = re.sub("|".join(CLASSES), "", line)
        if WORDS.search(without_classes) and not JAPANESE.search(line) and not is_name:
            yield line


@pytest.fixture
def said(here: Path, capsys: pytest.CaptureFixture[str]) -> Said:
    """Runs a command under ``--lang ja`` and checks that each line it prints is Japanese."""

    def run(*arguments: object, code: int = 0) -> Told:
        told = command(capsys, *arguments, "--lang", "ja")
        assert told.code == code, told
        assert list(english(told.out + told.err)) == []
        return told

    return run


@pytest.fixture
def folder(finished: Path, here: Path) -> Path:
    return Path(shutil.copytree(finished, here / "run"))


def test_a_run_and_what_follows_it_speak_japanese(
    said: Said, place: Place, tiny_clip: Path, here: Path
) -> None:
    start = ("run", "images", "--classes", "classes.txt", "--backbone", tiny_clip, "--rounds", 2)
    told = said(*start, "--out", "out", "--all-probabilities", "all.csv")
    assert "ラウンド" in told.err
    assert "レポート：" in told.out
    told = said(*start, "--test", place.test, "--out", "out")
    assert "テスト画像" in told.out
    assert "設定、データ、方法の異なる実行結果" in told.err
    said("predict", "out", "images", "--out", "new.csv")
    said("compare", "out", "out-2", "--out", "both.csv")
    said("names", "out", "--try", f"{CLASSES[0]}=a deep dent")
    said("report", "out")
    said("labels", "suggest", "out", "-n", 3)


def test_an_audit_speaks_japanese(said: Said, folder: Path, place: Place) -> None:
    said("audit", "draw", folder, "--count", 12)
    cells = rows(Path("audit.csv"))
    for row in cells:
        row["answer"] = place.truth[row["path"]]
    write_csv("audit.csv", list(cells[0]), [list(row.values()) for row in cells])
    said("audit", "read", folder, "--answers", "audit.csv")
    for more in ((), ("--max-error", 0.9, "--confidence", 0.5), ("--by-class",)):
        said("audit", "automate", folder, "--answers", "audit.csv", *more)
    said("report", folder)
    said("audit", "draw", folder, "--to-measure", "--count", 10, "--out", "measure.csv")
    loose = ("--max-error", 0.4, "--confidence", 0.5)
    said("audit", "draw", folder, "--by-class", *loose, "--out", "apart.csv")


def test_plans_models_projects_and_the_check_of_a_machine_speak_japanese(
    said: Said, here: Path
) -> None:
    said("init", ".")
    said("models")
    said("audit", "plan", "images", "--classes", "classes.txt", "--count", 900)
    assert "良好" in said("doctor").out


WRONG: tuple[tuple[object, ...], ...] = (
    ("run", "nowhere", "--classes", "classes.txt"),
    ("run", "empty", "--classes", "classes.txt"),
    ("run", "broken", "--classes", "classes.txt"),
    ("run", "images", "--classes", "nowhere.txt"),
    ("run", "images", "--classes", "twice.txt"),
    ("run", "images", "--classes", "one.txt"),
    ("run", "images", "--classes", "heading.csv"),
    ("run", "images", "--classes", "classes.txt", "--labels", "unknown.csv"),
    ("run", "images", "--classes", "classes.txt", "--labels", "nowhere.csv"),
    ("run", "images", "--classes", "classes.txt", "--labels", "columns.csv"),
    ("run", "images", "--classes", "classes.txt", "--backbone", "openai/clip-none"),
    ("run", "images", "--classes", "classes.txt", "--backbone", "nanoo"),
    ("run", "images", "--classes", "classes.txt", "--strategy", "gripp"),
    ("run", "images", "--classes", "classes.txt", "--rounds", "many"),
    ("run", "images", "--classes", "classes.txt", "--template", "no place"),
    ("run", "images", "--classes", "classes.txt", "--out", "full"),
    ("run", "images", "--classes", "classes.txt", "--encoding", "utf-9"),
    ("run", "images", "--classse", "classes.txt"),
    ("run", "images"),
    ("run", "--config", "wrong.toml"),
    ("run", "--config", "nowhere.toml"),
    ("rum", "images"),
    ("audit", "drow", "run"),
    ("predict", "run"),
    ("predict", "images", "images"),
    ("predict", "run", "broken", "--out", "b.csv"),
    ("audit", "draw", "images"),
    ("audit", "draw", "run", "--out", "classes.txt"),
    ("audit", "draw", "run", "--count"),
    ("audit", "automate", "run"),
    ("audit", "automate", "run", "--answers", "nowhere.csv"),
    ("audit", "automate", "run", "--answers", "columns.csv"),
    ("audit", "automate", "run", "--answers", "columns.csv", "--max-error", 2),
    ("report", "images"),
    ("report", "run", "--pilot", "pilot.json"),
    ("compare", "run"),
    ("names", "run", "--try", "nothing"),
    ("names", "run", "--try", "nothing=of it"),
    ("labels", "learn", "run"),
    ("labels", "suggest", "images", "--labels", "columns.csv"),
    ("models", "remove", "nothing"),
    ("review", "images", "--no-browser"),
    ("review", "run", "--host", "0.0.0.0", "--no-browser"),
    ("watch", "images", "images"),
    ("doctor", "-q", "-v"),
)


@pytest.mark.parametrize("words", WRONG, ids=lambda words: " ".join(map(str, words)))
def test_what_goes_wrong_in_the_first_hour_is_said_in_japanese(
    words: tuple[object, ...], said: Said, folder: Path, here: Path
) -> None:
    texts = {
        "twice.txt": "dent\nscratch\ndent\n",
        "one.txt": "dent\n",
        "heading.csv": "name\ndent\nscratch\n",
        "unknown.csv": "path,label\npart 00.png,dentt\n",
        "nowhere.csv": "path,label\nelsewhere/x.png,dent\n",
        "columns.csv": "a,b\n1,2\n",
        "wrong.toml": 'images = "images"\nclasses = "classes.txt"\nbackbon = "nano"\n',
    }
    for name, text in texts.items():
        if name not in ("nowhere.csv",) or "--labels" in words:
            (here / name).write_text(text, "utf-8")
    for name in ("empty", "full", "broken"):
        (here / name).mkdir()
    (here / "full" / "notes.txt").write_text("of somebody")
    (here / "broken" / "b.png").write_bytes((here / "images" / "part 00.png").read_bytes()[:600])
    told = said(*words, code=2)
    assert told.err.startswith("clipgrip: ") or "\nclipgrip: " in told.err


def test_json_stays_english_whatever_the_language(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (("run", "nowhere", "--classes", "classes.txt"), ("rum",), ("predict",)):
        of = [
            json.loads(command(capsys, *words, "--json", "--lang", one).out) for one in ("en", "ja")
        ]
        assert of[0] == of[1]
        assert not JAPANESE.search(of[0]["error"])


@pytest.mark.parametrize("words", [(), *paths()], ids=" ".join)
def test_help_is_japanese_in_lines_that_fit_the_terminal(
    words: tuple[str, ...], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = command(capsys, "--lang", "ja", *words, "--help").out
    assert "使い方：clipgrip" in shown
    assert "オプション：" in shown
    for line in shown.splitlines():
        assert cell_len(line) <= 80
        assert not line.strip().startswith(("、", "。", "）"))
    sentences = re.findall(r"[A-Z][a-z]+(?: [a-z,]+){3}", shown)  # that the catalogue lacks
    assert sentences == []
    assert not JAPANESE.search(command(capsys, *words, "--help").out)


def test_wrong_options_are_said_in_japanese(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (
        ("run", "images", "--roundss", "2"),
        ("run", "images", "--ignore-folders=yes"),
        ("run", "images", "more", "--classes", "classes.txt"),
        ("run", "--rounds"),
        ("report", "--for"),
        ("predict",),
        ("watch", "answer", "run"),
        ("report", "run", "--for", "bord"),
        ("audit", "draw", "run", "-n", "0"),
        ("models", "ad"),
    ):
        said = command(capsys, "--lang", "ja", *words)
        assert said.code == 2
        assert list(english(said.err)) == []


def test_an_error_is_english_and_can_be_said_in_japanese() -> None:
    error = ConfigError(mark("{folder} is a file. Give a folder."), folder="{new} box")
    assert str(error) == "{new} box is a file. Give a folder."
    said = Words("ja").translated(error.sentence)
    assert said == "{new} boxはファイルです。フォルダーを指定してください。"
    assert Words("en").translated(error.sentence) == str(error)


def test_a_sentence_within_another_is_translated_and_what_nobody_translated_stays() -> None:
    say = Words("ja")
    inner = Sentence("round {number}", number=3)
    assert say.translated(combined([inner, Sentence("zero-shot"), "as it is"])) == (
        "第3ラウンド；学習なし；as it is"
    )
    assert say.translated("nobody knows this") == "nobody knows this"
    assert say.translated(DataError("nobody knows this").sentence) == "nobody knows this"
