"""Settings come from the command line, a TOML file and defaults, in this order, and are checked once."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from clipgrip.allowed import checked
from clipgrip.config import Settings, project
from clipgrip.errors import ConfigError, DataError
from clipgrip.words import Words

FILES = {"images": "photos", "classes": "classes.csv"}


def toml(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "project.toml"
    path.write_text(text, "utf-8")
    return path


def test_defaults_are_the_embedded_model_and_grip() -> None:
    made = project(FILES)
    assert (made.backbone, made.strategy, made.preset, made.prompt) == (
        "nano",
        "grip",
        "default",
        "textual",
    )
    assert made.settings == Settings()


def test_options_go_before_the_file_and_none_is_no_option(tmp_path: Path) -> None:
    path = toml(tmp_path, 'images = "a"\nclasses = "b"\nseed = 3\nrounds = 4\n')
    made = project({"seed": 5, "rounds": None}, path)
    assert (made.seed, made.rounds) == (5, 4)


def test_numbers_of_the_refinement_are_a_table_of_the_file(tmp_path: Path) -> None:
    path = toml(tmp_path, 'images = "a"\nclasses = "b"\n[refinement]\nneighbours = 5\n')
    assert project({}, path).refinement == {"neighbours": 5}
    assert "refinement" not in Settings().model_dump()  # as runs of older versions stored it


def test_paths_in_the_file_start_at_its_folder_and_options_where_the_user_is(
    tmp_path: Path,
) -> None:
    path = toml(tmp_path / "deep", 'images = "a"\nclasses = "/b"\nout = "run"\n')
    made = project({"labels": Path("labels.csv")}, path)
    assert made.images == tmp_path / "deep" / "a"
    assert made.classes == Path("/b")
    assert made.out == tmp_path / "deep" / "run"
    assert made.labels == Path("labels.csv")


def test_a_model_in_a_folder_is_named_by_its_full_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models" / "own").mkdir(parents=True)
    full = str((tmp_path / "models" / "own").resolve())
    path = toml(tmp_path, 'images = "a"\nclasses = "b"\nbackbone = "models/own"\n')
    assert project({}, path).backbone == full
    monkeypatch.chdir(tmp_path)
    assert Settings(backbone="models/own").backbone == full
    assert Settings(backbone="openai/clip-vit-base-patch32").backbone.startswith("openai/")


def test_several_templates_come_from_a_list_or_a_file_beside_the_project(tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("a {}.\nthe {}.\n")
    head = 'images = "a"\nclasses = "b"\n'
    for text in (
        'template = ["a {}.", "the {}."]',
        'template = "@texts.txt"',
        'template = ["@texts.txt"]',
    ):
        assert project({}, toml(tmp_path, head + text)).template == ("a {}.", "the {}.")
    assert project({"template": ["one {}"]}, toml(tmp_path, head)).template == "one {}"


def test_settings_of_older_runs_are_read_and_one_template_is_still_written_as_text() -> None:
    old = Settings().model_dump() | {"template": "a {}"}
    assert Settings(**old).model_dump() == old
    several = Settings(template=("a {}", "the {}"))  # type: ignore[arg-type]
    assert Settings(**json.loads(several.model_dump_json())) == several


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Settings().seed = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"strategy": "gripp"},
            ["command line: strategy", "one of zero-shot, ", 'Did you mean "grip"?'],
        ),
        ({"preset": "papr"}, ["preset", "one of default, paper.", 'Did you mean "paper"?']),
        ({"prompt": "textul"}, ["prompt", "one of textual, ", 'Did you mean "textual"?']),
        ({"candidates": "al"}, ["candidates", "one of auto, all.", 'Did you mean "all"?']),
        ({"rounds": 0}, ["rounds = 0 is not allowed. Give a whole number from 1 to 1000."]),
        ({"rounds": "ten"}, ['rounds = "ten" is not allowed. Give a whole number from 1 to 1000.']),
        ({"rounds": True}, ["rounds = true is not allowed. Give a whole number"]),
        ({"k": 0}, ["k = 0 is not allowed. Give a whole number of at least 1."]),
        ({"seed": -1}, ["seed = -1 is not allowed. Give a whole number from 0 to 2147483647."]),
        ({"seed": 1.5}, ["seed = 1.5", "a whole number"]),
        ({"backbone": 3}, ["backbone = 3 is not allowed. Give a text in quotes."]),
        ({"backbone": " "}, ['backbone = " " is not allowed.']),
        (
            {"images": 3, "classes": None},
            ["images = 3 is not allowed. Give the name of a file or folder"],
        ),
        ({"images": [1]}, ["images = [1] is not allowed. Give the name of a file or folder"]),
        ({"ignore_folders": "perhaps"}, ["Give true or false."]),
        ({"strategy": "x" * 5000}, ["xxx... is not allowed. Give one of"]),
        ({"template": "a photo"}, ["a photo", "{} exactly once", "for example"]),
        ({"template": "{} and {}"}, ["{} exactly once"]),
        ({"template": ["a {}", "b"]}, ['template "b"', "{} exactly once"]),
        ({"template": ["a {}", "a {}"]}, ["stands twice"]),
        ({"template": 3}, ["template = 3", "several of them", "@FILE"]),
        ({"refinement": 3}, ["refinement = 3 is not allowed. Give a table: [refinement]"]),
        (
            {"refinement": {"neighbors": 3}},
            ['refinement: unknown setting "neighbors"', "neighbours"],
        ),
        ({"roundss": 3}, ['unknown setting "roundss"', "Known:", 'Did you mean "rounds"?']),
    ],
)
def test_what_is_not_allowed_is_said_with_what_is(
    options: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        project(FILES | options)
    for word in words:
        assert word in str(caught.value)
    assert "Input should" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_an_empty_name_of_a_file_is_refused(tmp_path: Path) -> None:
    path = toml(tmp_path, 'images = "a"\nclasses = "b"\nlabels = ""\n')
    with pytest.raises(ConfigError, match=r"labels is empty\. Give the name of a file"):
        project({}, path)


def test_an_error_names_the_place_where_the_setting_was_written(tmp_path: Path) -> None:
    path = toml(tmp_path, 'images = "a"\nclasses = "b"\nseed = -4\nstrateggy = "grip"\n')
    with pytest.raises(ConfigError) as caught:
        project({"k": 0}, path)
    text = str(caught.value)
    assert f"{path}: seed = -4" in text
    assert f'{path}: unknown setting "strateggy"' in text
    assert 'Did you mean "strategy"?' in text
    assert "command line: k = 0" in text


def test_an_unknown_key_is_named_before_what_is_missing_and_before_a_file_is_read(
    tmp_path: Path,
) -> None:
    for text in (
        "strateggy = 1\n",
        'images = "a"\nclasses = "b"\nstrateggy = 1\ntemplate = "@nowhere.txt"\n',
        'strateggy = 1\nencoding = "utf-9"\n',
    ):
        path = toml(tmp_path, text)
        with pytest.raises(ConfigError) as caught:
            project({}, path)
        assert f'{path}: unknown setting "strateggy"' in str(caught.value)
        assert 'Did you mean "strategy"?' in str(caught.value)


def test_a_project_without_images_or_classes_says_how_to_give_them() -> None:
    with pytest.raises(ConfigError, match=r"no images given\. Give IMAGES"):
        project({"classes": "c"})
    with pytest.raises(ConfigError, match=r"no classes given\. Give --classes FILE"):
        project({"images": "i"})


@pytest.mark.parametrize("text", ["images = ", "= 3", 'a = "\xff'])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, text: str) -> None:
    path = toml(tmp_path, "")
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"not valid TOML|no TOML"):
        project({}, path)
    with pytest.raises(ConfigError, match="cannot be read"):
        project({}, tmp_path / "gone.toml")


@pytest.mark.parametrize(
    "text",
    [
        "rounds = １０\n",
        "images = “x”\n",
        r'images = "C:\Users\x"',
        r'images = "C:\data\x"',
        'images = "x\nseed = 1\n',
        'images = "x"\nimages = "y"',
        'eye = ["x"',
        "ｉmages = 1",
        "images",
        "seed = 1 2",
        f"seed = {'9' * 9000}",
    ],
)
def test_what_is_wrong_in_a_project_file_is_said_in_japanese(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="is not valid TOML") as caught:
        project({}, toml(tmp_path, text))
    said = Words("ja").translated(caught.value.sentence).replace(str(tmp_path), "")
    assert not re.search("[A-Za-z]{3}", said.replace("project.toml", "").replace("TOML", "")), said


def test_a_wrong_setting_is_found_without_importing_torch() -> None:
    code = (
        "import sys\nfrom clipgrip.config import project\n"
        "try: project({'images': 'i', 'classes': 'c', 'rounds': 0})\n"
        "except Exception as error: print(error)\n"
        "print([name for name in ('torch', 'numpy', 'transformers') if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "rounds = 0 is not allowed" in told.stdout
    assert told.stdout.endswith("[]\n")


def test_a_file_of_templates_that_is_not_there_is_named_as_data(tmp_path: Path) -> None:
    gone = tmp_path / "gone.txt"
    with pytest.raises(DataError, match=r"gone\.txt: cannot be read"):
        checked(Settings, {"template": f"@{gone}"}, lambda _: "here")


@pytest.mark.parametrize(
    "text",
    [
        ".".join(["a"] * 5000) + " = 1",
        "[" + ".".join(["a"] * 5000) + "]",
        "b = {" + ".".join(["a"] * 5000) + " = 1}",
        "seed = " + "[" * 5000,
        "seed = " + "{a=" * 5000,
        "seed = " + "9" * 60_000,
        *(f"{'a.' * 990}a = 'x'", f"seed = {'[' * 400}{']' * 400}"),
    ],
)
def test_settings_that_are_nested_without_end_are_refused_in_a_sentence(
    tmp_path: Path, text: str
) -> None:
    with pytest.raises(ConfigError, match=r"project\.toml"):
        project(FILES, toml(tmp_path, text))


def test_a_file_of_other_things_is_not_repeated_line_by_line(tmp_path: Path) -> None:
    path = toml(tmp_path, "".join(f"[other{n}]\n" for n in range(3000)))
    with pytest.raises(ConfigError) as caught:
        project(FILES, path)
    assert 'unknown setting "other' in str(caught.value)
    assert str(caught.value).count("\n") < 30
