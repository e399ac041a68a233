"""The command line as a whole: its words, its old words, the options that all commands share."""

from __future__ import annotations

import ast
import inspect
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from projects import Place, command

import clipgrip
from clipgrip.cli.closed import choices
from clipgrip.cli.group import renewed
from clipgrip.cli.init import project_text
from clipgrip.cli.main import root
from clipgrip.cli.options import settings
from clipgrip.cli.tree import FORMER, PANELS, Branch, Leaf, paths
from clipgrip.config import Project, Settings, project
from clipgrip.estimator import GripClassifier


def called(words: tuple[str, ...]) -> Any:
    found: Any = root()
    for word in words:
        found = found.get_command(None, word)
    return found


COMMANDS = [words for words in paths() if not hasattr(called(words), "list_commands")]


@pytest.fixture
def here(quick: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    quick.chdir(tmp_path)
    quick.delenv("CLIPGRIP_LANG", raising=False)
    return tmp_path


def test_help_lists_the_commands_in_the_order_of_use(capsys: pytest.CaptureFixture[str]) -> None:
    told = command(capsys, "--help").out
    names = ["init", "demo", "run", "review", "predict", "report", "compare", "labels", "audit"]
    places = [told.index(f"\n  {name} ") for name in [*names, "models", "doctor", "bench"]]
    assert places == sorted(places)
    panels = [told.index(f"\n{panel.title}:\n") for panel in PANELS]
    assert panels == sorted(panels)


def test_old_names_are_not_in_the_list_and_no_summary_is_cut(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for words in ((), ("audit",), ("labels",), ("bench",), ("models",)):
        told = command(capsys, *words, "--help").out
        assert "..." not in told.replace("COMMAND [ARGS]...", "")
        assert not any(f"\n  {old} " in told for old in FORMER if words == ())


def test_the_list_speaks_japanese_where_that_is_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "日常の作業" in command(capsys, "--lang", "ja", "--help").out
    monkeypatch.setenv("CLIPGRIP_LANG", "ja")
    assert "日常の作業" in command(capsys, "--help").out
    assert "Everyday" in command(capsys, "--lang=en", "--help").out


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_the_shared_options(words: tuple[str, ...]) -> None:
    options = {one for parameter in called(words).params for one in parameter.opts}
    assert options >= {"--lang", "--json", "-q", "--quiet", "-v", "--verbose", "--log-file"}


@pytest.mark.parametrize("old", FORMER)
def test_an_old_name_is_the_new_command_with_a_line_of_advice(
    old: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = FORMER[old]
    arguments = ["--classes", "none.txt"] if old in ("pilot", "stress", "suggest") else ["none"]
    arguments += ["--answers", "none.csv"] if old == "automate" else []
    arguments += ["nowhere"] if old == "suggest" else []
    before, after = command(capsys, old, *arguments), command(capsys, *new, *arguments)
    advice = f"clipgrip: note: clipgrip {old} is now clipgrip {' '.join(new)}; the old name works until 0.3.\n"
    assert before.err == advice + after.err
    assert (before.code, before.out) == (after.code, after.out)
    assert after.code == 2


def test_a_group_that_was_a_command_still_is_one(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, new in ((["audit", "none"], "audit draw"), (["bench", "none"], "bench grid")):
        told = command(capsys, *words)
        assert f"note: clipgrip {words[0]} is now clipgrip {new}" in told.err
        assert told.err.splitlines()[1:] == command(capsys, *new.split(), "none").err.splitlines()
    assert "Draw images at random" not in command(capsys, "audit").out
    assert "note:" not in command(capsys, "models").err


def test_old_options_become_new_ones() -> None:
    names = {"--n": "--count", "--prompts": "--prompt"}
    assert renewed(["run", "--n", "3", "--", "--n"], names) == (
        ["run", "--count", "3", "--", "--n"],
        [("--n", "--count")],
    )
    words, found = renewed(["--prompts=textual, visual", "--no"], names)
    assert words == ["--prompt", "textual", "--prompt", "visual", "--no"]
    assert found == [("--prompts", "--prompt")]
    assert renewed(["--n"], names)[0] == ["--count", ""]
    flag = {"--per-class": "--by-class"}
    assert renewed(["run", "--per-class"], flag, {"--by-class"})[0] == ["run", "--by-class"]
    words, _ = renewed(["--per-class", "lot 1, 2", "--n", "3"], {**names, **flag}, {"--by-class"})
    assert words == ["--by-class", "lot 1, 2", "--count", "3"]


def test_an_old_flag_may_stand_last(capsys: pytest.CaptureFixture[str]) -> None:
    told = command(capsys, "audit", "automate", "none", "--answers", "none.csv", "--per-class")
    assert told.code == 2
    assert "--per-class is now --by-class" in told.err
    assert "extra argument" not in told.err


def test_new_option_names_exist_and_old_ones_do_not() -> None:
    for panel in PANELS:
        for entry in panel.entries:
            inner = entry.entries if isinstance(entry, Branch) else (entry,)
            first = (entry.name,) if isinstance(entry, Branch) else ()
            for one in inner:
                assert isinstance(one, Leaf)
                options = {o for p in called((*first, one.name)).params for o in p.opts}
                assert set(one.former.values()) <= options
                assert not set(one.former) & options


@pytest.mark.parametrize(
    "words",
    [
        ["run", "images"],
        ["run", "images", "--classes", "none.txt"],
        ["run", "--strategyy", "grip"],
        ["report", "none", "--for", "bord"],
        ["audit", "draw"],
        ["nothing"],
        ["audit", "automate", "none"],
        ["predict", "none"],
        ["run", "--rounds", "many"],
    ],
    ids=" ".join,
)
def test_an_error_is_one_json_document_too(
    words: list[str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = command(capsys, *words, "--json")
    said = json.loads(told.out)
    assert (told.code, set(said)) == (2, {"error", "kind"})
    assert f"clipgrip: {said['error']}" in told.err
    plain = command(capsys, *words)
    assert (plain.code, plain.out, plain.err) == (2, "", told.err)


def test_a_wrong_word_of_the_command_line_is_named_with_the_nearest(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 'Did you mean "predict"?' in command(capsys, "predct").err
    assert 'Did you mean "draw"?' in command(capsys, "audit", "drwa").err
    told = command(capsys, "report", "run", "--for", "bord").err
    assert (
        told == 'clipgrip: --for "bord" is not known. Known: team, board. Did you mean "board"?\n'
    )
    assert "--strategy" in command(capsys, "run", "--strateg", "grip").err


def test_json_and_language_may_stand_before_the_command(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = command(capsys, "--json", "init", "new")
    assert json.loads(told.out)["written"] == {"classes.csv": True, "project.toml": True}
    monkeypatch.setenv("CLIPGRIP_LANG", "jp")
    told = command(capsys, "init", "newer")
    assert told.err.startswith('clipgrip: CLIPGRIP_LANG "jp" is not known. Known: en, ja.')
    assert command(capsys, "init", "newer", "--lang", "en").code == 0


def test_every_setting_is_an_option_of_run_as_it_was_declared() -> None:
    options = {parameter.name: parameter for parameter in called(("run",)).params}
    for name in settings():
        field = Project.model_fields[name]
        assert options[name].help.startswith(field.description)
        for allowed in choices(field.annotation):
            assert allowed in options[name].metavar


def test_every_setting_stands_in_the_file_of_init_and_means_what_no_file_means() -> None:
    text = project_text({"images": "i", "classes": "c.csv"}, {"labels": "24 images have labels."})
    for name, field in Project.model_fields.items():
        assert name == "refinement" or f"{name} = " in text
        assert name == "refinement" or f"# {field.description}" in text
    given = tomllib.loads(text)
    assert project(given) == project({"images": "i", "classes": "c.csv"})
    assert "# 24 images have labels.\n# labels =" in text
    lines = [line.removeprefix("# ") for line in text.splitlines() if line.startswith("# ")]
    examples = [line for line in lines if line.split(" = ")[0] in Project.model_fields]
    for line in examples:  # each may be used as it stands
        project(given | tomllib.loads(line))


def test_the_estimator_has_the_same_defaults() -> None:
    parameters = inspect.signature(GripClassifier).parameters
    shared = [name for name in Settings.model_fields if name in parameters]
    assert len(shared) >= 9
    for name in shared:
        assert parameters[name].default == Settings.model_fields[name].default, name


def test_init_tells_in_json_what_it_found(
    place: Place, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(place.images, here / "mine" / "images")
    told = command(capsys, "init", "mine", "--json")
    assert json.loads(told.out)["images"] == "images"


def test_a_log_says_what_was_called_with_what_and_how_it_ended(
    place: Place, tiny_clip: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", place.images, "--classes", place.classes, "--backbone", tiny_clip]
    words += ["--rounds", 1, "--out", "out"]
    told = command(capsys, *words, "--log-file", "log.txt")
    assert told.code == 0, told.err
    log = (here / "log.txt").read_text("utf-8")
    assert log.startswith("clipgrip log\n")
    for part in (
        "called: clipgrip run",
        "torch 2",
        "settings: {",
        "'rounds': 1",
        "round  1",
        "32 images",
    ):
        assert part in log
    assert "versions:" not in told.err
    told = command(capsys, "report", "none", "--log-file", "log.txt", "-v")
    after = (here / "log.txt").read_text("utf-8").removeprefix(log)
    assert "called: clipgrip report none" in after
    assert "(exit code 2)" in after
    assert "ERROR" in after
    assert "versions: clipgrip" in told.err
    assert told.err.count("none") < 6


def test_a_log_holds_the_traceback_of_a_fault_and_no_token(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr("clipgrip.written.check_writable", fails)
    with pytest.raises(RuntimeError):
        command(capsys, "init", "new", "--log-file", "log.txt", "--json")
    assert json.loads(capsys.readouterr().out) == {"error": "a fault", "kind": "RuntimeError"}
    log = (here / "log.txt").read_text("utf-8")
    assert "Traceback" in log
    assert "RuntimeError: a fault" in log
    for words in (["--token", "a secret of mine"], ["--token=a secret of mine"]):
        command(capsys, "review", "none", *words, "--log-file", "log.txt")
    assert "secret" not in (here / "log.txt").read_text("utf-8")


def test_a_file_that_is_no_log_is_not_added_to(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "labels.csv").write_text("path,label\n")
    told = command(capsys, "models", "list", "--log-file", "labels.csv")
    assert (told.code, told.out) == (2, "")
    assert "labels.csv is there and is no log" in told.err
    assert (here / "labels.csv").read_text() == "path,label\n"
    assert "cannot be written" in command(capsys, "models", "list", "--log-file", "no/l.txt").err
    assert "both given" in command(capsys, "models", "list", "-q", "-v").err


def test_quiet_shows_results_and_no_progress(
    place: Place, tiny_clip: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", place.images, "--classes", place.classes, "--backbone", tiny_clip]
    told = command(capsys, *words, "--rounds", 1, "--out", "out", "-q")
    assert told.code == 0
    assert "32 images" in told.out
    assert "pseudolabels" not in told.err
    assert "encoding" not in told.err


COMPLETE = """
eval "$(_CLIPGRIP_COMPLETE=source_bash clipgrip)"
COMP_WORDS=({words})
COMP_CWORD=$(({count} - 1))
_clipgrip_completion clipgrip
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["clipgrip", "re"], ["review", "report"]),
        (["clipgrip", "labels", "''"], ["suggest", "learn"]),
        (["clipgrip", "report", "clip"], ["clipgrip-runs/line\\ 3"]),
        (
            ["clipgrip", "bundle", "'clipgrip-runs/line\\ 3'", "--ok-class", "g"],
            ["good\\ part"],
        ),
        (["clipgrip", "audit", "draw", "'clipgrip-runs/line\\ 3'", "--ok-class", "d"], ["dent"]),
        (
            ["clipgrip", "run", "--strategy", "''"],
            ["zero-shot", "supervised", "fpl", "ifpl", "grip"],
        ),
        (["clipgrip", "report", "--for", "b"], ["board"]),
        (["clipgrip", "--lang", "j"], ["ja"]),
        (["clipgrip", "audit", "automate", "--max"], ["--max-error"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_bash_completes_commands_values_and_runs(
    words: list[str], expected: list[str], here: Path
) -> None:
    (here / "clipgrip-runs" / "line 3").mkdir(parents=True)
    with closing(sqlite3.connect(here / "clipgrip-runs" / "line 3" / "runs.db")) as db, db:
        db.execute("CREATE TABLE class (position INTEGER, name TEXT)")
        db.executemany("INSERT INTO class VALUES (?, ?)", [(0, "good part"), (1, "dent")])
    (here / "bin").mkdir()
    start = here / "bin" / "clipgrip"
    start.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m clipgrip "$@"\n')
    start.chmod(0o755)
    script = COMPLETE.format(words=" ".join(words), count=len(words))
    path = os.pathsep.join([str(start.parent), os.environ["PATH"]])
    told = subprocess.run(
        ["bash", "-c", script],
        env={**os.environ, "PATH": path, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (told.stdout.split("\n")[:-1], told.stderr) == (expected, "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_for_completion(shell: str) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "clipgrip"],
        env={**os.environ, "_CLIPGRIP_COMPLETE": f"source_{shell}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"complete_{shell}" in told.stdout


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("audit", "--lang", "ja", "draw", "nothing"), "nothing"),
        (("bench", "--json", "stress", "--repeats", "0"), "--repeats"),
        (("labels", "-q", "learn", "nothing"), "nothing"),
    ],
)
def test_shared_options_may_stand_before_a_groups_command(
    words: tuple[str, ...], text: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = command(capsys, *words)
    assert told.code == 2
    assert text in told.err
    assert "no command" not in told.err
    assert "no such option" not in told.err
    if "--json" in words:
        assert json.loads(told.out)["kind"]


def test_a_group_that_means_one_command_takes_shared_options_alone(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = command(capsys, "models", "--json")
    assert told.code == 0, told.err
    assert json.loads(told.out)


@pytest.mark.parametrize("words", [("labels", "--lang", "ja"), ("labels", "-q")])
def test_a_group_that_means_none_shows_its_help(
    words: tuple[str, ...], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = command(capsys, *words)
    assert "clipgrip labels" in told.out
    assert "suggest" in told.out


@pytest.mark.parametrize(("old", "new"), FORMER.items())
def test_help_and_errors_of_an_old_name_speak_of_the_new_one(
    old: str, new: tuple[str, str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = command(capsys, old, "--no-such-option")
    assert told.code == 2
    assert f"See clipgrip {' '.join(new)} --help." in told.err
    assert f"See clipgrip {old} " not in told.err
    assert f"Usage: clipgrip {' '.join(new)} " in command(capsys, old, "--help").out


def test_an_option_without_its_value_names_the_help_of_its_command(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = command(capsys, "audit", "draw", "run", "--count")
    assert told.code == 2
    assert "See clipgrip audit draw --help." in told.err


NUMBERS = [
    (words, parameter.opts[-1])
    for words in COMMANDS
    for parameter in called(words).params
    if getattr(parameter, "metavar", None) and parameter.metavar.startswith(("<int", "<float"))
]


@pytest.mark.parametrize(
    ("words", "option"), NUMBERS, ids=lambda one: " ".join(one) if isinstance(one, tuple) else one
)
@pytest.mark.parametrize("value", ["many", "nan", "99999999999999999999999e"])
def test_what_is_no_number_is_refused_in_our_words(
    words: tuple[str, ...],
    option: str,
    value: str,
    here: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = command(capsys, *words, "x", f"{option}={value}")
    assert told.code == 2
    assert f'{option} "{value}" is not allowed. Give a' in told.err
    assert "Input should" not in told.err


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("run", ""), "an argument"),
        (("run", "images", "--classes", ""), "--classes"),
        (("run", "images", "--classes="), "--classes"),
        (("predict", "run", "images", "--out", ""), "--out"),
    ],
)
def test_an_empty_name_is_not_taken_for_the_working_folder(
    words: tuple[str, ...], named: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = command(capsys, *words)
    assert told.code == 2
    assert f"{named} is empty. Give the name of a file or folder" in told.err


def test_the_page_of_commands_says_when_each_of_them_ends_with_code_1() -> None:
    """Found by a reader: it named `doctor` alone."""
    means = {
        "daily": "a promise was withdrawn (`audit read`)",
        "doctor": "`doctor` found something to mend",
        "review": "`review --import` took nothing in",
        "watch": "an alarm rings (`watch`, `watch status`)",
    }
    folder = Path(inspect.getfile(root)).parent
    found = set()
    for path in folder.glob("*.py"):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            made = isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Result"
            if made and (len(call.args) > 2 or any(one.arg == "code" for one in call.keywords)):
                found.add(path.stem)
    assert found == set(means)
    page = Path(__file__).parents[2].joinpath("docs", "cli.md").read_text("utf-8")
    (row,) = (line for line in page.splitlines() if line.startswith("| 1 |"))
    for words in means.values():
        assert words in row


@pytest.mark.parametrize("words", [(), ("audit",), ("labels",)])
def test_a_program_that_names_no_command_gets_one_document(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    told = command(capsys, *words, "--json")
    assert told.code == 2
    assert "no command was named. Known: " in json.loads(told.out)["error"]


def test_a_program_reads_the_version_as_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    told = command(capsys, "--version", "--json")
    assert (told.code, json.loads(told.out)) == (0, {"clipgrip": clipgrip.__version__})
