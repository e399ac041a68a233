"""Every wrong input ends with code 2 and a sentence: what, where, what is allowed, what to do. Nothing is written."""

from __future__ import annotations

import errno
import json
import os
import re
import shlex
import shutil
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from projects import CLASSES, COMPARED, Place, Told, command, rows

from clipgrip.data.tables import write_csv

Refused = Callable[..., Told]


@pytest.fixture
def here(here: Path) -> Path:
    """With some wrong files beside the images and classes."""
    folder = here
    texts = {
        "twice.txt": "dent\nscratch\ndent\n",
        "one.txt": "dent\n",
        "unknown.csv": "path,label\npart 00.png,dentt\n",
        "nowhere.csv": "path,label\nelsewhere/x.png,dent\n",
        "columns.csv": "a,b\n1,2\n",
        "seen.txt": "dent\n",
        "seen-typo.txt": "dent\ndentt\n",
        "wrong.toml": 'images = "images"\nclasses = "classes.txt"\nbackbon = "nano"\n',
        "long.csv": "name,prompt\nshort,short\nlong," + "steel " * 90 + "\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text, "utf-8")
    (folder / "empty").mkdir()
    (folder / "nothing").mkdir()
    (folder / "nothing" / "notes.txt").write_text("no image")
    (folder / "broken").mkdir()
    for number in range(2):
        data = (folder / "images" / f"part 0{number}.png").read_bytes()[:600]
        (folder / "broken" / f"b{number}.png").write_bytes(data)
    return folder


@pytest.fixture
def refused(here: Path, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Runs a command that must be refused, and checks what holds for every refusal."""

    def check(*arguments: object) -> Told:
        before = snapshot(here)
        told = command(capsys, *arguments)
        assert told.code == 2, told
        assert "Traceback" not in told.err
        assert told.out == ""
        sentence = told.err[told.err.index("clipgrip: ") :]
        assert sentence.rstrip().endswith((".", "?"))
        assert len(sentence) < 900
        assert snapshot(here) == before
        return told

    return check


def snapshot(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): path.read_bytes() for path in files}


def run_with(model: Path, **changed: object) -> list[object]:
    """``run`` with good arguments but for those that are changed; None leaves one away."""
    options = {"classes": "classes.txt", "backbone": model, "out": "out", "rounds": 1} | changed
    images = options.pop("images", "images")
    arguments = ["run", *([] if images is None else [images])]
    for name, value in options.items():
        arguments += [] if value is None else [f"--{name}", value]
    return arguments


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"images": None}, ["no images given", "IMAGES", "clipgrip init"]),
        ({"images": "imagse"}, ["imagse", "no such file or folder", "Give a folder"]),
        ({"images": "empty"}, ["empty", "no usable image", "JPEG, PNG"]),
        ({"images": "nothing"}, ["no usable image", "notes.txt"]),
        ({"images": "broken", "test": None}, ["no image", "b0.png"]),
        ({"classes": None}, ["no classes given", "--classes FILE"]),
        ({"classes": "clases.txt"}, ["clases.txt", "cannot be read"]),
        ({"classes": "twice.txt"}, ["twice.txt line 3", '"dent" stands twice', "first on line 1"]),
        ({"classes": "one.txt"}, ["one.txt", "at least 2", "Add one"]),
        ({"classes": "long.csv"}, ["positions", "Shorten the prompt text"]),
        ({"labels": "gone.csv"}, ["gone.csv", "no such file", "path,label"]),
        ({"labels": "unknown.csv"}, ["unknown.csv line 2", '"dentt"', 'Did you mean "dent"?']),
        ({"labels": "nowhere.csv"}, ["none of the 1 path", "elsewhere/x.png", "Write the paths"]),
        ({"labels": "columns.csv"}, ["columns.csv", 'no column "path"', "Found: a, b"]),
        ({"test": "nowhere.csv"}, ["none of the 1 path"]),
        ({"test": "images"}, ["images"]),
        ({"seen": "seen.txt"}, ["seen.txt", "Give --labels too"]),
        ({"seen": "sene.txt"}, ["sene.txt", "cannot be read"]),
        ({"seen": "seen-typo.txt"}, ["seen-typo.txt line 2", '"dentt"', 'Did you mean "dent"?']),
        ({"strategy": "gripp"}, ['strategy = "gripp"', "ifpl", 'Did you mean "grip"?']),
        ({"strategy": "supervised"}, ["needs labels", "--labels"]),
        ({"preset": "papr"}, ['preset = "papr"', 'Did you mean "paper"?']),
        ({"prompt": "textul"}, ['prompt = "textul"', 'Did you mean "textual"?']),
        ({"backbone": "nanno"}, ['"nanno"', "Known are: nano", 'Did you mean "nano"?']),
        ({"backbone": "openai/clip-vit-base-patch32"}, ["not on this machine", "hf download"]),
        ({"backbone": "empty"}, ["config.json", "missing"]),
        ({"k": 0}, ['--k "0"', "a whole number of at least 1"]),
        ({"rounds": 0}, ['--rounds "0"', "a whole number from 1 to 1000"]),
        ({"seed": -1}, ['--seed "-1"', "a whole number from 0 to 2147483647"]),
        ({"template": "a photo"}, ['"a photo"', "{} exactly once", "for example"]),
        ({"template": "{} photo"}, ["no words before {}", "--preset paper"]),
        ({"candidates": "som"}, ['candidates = "som"', "auto, all"]),
        ({"config": "wrong.toml"}, ["wrong.toml", '"backbon"', 'Did you mean "backbone"?']),
        ({"config": "gone.toml"}, ["gone.toml", "cannot be read"]),
        ({"config": "twice.txt"}, ["not valid TOML"]),
        ({"config": "broken/b0.png"}, ["b0.png", "not UTF-8", "clipgrip init"]),
        ({"template": "@gone.txt"}, ["gone.txt", "cannot be read", "Check the name"]),
        ({"engine": "onx"}, ['engine = "onx"', "onnx-int8", 'Did you mean "onnx"?']),
        ({"out": "nothing"}, ["nothing", "holds no run", "new or empty"]),
        ({"out": "one.txt"}, ["one.txt", "is a file", "Choose another --out"]),
        ({"out": "one.txt/deeper"}, ["one.txt is a file"]),
        ({"out": "/proc/x"}, ["/proc may not be written", "Choose another --out"]),
        ({"lang": "jp"}, ['"jp"', "en, ja"]),
    ],
    ids=lambda value: (
        "-".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else ""
    ),
)
def test_run_refuses(
    refused: Refused,
    tiny_clip: Path,
    quick: pytest.MonkeyPatch,
    tmp_path: Path,
    changed: dict[str, object],
    words: list[str],
) -> None:
    quick.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    told = refused(*run_with(tiny_clip, **changed))
    for word in words:
        assert word in told.err


def test_a_number_that_is_none_and_an_unknown_option_are_usage_errors(
    here: Path, tiny_clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for changed in ({"rounds": "many"}, {"bakbone": "nano"}):
        told = command(capsys, *run_with(tiny_clip, **changed))
        assert told.code == 2
        assert "Traceback" not in told.err


@pytest.mark.parametrize("name", ["predict", "report"])
def test_a_folder_without_a_run_or_with_an_unfinished_one_is_refused(
    refused: Refused, here: Path, finished: Path, name: str
) -> None:
    rest = ["images"] if name == "predict" else []
    assert "nowhere holds no" in refused(name, "nowhere", *rest).err
    assert "nothing holds no" in refused(name, "nothing", *rest).err
    shutil.copytree(finished, here / "run")
    (here / "run" / "prompt.safetensors").unlink()
    with sqlite3.connect(here / "run" / "runs.db") as db:
        db.execute("UPDATE run SET finished = NULL")
    db.close()
    told = refused(name, "run", *rest)
    assert "finished" in told.err
    assert "run the same" in told.err.casefold()


@pytest.mark.parametrize("name", ["predict", "report"])
def test_another_model_than_the_one_a_prompt_was_tuned_on_is_refused(
    refused: Refused, here: Path, finished: Path, quick: pytest.MonkeyPatch, name: str
) -> None:
    rest = ["images"] if name == "predict" else []
    shutil.copytree(finished, here / "run")
    (here / "run" / "class_embeds.safetensors").unlink()
    quick.setattr("clipgrip.backbone.checkpoint.Checkpoint.fingerprint", lambda _: "0" * 64)
    told = refused(name, "run", *rest)
    assert "same model" in told.err
    assert "anew" in told.err


@pytest.mark.parametrize("damage", ["bit", "cut", "empty", "foreign"])
def test_a_damaged_prompt_is_refused(
    refused: Refused, here: Path, finished: Path, damage: str
) -> None:
    shutil.copytree(finished, here / "run")
    path = here / "run" / "prompt.safetensors"
    data = path.read_bytes()
    flipped = data[:-5] + bytes([data[-5] ^ 4]) + data[-4:]
    bad = {"bit": flipped, "cut": data[:-9], "empty": b"", "foreign": b"PK\x03\x04" * 50}
    path.write_bytes(bad[damage])
    assert "prompt.safetensors" in refused("predict", "run", "images").err


def test_each_flipped_bit_of_a_prompt_is_found(finished: Path, tmp_path: Path) -> None:
    import random

    from clipgrip.errors import PromptError
    from clipgrip.runs import checkpoint

    data = (finished / "prompt.safetensors").read_bytes()
    known = checkpoint.read(finished / "prompt.safetensors")
    for place in random.Random(3).sample(range(len(data) * 8), 1500):
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        (tmp_path / "p.safetensors").write_bytes(flipped)
        try:
            facts = checkpoint.read(tmp_path / "p.safetensors")[1]
        except PromptError:
            continue
        assert facts == known[1], f"bit {place}"


@pytest.mark.parametrize("name", ["run", "report", "audit", "automate", "compare"])
def test_a_damaged_or_newer_database_is_refused(
    refused: Refused, here: Path, finished: Path, tiny_clip: Path, place: Place, name: str
) -> None:
    shutil.copytree(finished, here / "out")
    arguments = run_with(tiny_clip) if name == "run" else [name, "out"]
    if name == "automate":
        arguments += ["--answers", drawn(here / "out", here / "sheet.csv", place.truth)]
    elif name == "compare":
        arguments.append(finished)
    with sqlite3.connect(here / "out" / "runs.db") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    assert "Update clipgrip" in refused(*arguments).err
    (here / "out" / "runs.db").write_bytes(b"this is no database" * 300)
    assert "runs.db is damaged" in refused(*arguments).err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["gone"], ["gone", "no such file or folder"]),
        (["nothing"], ["no usable image"]),
        (["images", "--out", "empty"], ["empty is a folder", "--out"]),
        (["images", "--out", "one.txt/p.csv"], ["one.txt is a file", "--out"]),
        (
            ["images", "--out", "run/predictions.csv", "--all-probabilities", "all.xlsx"],
            ["no known ending", ".csv, .parquet, .npz"],
        ),
        (
            ["images", "--out", "one.txt/p.parquet", "--all-probabilities", "all.csv"],
            ["goes with a CSV"],
        ),
        (["images", "--out", "."], ["is a folder"]),
        (["images", "--out", "run/predictions.csv"], ["the answers of the run", "another name"]),
    ],
)
def test_predict_refuses(
    refused: Refused, here: Path, finished: Path, arguments: list[str], words: list[str]
) -> None:
    shutil.copytree(finished, here / "run")
    told = refused("predict", "run", *arguments)
    for word in words:
        assert word in told.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], ["nowhere: no such folder", "one folder of images for each class"]),
        (["empty"], ["empty holds 0 class folders", "--set"]),
        (["classes.txt"], ["no such folder"]),
        (["folders", "--set", "mnis"], ['"mnis"', "eurosat", 'Did you mean "mnist"?']),
        (["folders", "--paradigms", "ul"], ['"ul"', "UL, SSL, TRZSL", 'Did you mean "UL"?']),
        (["folders", "--strategies", "gripp"], ['"gripp"', 'Did you mean "grip"?']),
        (["folders", "--prompts", "vis"], ['"vis"', 'Did you mean "visual"?']),
        (["folders", "--test-share", 1], ["--test-share 1", "between 0 and 1"]),
        (["folders", "--out", "folders/out"], ["among the class folders", "--out"]),
        (["folders", "--out", "one.txt"], ["one.txt is a file", "--out"]),
        (["folders", "--out", "nothing"], ["nothing", "holds no grid", "new or empty"]),
        (["folders", "--lang", "xx"], ['"xx"', "en, ja"]),
    ],
)
def test_bench_refuses(
    refused: Refused, here: Path, arguments: list[object], words: list[str]
) -> None:
    for number, name in enumerate(CLASSES[:2] * 2):
        (here / "folders" / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(here / "images" / f"part 0{number}.png", here / "folders" / name)
    told = refused("bench", *arguments)
    for word in words:
        assert word in told.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["demos"], ["demos: neither", "digits, surfaces", 'Did you mean "demo"?']),
        (["--out", "one.txt"], ["one.txt is a file"]),
        (["--out", "nothing"], ["nothing", "holds no stress test"]),
        (["--template", "a photo"], ['"a photo"', "{} exactly once"]),
    ],
)
def test_stress_refuses(refused: Refused, arguments: list[str], words: list[str]) -> None:
    told = refused("stress", *arguments)
    for word in words:
        assert word in told.err


@pytest.mark.parametrize("name", ["demo", "init"])
def test_a_file_in_the_place_of_a_folder_is_refused_before_any_work(
    refused: Refused, name: str
) -> None:
    rest = ["--out", "one.txt"] if name == "demo" else ["one.txt"]
    assert "one.txt is a file" in refused(name, *rest).err


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("empty", ["empty is a folder", "--out"]),
        ("one.txt/a.csv", ["one.txt is a file", "--out"]),
    ],
)
def test_audit_and_automate_refuse_a_place_they_cannot_write_before_they_keep_anything(
    refused: Refused, here: Path, finished: Path, place: Place, out: str, words: list[str]
) -> None:
    shutil.copytree(finished, here / "run")
    sheet = drawn(here / "run", here / "sheet.csv", place.truth)
    for told in (
        refused("audit", "run", "--out", out),
        refused("automate", "run", "--answers", sheet.name, "--out", out),
    ):
        for word in words:
            assert word in told.err
    told = refused("automate", "run", "--answers", sheet.name, "--out", sheet.name)
    assert "sheet.csv holds the answers" in told.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["audit", "draw", "run", "--ok-class", "dentt"],
        ["automate", "run", "--answers", "gone.csv", "--ok-class", "dentt"],
        ["bundle", "run", "--ok-class", "dentt"],
        ["report", "run", "--for", "board", "--ok-class", "dentt"],
        ["names", "run", "--try", "dentt=a dent"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_wrong_class_is_told_before_any_file_is_looked_at(
    refused: Refused, here: Path, finished: Path, arguments: list[str]
) -> None:
    """Found by a fresh user: the file was mended first, and then the class was wrong too."""
    shutil.copytree(finished, here / "run")
    told = refused(*arguments, "--out", "one.txt")
    assert "dentt" in told.err
    assert 'Did you mean "dent"?' in told.err


def test_an_option_that_lacks_another_is_told_before_the_place_of_the_output(
    refused: Refused,
) -> None:
    taken = ["--out", "one.txt"]
    assert "needs the class names" in refused("suggest", "images", "--labels", "t.csv", *taken).err
    assert "needs the class names" in refused("embed", "images", "--labels", "t.csv", *taken).err
    assert "nothing to compare" in refused("compare", *taken).err


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (["--backbone", "nanno"], 'Did you mean "nano"?'),
        (["--backbone", "empty"], "config.json"),
        (["--eye", "textur"], 'Did you mean "texture"?'),
    ],
)
def test_a_model_that_is_not_here_is_told_before_any_image_is_read(
    refused: Refused,
    tiny_clip: Path,
    monkeypatch: pytest.MonkeyPatch,
    wrong: list[str],
    words: str,
) -> None:
    """Found by a reader: all images were read and hashed first."""
    monkeypatch.setattr("clipgrip.runs.pipeline.ingest", lambda *_, **__: pytest.fail("read"))
    assert words in refused(*run_with(tiny_clip), *wrong).err


def test_a_watch_of_no_run_says_so(refused: Refused) -> None:
    for arguments in (["status"], ["answer"]):
        rest = ["normal"] if arguments == ["answer"] else []
        told = refused("watch", *arguments, "nowhere", *rest)
        assert "nowhere holds no run" in told.err


def drawn(run: Path, sheet: Path, truth: dict[str, str], answers: int = 9) -> Path:
    """An audit of 12 images whose first answers are filled in."""
    from clipgrip.runs.audit_sheet import Audit, write_sheet
    from clipgrip.runs.reopen import reopen

    audit = Audit.of(reopen(run), 0)
    write_sheet(audit, audit.order[:12], sheet)
    lines = sheet.read_text("utf-8-sig").splitlines()
    for number in range(1, answers + 1):
        path = lines[number].split(",")[2]
        lines[number] = lines[number].rstrip(",") + f",{truth[path]}"
    sheet.write_text("\n".join(lines), "utf-8")
    return sheet


def test_a_half_filled_sheet_says_how_to_go_on(
    here: Path, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where a person agrees with the model, more answers are worth it; where they find it wrong, none are."""
    shutil.copytree(finished, here / "run")
    answers = {row["path"]: row["label"] for row in rows(here / "run" / "predictions.csv")}
    sheet = drawn(here / "run", here / "sheet.csv", answers)
    # of all images: how many of the first nine are among the surest hangs on the last digit of a confidence
    terms = ("--max-error", 0.1, "--at-least", 1)
    told = command(capsys, "automate", "run", "--answers", sheet.name, *terms)
    assert told.code == 0, told.err
    assert "answers: 9 given" in told.out
    assert "more right answers in a row within all" in told.out
    assert "clipgrip audit draw run --count" in told.out
    assert "keeps the answers given so far" in told.out
    other = {
        path: next(name for name in CLASSES if name != label) for path, label in answers.items()
    }
    shutil.copytree(finished, here / "wrong")
    sheet = drawn(here / "wrong", here / "other.csv", other)
    told = command(capsys, "automate", "wrong", "--answers", sheet.name, *terms)
    assert "stop here" in told.out
    assert "clipgrip audit draw" not in told.out


@pytest.mark.parametrize("least", [0.2, 0.5, 0.75, 1])
def test_what_a_half_filled_sheet_asks_for_is_kept_whatever_share_is_wanted(
    least: float, here: Path, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """More answers where they are worth it, and then the promise that was named; or the word that they are not."""
    shutil.copytree(finished, here / "run")
    truth = {row["path"]: row["label"] for row in rows(here / "run" / "predictions.csv")}
    drawn(here / "run", here / "sheet.csv", truth)
    terms = ("--max-error", 0.1, "--at-least", least)
    told = command(capsys, "audit", "automate", "run", "--answers", "sheet.csv", *terms)
    assert told.code == 0, told.err
    assert "answers: 9 given, 9 counted" in told.out
    further = re.search(r"draw on: clipgrip (.+) --out sheet-2.csv", told.out)
    assert ("stop here" in told.out) == (further is None)
    assert further or least < 1
    if further is None:
        return
    asked = command(capsys, *shlex.split(further[1]), "--out", "new.csv")
    assert asked.code == 0, asked.err
    before, longer = rows(here / "sheet.csv"), rows(here / "new.csv")
    assert [row["path"] for row in longer[:12]] == [row["path"] for row in before]
    assert sum(bool(row["answer"]) for row in longer) == 9
    filled = [{**row, "answer": truth[row["path"]]} for row in longer]
    write_csv(here / "new.csv", list(filled[0]), [list(row.values()) for row in filled])
    told = command(capsys, "audit", "automate", "run", "--answers", "new.csv", *terms, "--json")
    assert told.code == 0, told.err
    if least == 1:  # of fewer, how many of those drawn are among the surest is an estimate
        assert json.loads(told.out)["decided_by_model"] > 0


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, ["No space left", "Make space there", "run the same command again"]),
        (errno.EROFS, ["Read-only", "permissions", "another folder"]),
        (errno.EIO, ["Check the path"]),
    ],
)
def test_what_the_system_refuses_names_the_file_that_was_asked_for_and_what_to_do(
    here: Path,
    finished: Path,
    quick: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: int,
    words: list[str],
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    shutil.copytree(finished, here / "run")
    before = snapshot(here)
    quick.setattr("clipgrip_line.files._write_through", refuse)
    told = command(capsys, "predict", "run", "images", "--out", "answers.csv")
    assert told.code == 2
    assert "Traceback" not in told.err
    for word in (*words, "answers.csv: "):
        assert word in told.err
    assert snapshot(here) == before


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_or_sigterm_in_the_middle_of_a_run_is_said_and_loses_nothing(
    number: int,
    code: int,
    here: Path,
    tiny_clip: Path,
    quick: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stop(*_: object) -> None:
        signal.raise_signal(number)

    arguments, before = run_with(tiny_clip, rounds=3), signal.getsignal(signal.SIGTERM)
    with quick.context() as patch:
        patch.setattr("clipgrip.cli.screen.Screen.round_done", stop)
        told = command(capsys, *arguments)
    assert (told.code, signal.getsignal(signal.SIGTERM)) == (code, before)
    assert "Traceback" not in told.err
    assert told.err.endswith("What is done is kept; the same command goes on.\n")
    assert (here / "out" / "runs.db").is_file()
    assert not (here / "out" / "predictions.csv").exists()
    assert command(capsys, *arguments).code == 0
    assert command(capsys, *run_with(tiny_clip, rounds=3, out="unstopped")).code == 0
    for name in COMPARED:
        assert (here / "out" / name).read_bytes() == (here / "unstopped" / name).read_bytes()


def test_report_refuses_an_unknown_language(refused: Refused, finished: Path) -> None:
    assert "en, ja" in refused("report", finished, "--lang", "fr").err


def test_init_refuses_a_file(refused: Refused) -> None:
    assert "one.txt is a file" in refused("init", "one.txt").err


def test_classes_with_names_of_html_are_shown_as_they_are(
    here: Path, tiny_clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["<b>bold</b>", "[red]x[/red]", ":smile: 傷", *CLASSES]
    Path("names.txt").write_text("\n".join(names), "utf-8")
    told = command(capsys, *run_with(tiny_clip, classes="names.txt", test="gone.csv"))
    assert told.code == 2
    told = command(capsys, *run_with(tiny_clip, classes="names.txt"))
    assert told.code == 0, told.err


def test_a_test_that_holds_every_image_leaves_none_to_learn_from(
    refused: Refused, here: Path, tiny_clip: Path
) -> None:
    lines = [f"{path.name},dent" for path in sorted((here / "images").iterdir())]
    (here / "all.csv").write_text("\n".join(["path,label", *lines]))
    told = refused(*run_with(tiny_clip, test="all.csv"))
    assert "no image is left to learn from" in told.err
    assert "other images than the test" in told.err


def test_a_stress_test_without_the_truth_names_the_option_and_the_demo_sets(
    refused: Refused,
) -> None:
    told = refused("stress", "images", "--classes", "classes.txt")
    assert "needs --labels" in told.err
    assert "demo, digits, surfaces" in told.err
    refused("stress", "demo", "--lang", "fr")


@pytest.mark.parametrize("where", ["images", "classes", "labels", "out"])
def test_a_path_with_nul_in_it_is_refused(refused: Refused, here: Path, where: str) -> None:
    lines = {"images": "images", "classes": "classes.txt", "labels": "labels.csv", "out": "out"}
    lines[where] += "\\u0000x"
    (here / "nul.toml").write_text("\n".join(f'{key} = "{text}"' for key, text in lines.items()))
    (here / "labels.csv").write_text("path,label\npart 00.png,dent\n")
    assert "nul.toml" in refused("run", "--config", "nul.toml").err


@pytest.mark.parametrize("head", [b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"])
def test_a_sheet_in_the_place_of_a_text_says_how_to_save_it(
    here: Path, capsys: pytest.CaptureFixture[str], head: bytes
) -> None:
    (here / "classes.csv").write_bytes(head + bytes(99))
    told = command(capsys, "run", "images", "--classes", "classes.csv", "--out", "out")
    assert told.code == 2
    assert "classes.csv: it is a sheet of Excel" in told.err


def test_a_table_with_nul_in_it_is_no_text(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "list.csv").write_bytes(b"path\nimages/part 00.png\nimages/a\0b.png\n")
    told = command(capsys, "run", "list.csv", "--classes", "classes.txt", "--out", "out")
    assert told.code == 2
    assert "NUL characters" in told.err
    assert not (here / "out").exists()
