"""An audit that measures, from its two sheets to the figure, and what it is not read as."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from projects import Place, command, rows

from clipgrip.data.tables import write_csv
from clipgrip.runs.audit_sheet import Audit
from clipgrip.runs.audit_store import stored_audits, uniform_answers
from clipgrip.runs.measuring import MeasuringAudit
from clipgrip.runs.reopen import reopen
from clipgrip.runs.store import open_store


@pytest.fixture
def folder(finished: Path, quick: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def fill(sheet: Path, truth: dict[str, str], leave: int | None = None) -> None:
    cells = rows(sheet)
    for number, row in enumerate(cells):
        row["answer"] = "" if number == leave else truth[row["path"]]
    write_csv(sheet, list(cells[0]), [list(row.values()) for row in cells])


@pytest.fixture
def first(folder: Path, place: Place, capsys: pytest.CaptureFixture[str]) -> Path:
    """The filled sheet of the first phase."""
    sheet = folder.parent / "first.csv"
    drawn = command(capsys, "audit", "draw", folder, "--to-measure", "--count", 22, "--out", sheet)
    assert drawn.code == 0, drawn.err
    assert "Then draw the other" in drawn.out
    fill(sheet, place.truth)
    return sheet


def test_two_sheets_give_an_accuracy_with_its_interval_that_the_run_keeps(
    folder: Path, first: Path, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    second = folder.parent / "second.csv"
    more = ("--to-measure", "--answers", first, "--out", second)
    drawn = command(capsys, "audit", "draw", folder, *more)
    assert drawn.code == 0, drawn.err
    lines = rows(second)
    assert len(lines) == len({row["path"] for row in lines}) == 22
    assert [row["path"] for row in lines][: len(rows(first))] == [
        row["path"] for row in rows(first)
    ]
    fill(second, place.truth)
    told = command(capsys, "audit", "read", folder, "--answers", second, "--by", "Sato", "--json")
    assert told.code == 0, told.err
    facts = json.loads(told.out)
    answers = {row["path"]: row["label"] for row in rows(folder / "predictions.csv")}
    open_paths = [row["path"] for row in rows(folder / "predictions.csv")]
    pool = [path for path in open_paths if path not in place.test_paths]
    accuracy = sum(answers[path] == place.truth[path] for path in pool) / len(pool)
    overall = facts["measured"]["overall"]
    assert overall["low"] - 1e-9 <= accuracy <= overall["high"] + 1e-9
    assert overall["answers"] == 22
    assert sum(one["answers"] for one in facts["measured"]["classes"].values()) == 22
    with open_store(folder) as store:
        run = store.run()
        assert run is not None
        (kept,) = stored_audits(store, run.id)
        assert (kept.answers, kept.by) == (22, ("Sato",))
        assert (
            uniform_answers(store, run.id) == {}
        )  # they weigh unequally, so nothing else uses them
    shown = command(capsys, "audit", "read", folder, "--answers", second)
    assert "of the 24 images without a label are right" in shown.out


def test_a_sheet_of_the_former_strata_is_gone_on_with_read_and_kept_as_it_was_drawn(
    folder: Path, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome, nothing = reopen(folder), np.zeros(0, dtype=np.int64)
    asked = MeasuringAudit(Audit.of(outcome), former=True)
    sheet, again = folder.parent / "former.csv", folder.parent / "again.csv"
    drawn = asked.next_rows(22, nothing, nothing)
    asked.write_sheet(sheet, 22, nothing, nothing, drawn, show_labels=False)
    fill(sheet, place.truth)
    more = ("--to-measure", "--answers", sheet, "--out", again)
    assert command(capsys, "audit", "draw", folder, *more).code == 0
    fill(again, place.truth)
    told = command(capsys, "audit", "read", folder, "--answers", again, "--json")
    assert told.code == 0, told.err
    assert json.loads(told.out)["audit"] == asked.id
    ids = [asked.id, MeasuringAudit.of(outcome).id]
    found = [MeasuringAudit.of_id(outcome, one) for one in ids]
    assert [one and one.former for one in found] == [True, False]


def test_a_measuring_sheet_is_never_read_as_a_promise(
    folder: Path, first: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = command(capsys, "audit", "automate", folder, "--answers", first)
    assert told.code == 2
    assert "drawn to measure" in told.err
    assert "never a promise" in told.err
    assert not (folder / "automation.csv").exists()


def test_a_sheet_for_a_promise_is_not_gone_on_with_to_measure(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = folder.parent / "audit.csv"
    assert command(capsys, "audit", "draw", folder, "--count", 9, "--out", sheet).code == 0
    more = ("--to-measure", "--answers", sheet, "--out", folder.parent / "new.csv")
    told = command(capsys, "audit", "draw", folder, *more)
    assert told.code == 2
    assert "drawn for a promise" in told.err


def test_a_gap_or_another_run_s_sheet_is_refused(
    folder: Path, first: Path, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(first, place.truth, leave=0)
    told = command(capsys, "audit", "read", folder, "--answers", first)
    assert told.code == 2
    assert "without a gap" in told.err
    cells = rows(first)
    for row in cells:
        row["audit"] = "0-measure.0123456789abcdef-22"
    write_csv(first, list(cells[0]), [list(row.values()) for row in cells])
    told = command(capsys, "audit", "read", folder, "--answers", first)
    assert told.code == 2
    assert "were not drawn for the answers that this run gives now" in told.err


def test_few_answers_say_nothing_yet_and_fewer_planned_than_given_are_refused(
    folder: Path, first: Path, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ("--to-measure", "--answers", first, "--count", 3, "--out", folder.parent / "new.csv")
    told = command(capsys, "audit", "draw", folder, *more)
    assert told.code == 2
    assert "Give a larger one" in told.err
    told = command(capsys, "audit", "read", folder, "--answers", first)
    assert told.code == 0
    assert "nothing can be said yet: that takes 20 answers" in told.out
