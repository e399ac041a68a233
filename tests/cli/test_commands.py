"""What each command does when all is well."""

from __future__ import annotations

import io
import json
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from projects import Place, command, outputs, picture, project, rows
from rich.console import Console

from clipgrip import __version__
from clipgrip.cli.demo import table
from clipgrip.cli.results import summary
from clipgrip.cli.screen import Screen, round_line
from clipgrip.data.classes import ClassNames
from clipgrip.data.layout import class_folders
from clipgrip.runs.pipeline import run
from clipgrip.runs.rounds import skipped_rounds

COMMANDS = (
    "demo",
    "run",
    "suggest",
    "predict",
    "compare",
    "report",
    "audit",
    "automate",
    "review",
    "next",
    "models",
    "doctor",
    "init",
    "stress",
)
FILES = {
    *("predictions.csv", "pseudolabels.csv", "issues.csv", "metrics.json"),
    *("prompt.safetensors", "head.safetensors", "class_embeds.safetensors"),
    *("runs.db", "report.html"),
}


@pytest.fixture
def here(quick: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    quick.chdir(tmp_path)
    return tmp_path


def test_run_leaves_the_documented_files_and_says_where(
    place: Place, tiny_clip: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["run", place.images, "--classes", place.classes, "--test", place.test]
    told = command(capsys, *arguments, "--backbone", tiny_clip, "--rounds", 2, "--out", "out")
    assert told.code == 0, told.err
    assert {path.name for path in (here / "out").iterdir()} - {
        ".clipgrip.lock",
        ".clipgrip.written",
    } == FILES
    for words in ("32 images of 4 classes, no labels (UL), 2 rounds of grip", "zero-shot", "tuned"):
        assert words in told.out
    assert f"report       {Path('out') / 'report.html'}" in told.out
    assert told.err.count("pseudolabels") == 2
    assert "<html" in (here / "out" / "report.html").read_text("utf-8")


def test_templates_are_given_several_times_or_in_a_file(
    place: Place, tiny_clip: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "texts.txt").write_text("a photo of a {}.\na {} close up\n")
    start = ["run", place.images, "--classes", place.classes, "--backbone", tiny_clip]
    start += ["--strategy", "zero-shot", "--json", "--out", "out"]
    one_by_one = ["--template", "a photo of a {}.", "--template", "a {} close up"]
    told = command(capsys, *start, *one_by_one)
    assert json.loads(told.out)["settings"]["template"] == ["a photo of a {}.", "a {} close up"]
    again = command(capsys, *start, "--template", "@texts.txt")  # the same run, so the same folder
    assert (again.code, json.loads(again.out)["run"]) == (0, json.loads(told.out)["run"])


def test_json_goes_to_standard_output_alone(
    place: Place, tiny_clip: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["run", place.images, "--classes", place.classes, "--backbone", tiny_clip]
    told = command(capsys, *arguments, "--strategy", "zero-shot", "--json")
    metrics = json.loads(told.out)
    assert metrics["settings"]["strategy"] == "zero-shot"
    folder = here / "clipgrip-runs" / "images"
    assert json.loads((folder / "metrics.json").read_text("utf-8")) == metrics


def test_options_and_a_project_file_make_the_same_run(
    place: Place, tiny_clip: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = {
        "images": place.images,
        "classes": place.classes,
        "test": place.test,
        "backbone": tiny_clip,
        "out": here / "toml",
    }
    text = "".join(f"{key} = {json.dumps(str(value))}\n" for key, value in lines.items())
    (here / "project.toml").write_text(text + "rounds = 3\nseed = 1\n")
    told = command(capsys, "run", "--config", "project.toml", "--seed", 0)
    assert told.code == 0, told.err
    run(project(place, tiny_clip, here / "options"))
    assert outputs(here / "toml") == outputs(here / "options")


def test_predict_gives_the_answers_of_the_run_for_the_same_images(
    place: Place, finished: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = command(capsys, "predict", finished, place.images)
    assert told.code == 0, told.err
    assert told.out == "32 images labeled: predictions.csv\n"
    assert (here / "predictions.csv").read_bytes() == (finished / "predictions.csv").read_bytes()


def test_predict_answers_copies_lists_bad_files_and_drops_old_issues(
    place: Place, finished: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(place.images, here / "new")
    picture(900).save(here / "new" / "=cmd.png")
    shutil.copy(here / "new" / "=cmd.png", here / "new" / "copy.png")
    (here / "new" / "broken.png").write_bytes((here / "new" / "copy.png").read_bytes()[:900])
    told = command(capsys, "predict", finished, "new", "--out", "answers.csv")
    assert "34 images labeled" in told.out or "33 images labeled" in told.out
    answers = {row["path"]: row for row in rows(Path("answers.csv"))}
    assert len(answers) == 34
    assert answers["'=cmd.png"] | {"path": ""} == answers["copy.png"] | {"path": ""}
    issues = {row["path"]: row["reason"] for row in rows(Path("answers.issues.csv"))}
    assert issues == {"broken.png": "corrupt", "copy.png": "duplicate"}
    command(capsys, "predict", finished, place.images, "--out", "answers.csv")
    assert not Path("answers.issues.csv").exists()


def test_predict_labels_one_image_and_a_table_of_images(
    place: Place, finished: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = command(capsys, "predict", finished, place.images / "part 00.png", "--out", "one.csv")
    assert told.code == 0, told.err
    (expected,) = (r for r in rows(finished / "predictions.csv") if r["path"] == "part 00.png")
    assert_same_answer("one.csv", expected)
    shutil.copy(place.images / "part 00.png", here)
    Path("list.csv").write_text("path\npart 00.png\n")
    command(capsys, "predict", finished, "list.csv", "--out", "two.csv")
    assert_same_answer("two.csv", expected)


def assert_same_answer(table: str, expected: dict[str, str]) -> None:
    """One row; its confidences may differ by one in the last digit, as the image was encoded in another batch."""
    (row,) = rows(Path(table))
    assert list(row) == list(expected)
    for name, value in expected.items():
        if name.startswith("confidence"):
            assert float(row[name]) == pytest.approx(float(value), abs=1.5e-6)
        else:
            assert row[name] == value


def test_report_is_written_anew_in_either_language(
    finished: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(finished, here / "run")
    for language in ("en", "ja"):
        told = command(capsys, "report", "run", "--lang", language)
        assert told.code == 0, told.err
        page = (here / "run" / "report.html").read_text("utf-8")
        assert f'lang="{language}"' in page


def test_models_lists_names_and_how_to_bring_one(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = command(capsys, "models")
    assert told.code == 0
    for words in ("nano", "openai/clip-vit-base-patch32", "hf download", "--backbone"):
        assert words in told.out


def test_doctor_looks_at_everything_and_says_what_is_bad(
    here: Path, capsys: pytest.CaptureFixture[str], quick: pytest.MonkeyPatch
) -> None:
    quick.setattr("clipgrip.cli.doctor._torchvision", lambda: broken)
    from clipgrip.cli.doctor import Diagnosis

    broken = Diagnosis(True, "torchvision", "not installed, not needed")
    told = command(capsys, "doctor")
    for words in ("python", "packages", "threads", "memory", "torchvision", "cache", "model"):
        assert words in told.out
    broken = Diagnosis(False, "torchvision", "broken: operator nms", "pip uninstall torchvision")
    told = command(capsys, "doctor")
    assert told.code == 1
    assert "BAD  torchvision     broken: operator nms" in told.out
    assert "-> pip uninstall torchvision" in told.out


def test_init_writes_a_project_that_runs(
    place: Place, tiny_clip: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, name in enumerate(["良品", 'a, "b"', "=sum", "burr"]):
        (here / "mine" / name).mkdir(parents=True)
        for copy in range(2):
            picture(40 + 2 * number + copy).save(here / "mine" / name / f"{copy}.png")
    told = command(capsys, "init", "mine")
    assert told.code == 0, told.err
    assert "clipgrip run --config" in told.out
    names = ClassNames.read(here / "mine" / "classes.csv")
    assert sorted(names.display) == sorted(["良品", 'a, "b"', "=sum", "burr"])
    settings = tomllib.loads((here / "mine" / "project.toml").read_text("utf-8"))
    assert settings["images"] == "."
    started = ["run", "--config", "mine/project.toml", "--backbone", tiny_clip, "--rounds", 1]
    for _ in range(2):
        told = command(capsys, *started)
        assert told.code == 0, told.err
        assert rows(here / "mine" / "clipgrip-run" / "issues.csv") == []


def test_init_keeps_what_is_there_and_gives_examples_where_nothing_is(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command(capsys, "init", "new")
    first = (here / "new" / "classes.csv").read_bytes()
    (here / "new" / "project.toml").write_text("# mine")
    told = command(capsys, "init", "new")
    assert told.out.count("kept") == 2
    assert (here / "new" / "classes.csv").read_bytes() == first
    assert (here / "new" / "project.toml").read_text() == "# mine"
    assert class_folders(here / "nowhere") == []


def test_a_command_to_copy_holds_its_paths_as_one_word_each(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = command(capsys, "init", "line 3/ライン").out
    _, following = told.split("Then:")
    assert Path(shlex.split(following.strip())[-1]).is_file()


def test_help_and_version_import_nothing_heavy() -> None:
    code = (
        "import sys\nfrom clipgrip.cli.main import main\n"
        "sys.argv = ['clipgrip', *sys.argv[1:]]\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = ('torch', 'transformers', 'numpy', 'PIL', 'sklearn', 'matplotlib')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    for arguments in (["--help"], ["--version"], [], *([name, "--help"] for name in COMMANDS)):
        told = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
        )
        assert told.stdout.endswith("[]\n"), arguments
        assert "clipgrip" in told.stdout + told.stderr


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    told = command(capsys, "--version")
    assert (told.code, told.out) == (0, f"clipgrip {__version__}\n")


@pytest.mark.parametrize("terminal", [True, False])
def test_notes_are_shown_as_they_are_on_terminals_and_in_logs(terminal: bool) -> None:
    console = Console(
        force_terminal=terminal, width=70, record=True, quiet=False, file=io.StringIO()
    )
    screen = Screen(console)
    with screen.live():
        for stage in ("hash", "embed", "round"):
            for done in (0, 1, 50, 100):
                screen.progress(stage, done, 100)
        screen.note("runs[1]/x holds :smile: [/red] another run")
    assert "runs[1]/x holds :smile: [/red] another run" in console.export_text()


def test_the_own_console_interprets_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    Screen().note("[old] [/red] :smile: 傷")
    assert capsys.readouterr().err == "[old] [/red] :smile: 傷\n"


def test_a_round_and_a_result_fit_on_a_line(finished: Path) -> None:
    metrics = json.loads((finished / "metrics.json").read_text("utf-8"))
    for done in metrics["rounds"]:
        assert len(round_line(done)) < 110
    text = summary(metrics, Path("run"), Path("run/report.html"))
    assert text.splitlines()[1].startswith("zero-shot ")
    zero = summary(metrics | {"rounds": []}, Path("run"), Path("run/report.html"))
    assert "zero-shot, nothing tuned" in zero
    assert "tuned " not in zero
    assert "1 round of grip" in summary(
        metrics | {"rounds": metrics["rounds"][:1]}, Path("run"), Path("r")
    )


def test_a_run_that_goes_back_to_what_its_labels_give_says_so(finished: Path) -> None:
    metrics = json.loads((finished / "metrics.json").read_text("utf-8"))
    gone_back = {"round": 2, "reason": "one class swallows others", "kept": 0}
    plain = {"per_class": [1, 1], "uses_unlabeled": True, "held_out": None, "text_weight": 1.0}
    fit = {"right": 1, "n": 2}
    metrics |= {"stopped": gone_back, "labels": {"given": 2, "fit": fit, **plain}}
    text = summary(metrics, Path("run"), Path("r"))
    assert "the answers are those of the labels alone" in text
    assert "\nlabels alone " in text
    assert "\nzero-shot " in text
    assert "Of the 2 labels that it learned, 1 are answered as they were given (50%)" in text
    untaught = summary(metrics | {"labels": None}, Path("run"), Path("r"))
    assert "the answers are those of zero-shot" in untaught
    assert "labels alone" not in untaught


def test_rounds_that_were_skipped_are_counted_and_named(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = json.loads((finished / "metrics.json").read_text("utf-8"))
    first = metrics["rounds"][0]
    jumped = [first | {"number": n} for n in (1, 2, 3, 10)]
    text = summary(metrics | {"rounds": jumped}, Path("run"), Path("r"))
    assert "4 rounds of grip (4 to 9 skipped: the answers had settled)" in text
    screen = Screen()
    for done in jumped:
        screen.round_done(done)
    told = capsys.readouterr().err.splitlines()
    assert [int(line.split()[1]) for line in told if "skipped" not in line] == [1, 2, 3, 10]
    assert told[3] == "rounds 4 to 9 skipped: the answers have settled"
    assert skipped_rounds(jumped[:3]) is None
    assert skipped_rounds([]) is None


def test_a_partly_labeled_run_tells_seen_from_unseen(finished: Path) -> None:
    metrics = json.loads((finished / "metrics.json").read_text("utf-8"))
    metrics["final"]["test"] |= {"seen": 0.5, "unseen": None, "harmonic_mean": None}
    text = summary(metrics, Path("run"), Path("run/report.html"))
    assert "seen 50.0%, unseen unknown, harmonic mean unknown" in text


def test_the_demos_table_has_a_line_for_zero_shot_and_each_strategy(finished: Path) -> None:
    metrics = json.loads((finished / "metrics.json").read_text("utf-8"))
    lines = table([("fpl", metrics, 1.0), ("grip", metrics, 22.25)]).splitlines()
    names = [line.split()[0] for line in lines if "%" in line and "interval" not in line]
    assert names == ["zero-shot", "fpl", "grip"]
    widths = {len(line) for line in lines[1:5] if "zero-shot" not in line}
    assert len(widths) == 1
    again = table([("fpl", metrics, None)])  # opened again: no seconds that were not spent on it
    assert again.splitlines()[3].endswith(" from before")


def test_stress_leaves_its_files_and_says_what_stands_noise(
    place: Place, tiny_clip: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = place.table("truth.csv", list(place.truth))
    arguments = ["stress", place.images, "--classes", place.classes, "--labels", labels]
    options = ["--backbone", tiny_clip, "--seeds", 1, "--out", "out", "--lang", "ja"]
    told = command(capsys, *arguments, *options)
    assert told.code == 0, told.err
    files = {path.name for path in (here / "out").iterdir()} - {
        ".clipgrip.lock",
        ".clipgrip.written",
    }
    assert files == {"results.csv", "results.json", "stress.html"}
    assert all(f"\n{rule} " in told.out for rule in ("own-best-class", "balanced", "everything"))
    assert 'lang="ja"' in (here / "out" / "stress.html").read_text("utf-8")


def test_doctor_measures_engines_only_when_asked(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from clipgrip.backbone import speed

    monkeypatch.setattr(speed, "BATCH", 1)
    monkeypatch.setattr(speed, "WIDTH", 48)
    monkeypatch.setattr(speed, "INNER", 96)
    real = speed.measure
    monkeypatch.setattr(speed, "measure", lambda _seconds: real(0.01))
    assert "speed against" not in command(capsys, "doctor").out
    told = command(capsys, "doctor", "--measure").out
    assert "torch float32 1.00" in told
    assert "--engine " in told


@pytest.mark.parametrize(("lang", "word"), [("en", "cannot read"), ("ja", "読めません")])
def test_run_says_that_the_model_cannot_read_the_names(
    place: Place, here: Path, capsys: pytest.CaptureFixture[str], lang: str, word: str
) -> None:
    (here / "names.txt").write_text("良品\nキズ\n打痕\n", "utf-8")
    arguments = ["run", place.images, "--classes", here / "names.txt", "--strategy", "zero-shot"]
    told = command(capsys, *arguments, "--out", "out", "--lang", lang)
    assert told.code == 0, told.err
    assert word in told.out
    assert "perhaps" not in told.out
    assert word in (here / "out" / "report.html").read_text("utf-8")
    kinds = [
        one["kind"] for one in json.loads((here / "out" / "metrics.json").read_text())["knowledge"]
    ]
    assert "script" in kinds


def test_who_encodes_the_images_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    with screen.live():
        screen.progress("embed:nano", 8, 8)
        screen.progress("embed:texture", 8, 8)
    told = capsys.readouterr().err
    assert "encoding images (nano): 8 of 8" in told
    assert "encoding images (texture): 8 of 8" in told
