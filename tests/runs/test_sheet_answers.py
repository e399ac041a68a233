"""Audit sheets as they come back from a spreadsheet."""

from __future__ import annotations

from pathlib import Path

import pytest

from clipgrip.data.classes import ClassNames
from clipgrip.data.tables import parse_csv
from clipgrip.errors import DataError
from clipgrip.runs.audit_sheet import NO_IMAGE, Sheet
from clipgrip.runs.sheet_answers import answers_in

CLASSES = ClassNames.from_names(["good", "007"])
IMAGES = {"a.png": 0, "b.png": 1}
MARK = "0-1234567890abcdef-24"


def read(text: str) -> dict[int, int]:
    return answers_in(parse_csv(text, "s.csv"), IMAGES, CLASSES, NO_IMAGE)


def test_a_number_and_blanks_around_a_name_are_what_they_mean() -> None:
    assert read("path,answer\na.png, good\u3000\nb.png,7.0\n") == {0: 0, 1: 1}


@pytest.mark.parametrize("cell", ["GOOD", "ｇｏｏｄ", "“good”", "good.", "n/a", "?"])
def test_a_name_that_is_no_class_is_refused_with_its_line(cell: str) -> None:
    with pytest.raises(DataError, match=r"s\.csv line 3: unknown label"):
        read(f"path,answer\na.png,good\nb.png,{cell}\n")


@pytest.mark.parametrize("cells", ["good,007", ",007"])
def test_two_columns_of_answers_that_differ_are_refused(cells: str) -> None:
    with pytest.raises(
        DataError, match=r'line 3: the column "label" says "007", and "answer" says'
    ):
        read(f"path,answer,label\na.png,good,good\nb.png,{cells}\n")
    assert read("path,answer,label\na.png,good,\nb.png,007,007\n") == {0: 0, 1: 1}


STRANGE = {
    "a total": f"1,{MARK},a.png,good\n,Total,,\n",
    "a second heading": f"1,{MARK},a.png,good\nnumber,audit,path,answer\n",
    "merged cells": f"1,{MARK},a.png,good\n2,,b.png,good\n",
}


@pytest.mark.parametrize("rows", STRANGE.values(), ids=STRANGE)
def test_a_line_without_the_mark_of_the_draw_is_named(rows: str, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(f"number,audit,path,answer\n{rows}")
    with pytest.raises(DataError, match=r"s\.csv line 3: the column audit holds"):
        Sheet.read(tmp_path / "s.csv")


def test_sheets_of_two_draws_are_still_told_apart(tmp_path: Path) -> None:
    rows = f"1,{MARK},a.png,good\n2,1-{MARK[2:]},b.png,good\n"
    (tmp_path / "s.csv").write_text(f"number,audit,path,answer\n{rows}")
    with pytest.raises(DataError, match="rows of 2 draws"):
        Sheet.read(tmp_path / "s.csv")
