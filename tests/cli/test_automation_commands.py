"""An audit from its sheet to the decisions, and each sheet that is refused."""

from __future__ import annotations

import csv
import json
import shlex
import shutil
from pathlib import Path

import pytest
from projects import Place, Told, command, rows

from clipgrip.cli.promise_lines import verdict
from clipgrip.data.tables import write_csv
from clipgrip.runs.audit_store import promises, stored_answers
from clipgrip.runs.store import open_store

Cells = list[dict[str, str]]


@pytest.fixture
def folder(finished: Path, quick: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


@pytest.fixture
def sheet(folder: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    place = folder.parent / "audit.csv"
    told = command(capsys, "audit", folder, "--n", 12, "--out", place)
    assert told.code == 0, told.err
    return place


def test_a_draw_says_the_whole_command_that_reads_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, terms = folder.parent / "with space.csv", ("--max-error", 0.1, "--about", "source")
    told = command(capsys, "audit", "draw", folder, "--n", 5, "--out", out, *terms)
    (line,) = [one for one in told.out.splitlines() if "then: " in one]
    said = shlex.split(line.partition("then: ")[2])
    assert said[:4] == ["clipgrip", "audit", "automate", str(folder)]
    assert command(capsys, *said[1:]).code == 0
    assert said[-4:] == ["--max-error", "0.1", "--about", "source"]


def fill(sheet: Path, truth: dict[str, str], most: int = 99) -> Cells:
    cells = rows(sheet)
    for number, row in enumerate(cells):
        row["answer"] = truth[row["path"]] if number < most else ""
    return save(sheet, cells)


def save(sheet: Path, cells: Cells) -> Cells:
    write_csv(sheet, list(cells[0]), [list(row.values()) for row in cells])
    return cells


def automate(capsys: pytest.CaptureFixture[str], folder: Path, sheet: Path, *more: object) -> Told:
    return command(capsys, "automate", folder, "--answers", sheet, *more)


def test_a_filled_sheet_becomes_decisions_and_is_kept_with_who_and_when(
    place: Place, folder: Path, sheet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert all(row["answer"] == "" and "predicted" not in row for row in rows(sheet))
    fill(sheet, place.truth)
    loose = ("--max-error", 0.9, "--confidence", 0.5, "--by", "Sato")
    told = automate(capsys, folder, sheet, *loose, "--json")
    assert told.code == 0, told.err
    facts = json.loads(told.out)
    assert facts["answers_counted"] > 0
    decisions = rows(folder / "automation.csv")
    decided = [row for row in decisions if row["decided_by"] == "model"]
    assert len(decided) == facts["decided_by_model"]
    answered = {row["path"]: row["answer"] for row in rows(sheet)}
    people = {
        row["path"]: row["label"] for row in decisions if row["reason"].startswith("answered")
    }
    assert people == answered
    with open_store(folder) as store:
        run = store.run()
        assert run is not None
        assert len(stored_answers(store, run.id, facts["audit"])) == 12
        (said,) = promises(store, run.id)
    assert (said.said_by, said.facts) == ("Sato", facts)
    again = automate(capsys, folder, sheet, *loose)
    assert (
        "nothing promised yet: not proven, 50% sure, that of all labels within the scope, also those put right in the "
        "audit, at most 90% are wrong" in again.out
    )
    with open_store(folder) as store:
        assert len(promises(store, run.id)) == 2


def test_a_strict_promise_on_few_answers_leaves_all_to_people(
    place: Place, folder: Path, sheet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(sheet, place.truth, 5)
    for more in ((), ("--by-class",), ("--ok-class", "good part"), ("--about", "source")):
        told = automate(capsys, folder, sheet, *more)
        assert told.code == 0, told.err
        assert "the model decides 0 of" in told.out
        assert "nothing proven yet" in told.out
        assert "read by an exact test at the 12 answers planned" in told.out


def test_a_longer_draw_begins_with_the_same_images_and_another_seed_does_not(
    folder: Path, sheet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    longer, other = folder.parent / "longer.csv", folder.parent / "other.csv"
    command(capsys, "audit", folder, "--n", 16, "--out", longer, "--show-labels")
    command(capsys, "audit", folder, "--n", 12, "--out", other, "--seed", 1)
    first = [row["path"] for row in rows(sheet)]
    assert [row["path"] for row in rows(longer)][:12] == first
    assert [row["path"] for row in rows(other)] != first
    assert all(row["predicted"] for row in rows(longer))
    told = command(capsys, "audit", folder, "--out", longer)
    assert told.code == 2
    assert "exists" in told.err


def _no_class(cells: Cells) -> None:
    cells[0]["answer"] = "scrach"


def _no_image(cells: Cells) -> None:
    cells[0]["path"] = "elsewhere.png"


def _no_mark(cells: Cells) -> None:
    for row in cells:
        row["audit"] = ""


def _another(cells: Cells) -> None:
    for row in cells:
        row["audit"] = "0-0123456789abcdef"


def _gap(cells: Cells) -> None:
    cells[3]["answer"] = ""


def _undrawn(cells: Cells) -> None:
    del cells[0]


def _twice(cells: Cells) -> None:
    other = next(row["answer"] for row in cells if row["answer"] != cells[0]["answer"])
    cells.append({**cells[0], "answer": other})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_no_class, 'Did you mean "scratch"'),
        (_no_image, "is not an unlabeled image of this run"),
        (_no_mark, "drawn at random"),
        (_another, "predictions changed since"),
        (_gap, "without a gap"),
        (_undrawn, "without a gap"),
        (_twice, "two different answers"),
    ],
)
def test_a_sheet_that_proves_nothing_is_refused(
    spoil: object,
    message: str,
    place: Place,
    folder: Path,
    sheet: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cells = fill(sheet, place.truth)
    assert callable(spoil)
    spoil(cells)
    save(sheet, cells)
    told = automate(capsys, folder, sheet)
    assert told.code == 2
    assert message in told.err
    assert "Traceback" not in told.err


def test_an_answer_once_counted_is_not_changed(
    place: Place, folder: Path, sheet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = fill(sheet, place.truth)
    assert automate(capsys, folder, sheet).code == 0
    cells[0]["answer"] = next(row["answer"] for row in cells if row["answer"] != cells[0]["answer"])
    save(sheet, cells)
    told = automate(capsys, folder, sheet)
    assert told.code == 2
    assert "answered otherwise before" in told.err


def test_the_plan_stays_that_of_the_first_sheet_and_a_promise_names_what_it_is_of(
    place: Place, folder: Path, sheet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(sheet, place.truth)
    loose = ("--max-error", 0.9, "--confidence", 0.5)
    assert json.loads(automate(capsys, folder, sheet, *loose, "--json").out)["planned"] == 12
    longer = sheet.with_name("longer.csv")
    command(capsys, "audit", folder, "--n", 16, "--answers", sheet, "--out", longer)
    assert {row["audit"].split("-")[2] for row in rows(longer)} == {"12"}
    new = sheet.with_name("new.csv")
    command(capsys, "audit", folder, "--n", 16, "--out", new)
    fill(new, place.truth)
    again = json.loads(automate(capsys, folder, new, *loose, "--json").out)
    assert (again["planned"], again["answers_counted"]) == (12, 16)
    for about, words in (
        ("decided", "of the images that the model decides here"),
        ("pool", "of the images that the model decides here"),
        ("source", "a new image of the same source"),
        ("delivered", "of all labels within the scope"),
    ):
        assert words in automate(capsys, folder, new, "--about", about).out


def test_a_new_plan_is_not_taken_once_answers_of_the_draw_are_kept(
    place: Place, folder: Path, sheet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(sheet, place.truth)
    assert command(capsys, "audit", "read", folder, "--answers", sheet).code == 0
    unplanned = command(
        capsys, "audit", "draw", folder, "--n", 16, "--out", sheet.with_name("b.csv")
    )
    assert "so 16 is no plan: every answer is read by bets" in unplanned.out
    assert "Planned:" not in unplanned.out
    automate(capsys, folder, sheet, "--max-error", 0.9, "--confidence", 0.5)
    new = ("audit", "draw", folder, "--n", 14, "--out", sheet.with_name("c.csv"), "--json")
    assert json.loads(command(capsys, *new).out)["planned"] == 12
    other = ("audit", "draw", folder, "--n", 14, "--seed", 7, "--out", sheet.with_name("d.csv"))
    assert json.loads(command(capsys, *other, "--json").out)["planned"] == 14


def test_a_sheet_and_a_promise_of_version_0_1_stay_readable(
    place: Place, folder: Path, sheet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = fill(sheet, place.truth)
    save(sheet, [row | {"audit": row["audit"].rpartition("-")[0]} for row in cells])
    told = automate(capsys, folder, sheet)
    assert told.code == 0, told.err
    assert "read by bets on every answer" in told.out
    before = {"about": "pool", "look": 2, "max_error": 0.02, "confidence": 0.95, "pool": 24,
              "decided_by_model": 9, "answers_counted": 12, "scopes": []}  # fmt: skip
    lines = "\n".join(verdict(before, 12))
    assert "of the images that the model decides here, at most 2% are wrong" in lines
    assert "proven by looks at sizes fixed before" in lines


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--at-least", 3), "at-least is 3"),
        (("--max-error", 2), "between 0 and 1"),
        (("--about", "moon"), "Known: delivered, decided, source"),
        (("--ok-class", "goood part"), 'Did you mean "good part"'),
        (("--ok-class", "steel", "--by-class"), "Give one of them"),
    ],
)
def test_terms_that_make_no_sense_are_refused(
    more: tuple[object, ...], message: str, place: Place, folder: Path, sheet: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    fill(sheet, place.truth)
    told = automate(capsys, folder, sheet, *more)
    assert told.code == 2
    assert message in told.err


def test_a_sheet_saved_by_japanese_excel_is_read(
    place: Place, folder: Path, sheet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = fill(sheet, place.truth)
    with sheet.open("w", encoding="cp932", newline="") as file:
        writer = csv.DictWriter(file, [*cells[0], "備考"], delimiter=";")
        writer.writeheader()
        writer.writerows([{**row, "備考": "①"} for row in cells])
    assert automate(capsys, folder, sheet).code == 0


def test_a_longer_sheet_takes_the_answers_over(
    place: Place, folder: Path, sheet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(sheet, place.truth, most=7)
    longer = sheet.with_name("longer.csv")
    told = command(capsys, "audit", folder, "--n", 20, "--answers", sheet, "--out", longer)
    assert told.code == 0, told.err
    assert f"answers taken over from {sheet}: 7" in told.out
    before, after = rows(sheet), rows(longer)
    assert len(after) == 20
    assert after[:12] == before
    assert all(row["answer"] == "" for row in after[12:])


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--n", 5], "--count 5 would leave some out"),
        (["--seed", 3], "was drawn with --seed 0"),
        (["--out", "audit.csv"], "perhaps with answers in it"),
    ],
)
def test_a_longer_sheet_that_would_lose_answers_is_refused(
    place: Place,
    folder: Path,
    sheet: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    more: list[object],
    words: str,
) -> None:
    monkeypatch.chdir(sheet.parent)
    fill(sheet, place.truth, most=7)
    kept = sheet.read_bytes()
    told = command(capsys, "audit", folder, "--answers", sheet, "--out", "longer.csv", *more)
    assert told.code == 2
    assert words in told.err
    assert sheet.read_bytes() == kept
    assert not Path("longer.csv").exists()
