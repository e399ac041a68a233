"""The command that is named to go on with runs as it stands: quoted, with its options; and a sheet is told as one."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from projects import command, rows

from clipgrip.cli.promise_lines import next_sheet
from clipgrip.data.tables import write_csv

pytestmark = pytest.mark.usefixtures("quick")
TERMS = ("--max-error", "0.1", "--confidence", "0.9")


@pytest.fixture
def run(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(finished, tmp_path / "my run").name)


def named(text: str, verb: str) -> list[str]:
    """The words of the command that a line names."""
    return shlex.split(re.findall(rf"clipgrip (audit {verb} .+)", text)[-1])


def fill(sheet: Path, run: Path, most: int) -> None:
    truth = {row["path"]: row["label"] for row in rows(run / "predictions.csv")}
    cells = [{**row, "answer": truth[row["path"]]} for row in rows(sheet)]
    cells = [{**row, "answer": row["answer"] if n < most else ""} for n, row in enumerate(cells)]
    write_csv(sheet, list(cells[0]), [list(row.values()) for row in cells])


def test_a_plan_names_the_command_that_draws_it(run: Path, capsys: Any) -> None:
    asked = ("audit", "plan", run, "--automated", 0.3, "--max-error", 0.1, "--precision", 0.3)
    told = command(capsys, *asked)
    assert told.code == 0, told.err
    line = next(one for one in told.out.splitlines() if "draw them by" in one)
    assert "'my run'" in line
    assert line.endswith("--max-error 0.1")
    drawn = command(capsys, *named(line, "draw"), "--json")
    assert drawn.code == 0, drawn.err
    plan = json.loads(Path("pilot.json").read_text("utf-8"))
    assert f"--count {json.loads(drawn.out)['planned']}" in line, plan
    told = command(capsys, "audit", "plan", "--classes", "none.txt", "--count", 90)
    assert told.code == 2
    Path("none.txt").write_text("dent\nsteel\n")
    told = command(
        capsys, "audit", "plan", "--classes", "none.txt", "--count", 900, "--out", "q.json"
    )
    assert "draw them by: clipgrip audit draw RUN --count" in told.out
    assert "clipgrip audit draw RUN --to-measure --count" in told.out


def test_going_on_keeps_the_terms_and_names_a_sheet_that_is_not_there(
    run: Path, capsys: Any
) -> None:
    told = command(capsys, "audit", "draw", run, "--count", 6, *TERMS, "--out", "my sheet.csv")
    fill(Path("my sheet.csv"), run, 6)
    told = command(capsys, *named(told.out, "automate"))
    assert told.code == 0, told.err
    further = named(told.out, "draw")
    assert further[-2:] == ["--out", "my sheet-2.csv"]
    told = command(capsys, *further)
    assert told.code == 0, told.err
    read = named(told.out, "automate")
    assert (read[2], *read[-4:]) == ("my run", *TERMS)
    assert command(capsys, *read).code == 0


def test_measuring_goes_on_beside_the_sheet_that_was_read(run: Path, capsys: Any) -> None:
    place = Path("sub folder")
    place.mkdir()
    asked = ("audit", "draw", run, "--to-measure", "--count", 22, "--out", place / "m.csv")
    told = command(capsys, *asked)
    fill(place / "m.csv", run, 99)
    assert "m-2.csv" in command(capsys, "audit", "read", run, "--answers", place / "m.csv").out
    told = command(capsys, *named(told.out, "draw"))
    assert told.code == 0, told.err
    assert (place / "m-2.csv").is_file()


def test_the_next_sheet_counts_on(tmp_path: Path) -> None:
    assert next_sheet(tmp_path / "a.csv").name == "a-2.csv"
    (tmp_path / "a-2.csv").touch()
    assert next_sheet(tmp_path / "a.csv").name == "a-3.csv"
    assert next_sheet(tmp_path / "a-2.csv").name == "a-3.csv"
    assert next_sheet(tmp_path / "lot-b.csv").name == "lot-b-2.csv"


@pytest.mark.parametrize(
    ("language", "words"), [("en", "is more than there are"), ("ja", "より多い")]
)
def test_a_count_beyond_the_pool_is_said_with_what_is_possible(
    run: Path, capsys: Any, language: str, words: str
) -> None:
    told = command(
        capsys, "audit", "draw", run, "--count", 900, "--max-error", 0.3, "--lang", language
    )
    assert told.code == 0
    assert words in told.out
    assert re.search(r" \d+ answers can promise|\d+件の回答で画像の半分", told.out)


@pytest.mark.parametrize("asked", ["predict", "watch look"])
def test_a_sheet_is_no_new_image(run: Path, capsys: Any, asked: str) -> None:
    command(capsys, "audit", "draw", run, "--count", 6, "--out", "a sheet.csv")
    measuring = ("audit", "draw", run, "--to-measure", "--count", 6, "--out", "m.csv")
    command(capsys, *measuring)
    command(capsys, "labels", "suggest", run, "--out", "s.csv", "--count", 3)
    told = command(capsys, *asked.split(), run, "a sheet.csv", "--out", "p.csv")
    assert (told.code, "is the sheet of a random audit" in told.err) == (2, True)
    assert "clipgrip audit read 'my run' --answers 'a sheet.csv'" in told.err
    told = command(capsys, *asked.split(), run, "m.csv", "--out", "p.csv", "--lang", "ja")
    assert "clipgrip audit read 'my run' --answers m.csv" in told.err
    assert "新しい画像ではありません" in told.err
    told = command(capsys, *asked.split(), run, "s.csv", "--out", "p.csv")
    assert (told.code, "--labels s.csv" in told.err) == (2, True)
    assert not Path("p.csv").exists()
