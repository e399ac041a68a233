"""An audit that draws each predicted class apart, from its sheet to the decisions, and what it is never mixed with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from projects import Told, command, rows

from clipgrip.data.tables import write_csv
from clipgrip.report.audited import audited
from clipgrip.runs.reopen import reopen

LOOSE = ("--max-error", 0.6, "--confidence", 0.5)


@pytest.fixture
def folder(finished: Path, quick: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


@pytest.fixture
def predicted(folder: Path) -> dict[str, str]:
    return {row["path"]: row["label"] for row in rows(folder / "predictions.csv")}


def draw(
    capsys: pytest.CaptureFixture[str], folder: Path, name: str, *more: object
) -> tuple[Told, Path]:
    place = folder.parent / name
    return command(capsys, "audit", "draw", folder, "--out", place, *LOOSE, *more), place


def automate(capsys: pytest.CaptureFixture[str], folder: Path, sheet: Path, *more: object) -> Told:
    return command(capsys, "audit", "automate", folder, "--answers", sheet, *LOOSE, *more)


def fill(sheet: Path, truth: dict[str, str]) -> None:
    cells = [row | {"answer": truth[row["path"]]} for row in rows(sheet)]
    write_csv(sheet, list(cells[0]), [list(row.values()) for row in cells])


def test_a_sheet_by_class_is_filled_read_and_kept(
    folder: Path, predicted: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    told, sheet = draw(capsys, folder, "classes.csv", "--by-class")
    assert told.code == 0, told.err
    assert "new images drawn at random within" in told.out
    assert {row["audit"].split("-")[1].split(".")[0] for row in rows(sheet)} == {"class"}
    fill(sheet, predicted)
    read = command(capsys, "audit", "read", folder, "--answers", sheet)
    assert read.code == 0, read.err
    assert "measure each group and not all images together" in read.out
    told = automate(capsys, folder, sheet)
    assert told.code == 0, told.err
    assert "promise for each class apart: of all labels within the scope" in told.out
    assert "together" in told.out
    assert "proven, all" in told.out
    assert "audited  " not in told.out
    facts = json.loads(automate(capsys, folder, sheet, "--by-class", "--json").out)
    assert facts["decided_by_model"] > 0
    assert facts["planned"] is None
    assert set(facts["further"]) <= {scope["group"] for scope in facts["scopes"]}
    assert audited(folder, reopen(folder)) is None  # no sample of all images


def test_going_on_keeps_the_answers_and_draws_only_where_it_pays(
    folder: Path, predicted: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    told, sheet = draw(capsys, folder, "first.csv", "--by-class", "--count", 3)
    assert told.code == 0, told.err
    first = [row["path"] for row in rows(sheet)]
    assert 0 < len(first) <= 3
    fill(sheet, predicted)
    lines = automate(capsys, folder, sheet).out
    assert "draw on: clipgrip audit draw" in lines
    assert "--max-error 0.6 --confidence 0.5 --answers" in lines
    told, longer = draw(capsys, folder, "longer.csv", "--answers", sheet)
    assert told.code == 0, told.err
    assert f"answers taken over from {sheet}: {len(first)}" in told.out
    after = rows(longer)
    assert sorted(row["path"] for row in after[: len(first)]) == sorted(first)
    assert all(row["answer"] for row in after[: len(first)])
    assert not any(row["answer"] for row in after[len(first) :])
    fill(longer, predicted)
    assert "stop here" in automate(capsys, folder, longer).out
    told, _ = draw(capsys, folder, "none.csv", "--answers", longer)
    assert told.code == 2
    assert "nothing to draw" in told.err
    assert not (folder.parent / "none.csv").exists()


def test_misses_and_overkill_have_a_draw_of_their_own(
    folder: Path, predicted: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    told, sheet = draw(capsys, folder, "ok.csv", "--ok-class", "good part")
    assert told.code == 0, told.err
    fill(sheet, predicted)
    told = automate(capsys, folder, sheet)
    assert "promise for misses and for overkill apart" in told.out
    assert "for both together" in told.out
    told = automate(capsys, folder, sheet, "--ok-class", "scratch")
    assert told.code == 2
    assert "not mixed" in told.err


def test_the_two_ways_to_draw_are_not_mixed(
    folder: Path, predicted: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    _, uniform = draw(capsys, folder, "uniform.csv", "--count", 6)
    _, apart = draw(capsys, folder, "apart.csv", "--by-class")
    fill(uniform, predicted)
    fill(apart, predicted)
    told, _ = draw(capsys, folder, "new.csv", "--by-class", "--answers", uniform)
    assert told.code == 2
    assert "was drawn from all images alike, not class by class" in told.err
    told = automate(capsys, folder, apart, "--ok-class", "good part")
    assert told.code == 2
    assert "was drawn class by class, not by OK and not OK" in told.err
    both = [*rows(uniform), *rows(apart)]
    mixed = uniform.with_name("mixed.csv")
    write_csv(mixed, list(both[0]), [list(row.values()) for row in both])
    told = automate(capsys, folder, mixed)
    assert told.code == 2
    assert "rows of 2 draws" in told.err
    told = automate(capsys, folder, uniform, "--by-class")
    assert told.code == 0, told.err
    assert "audit draw --by-class proves as much with fewer answers" in told.out


def test_a_gap_within_a_class_is_refused(
    folder: Path, predicted: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    _, sheet = draw(capsys, folder, "apart.csv", "--by-class")
    fill(sheet, predicted)
    cells = rows(sheet)
    cells[0]["answer"] = ""
    write_csv(sheet, list(cells[0]), [list(row.values()) for row in cells])
    told = automate(capsys, folder, sheet)
    assert told.code == 2
    assert "without a gap" in told.err


def test_a_promise_that_no_class_could_keep_says_what_to_do(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = folder.parent / "apart.csv"
    told = command(capsys, "audit", "draw", folder, "--by-class", "--out", place)
    assert told.code == 2
    assert "no group has enough images to prove at most 2" in told.err
    assert "--max-error" in told.err
    assert not place.exists()
    told = command(
        capsys, "audit", "draw", folder, "--by-class", "--ok-class", "steel", "--out", place
    )
    assert told.code == 2
    assert "Give one of them" in told.err


@pytest.mark.parametrize(
    "kinds",
    [
        ("--by-class", "--to-measure"),
        ("--daily", 20, "--to-measure"),
        ("--daily", 20, "--by-class"),
    ],
    ids=str,
)
def test_kinds_of_draw_exclude_one_another(
    kinds: tuple[str | int, ...], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = folder.parent / "both.csv"
    told = command(capsys, "audit", "draw", folder, *kinds, "--out", place)
    assert (told.code, "Give one of them" in told.err, place.exists()) == (2, True, False)


def test_other_terms_on_the_same_answers_are_named(
    folder: Path, predicted: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    _, sheet = draw(capsys, folder, "uniform.csv", "--count", 6)
    fill(sheet, predicted)
    assert "note: the answers" not in automate(capsys, folder, sheet).out
    assert "note: the answers" not in automate(capsys, folder, sheet).out
    told = automate(capsys, folder, sheet, "--about", "decided")
    assert "read before under 1 other term." in told.out
    told = automate(capsys, folder, sheet, "--at-least", 0.9, "--json")
    assert json.loads(told.out)["other_terms_before"] == 2
