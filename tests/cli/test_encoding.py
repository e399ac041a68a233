"""Every command that reads a person's text file takes its encoding, by one option."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
from projects import Place, command, rows

from clipgrip import GripClassifier
from clipgrip.data.classes import ClassNames
from clipgrip.data.text import in_utf8
from clipgrip.errors import ConfigError, DataError
from clipgrip.review.web.server import serve

READS = {
    "run": ["x", "--classes", "classes.txt"],
    "labels suggest": ["x"],
    "predict": ["x", "x"],
    "audit draw": ["x"],
    "audit read": ["x", "--answers", "a.csv"],
    "audit automate": ["x", "--answers", "a.csv"],
    "audit plan": [],
    "bench stress": [],
    "report": ["x"],
    "init": [],
    "review": ["x"],
}
"""Commands, and what they cannot be called without."""
GERMAN = ("Kratzer", "Größe", "gut", "Stahl")
"""In cp1252 neither UTF-8 nor Japanese."""


@pytest.fixture
def german(place: Place, tmp_path: Path, quick: pytest.MonkeyPatch) -> Path:
    """The working folder, with classes and labels as German Windows writes them."""
    quick.chdir(tmp_path)
    (tmp_path / "classes.txt").write_bytes("\n".join(GERMAN).encode("cp1252"))
    labels = ["path,label", *(f"{path},Größe" for path in list(place.truth)[:2])]
    (tmp_path / "labels.csv").write_bytes("\n".join(labels).encode("cp1252"))
    return tmp_path


@pytest.mark.parametrize("name", READS)
def test_the_option_is_one_and_an_unknown_encoding_is_refused_by_all(
    german: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = command(capsys, *name.split(), "--help")
    assert "--encoding" in listed.out
    told = command(capsys, *name.split(), *READS[name], "--encoding", "klingon")
    assert told.code == 2
    assert 'encoding "klingon" is unknown' in told.err


def test_suggest_and_pilot_read_what_german_windows_wrote(
    german: Path, place: Place, tiny_clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [
        "labels",
        "suggest",
        place.images,
        "--classes",
        "classes.txt",
        "--labels",
        "labels.csv",
    ]
    given += ["--backbone", tiny_clip, "--count", 2]
    told = command(capsys, *given)
    assert told.code == 2
    assert "--encoding" in told.err
    told = command(capsys, *given, "--encoding", "cp1252")
    assert told.code == 0, told.err
    assert [row["label"] for row in rows(Path("suggest.csv")) if row["label"]] == ["Größe"] * 2
    more = ["--classes", "classes.txt", "--count", 500, "--encoding", "cp1252"]
    told = command(capsys, "audit", "plan", *more)
    assert told.code == 0, told.err
    assert "Größe" in Path("pilot.json").read_text("utf-8")


def test_an_audit_in_another_encoding_is_read(
    german: Path, place: Place, tiny_clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--backbone", tiny_clip, "--strategy", "zero-shot", "--encoding", "cp1252"]
    told = command(capsys, "run", place.images, "--classes", "classes.txt", *more, "--out", "out")
    assert told.code == 0, told.err
    command(capsys, "audit", "draw", "out", "--count", 4)
    text = Path("audit.csv").read_text("utf-8-sig").splitlines()
    column = text[0].split(",").index("answer")
    cells = [line.split(",") for line in text]
    for line in cells[1:]:
        line[column] = "Größe"
    Path("audit.csv").write_bytes("\n".join(map(",".join, cells)).encode("cp1252"))
    given = ["audit", "automate", "out", "--answers", "audit.csv"]
    assert command(capsys, *given).code == 2
    told = command(capsys, *given, "--encoding", "cp1252")
    assert told.code == 0, told.err
    assert "answers: 4 given" in told.out


def test_init_writes_the_encoding_into_the_project(
    german: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("plant").mkdir()
    Path("plant/classes.csv").write_bytes("name,prompt\nGröße,size\ngut,good\n".encode("cp1252"))
    assert command(capsys, "init", "plant", "--encoding", "cp1252").code == 0
    assert 'encoding = "cp1252"' in Path("plant/project.toml").read_text("utf-8")


def test_the_classifier_reads_a_file_of_names_in_it(
    german: Path, place: Place, tiny_clip: Path
) -> None:
    given: dict[str, Any] = {"backbone": str(tiny_clip), "strategy": "zero-shot"}
    with pytest.raises(DataError, match="neither UTF-8 nor"):
        GripClassifier("classes.txt", **given).fit(str(place.images))
    model = GripClassifier("classes.txt", encoding="cp1252", **given).fit(str(place.images))
    assert tuple(model.class_names_) == ClassNames.from_names(GERMAN).display
    with pytest.raises(ConfigError, match="klingon"):
        GripClassifier("classes.txt", encoding="klingon", **given).fit(str(place.images))


def test_what_the_review_is_sent_is_read_in_the_encoding_it_was_started_with() -> None:
    assert "encoding" in inspect.signature(serve).parameters
    table = "path,label\na.png,Größe\n"
    assert in_utf8(table.encode("cp1252"), "cp1252").decode() == table
    for data in (table.encode(), table.encode("utf-8-sig"), table.encode("utf-16"), b"PK\x03\xff"):
        assert in_utf8(data, "cp1252") == data
    assert in_utf8(table.encode("cp1252"), None) == table.encode("cp1252")
    with pytest.raises(DataError, match="not cp932"):
        in_utf8(b"\x81", "cp932")
