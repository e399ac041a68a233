"""The sheet reckons as the page does, follows its yellow cells, and runs nothing that came as text."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from board_facts import MONEY, board_facts, version
from excel import Reckoner
from report_facts import HOSTILE, SURFACES

from clipgrip.report.board.facts import BoardFacts, CaseValues
from clipgrip.report.board.formulas import FORMULAS
from clipgrip.report.board.results import Results
from clipgrip.report.board.savings import CASES, KINDS, reckon, wrong_decisions
from clipgrip.report.board.sheet import COLUMNS, FIRST, build_sheet
from clipgrip.words import Language

openpyxl = pytest.importorskip("openpyxl")
OFFICE = shutil.which("soffice")
ROW = {key: FIRST + 1 + n for n, key in enumerate(KINDS)}
SUM_ROW = {key: FIRST + len(KINDS) + 3 + n for n, key in enumerate(FORMULAS)}
LETTER = {case: "ABCDEFG"[column] for case, column in COLUMNS.items()}


def book(facts: BoardFacts, language: Language = "en") -> Any:
    return openpyxl.load_workbook(io.BytesIO(build_sheet(facts, language)))


def shown(value: float | None) -> float | str:
    return "unknown" if value is None else "never" if value == inf else value


CASES_TO_RECKON: dict[str, dict[str, Any]] = {
    "all known": {},
    "nothing known": {
        "assumed": {}, "automation": None, "audit_effort": None, "review_effort": None,
    },
    "some known": {"assumed": {"hourly_cost": CaseValues(30.0)}},
    "three cases": {"assumed": {**MONEY, "share_model": CaseValues(0.6, 0.3, 0.99), "spread": CaseValues(0.5)}},
    "errors cost": {"assumed": {**MONEY, "cost_per_error": CaseValues(250.0)}},
    "a high share": {"assumed": {**MONEY, "share_model": CaseValues(0.97)}},
    "never": {"assumed": {**MONEY, "images_per_year": CaseValues(10.0)}},
}  # fmt: skip


def test_a_long_note_beside_a_figure_has_room_in_its_row() -> None:
    for language in ("en", "ja"):
        sheet = book(board_facts(), language).worksheets[0]
        notes = [row[3] for row in sheet.iter_rows() if isinstance(row[3].value, str)]
        for cell in notes:
            wide = sum(2 if ord(letter) > 0x2E80 else 1 for letter in cell.value)
            lines = 1 + wide // 66  # columns D to F hold 66 letters
            assert lines == 1 or sheet.row_dimensions[cell.row].height >= 15 * lines, cell.value


@pytest.mark.parametrize("name", CASES_TO_RECKON)
def test_every_sum_is_a_formula_and_gives_what_the_page_says(name: str) -> None:
    facts = board_facts(**CASES_TO_RECKON[name])
    sheet = book(facts)["Savings"]
    cells, sums = Reckoner(sheet), Results(facts).savings.sums
    for case in CASES:
        for key in FORMULAS:
            cell = f"{LETTER[case]}{SUM_ROW[key]}"
            assert sheet[cell].data_type == "f"
            if key == "cost_errors":
                continue
            assert cells[cell] == pytest.approx(shown(getattr(sums[case], key))), (case, key)


def test_what_a_viewer_shows_before_it_reckons_is_the_same() -> None:
    facts = board_facts(assumed={**MONEY, "cost_per_error": CaseValues(250.0)})
    values = openpyxl.load_workbook(io.BytesIO(build_sheet(facts)), data_only=True)["Savings"]
    cells = Reckoner(book(facts)["Savings"])
    for row in (*ROW.values(), *SUM_ROW.values()):
        for letter in LETTER.values():
            assert values[f"{letter}{row}"].value == pytest.approx(cells[f"{letter}{row}"])


@pytest.mark.parametrize("seed", range(20))
def test_the_sums_follow_any_change_of_the_yellow_cells(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sheet = book(board_facts())["Savings"]
    cells = Reckoner(sheet)
    values: dict[str, float | None] = {}
    for key, kind in KINDS.items():
        drawn = float(rng.uniform(0, 1 if kind.unit == "share" else 5000))
        values[key] = None if rng.random() < 0.04 else round(drawn, 3)
        cells.changed[f"D{ROW[key]}"] = values[key]
    sums = reckon(values)
    for key in FORMULAS:
        expected = wrong_decisions(values) if key == "cost_errors" else getattr(sums, key)
        assert cells[f"D{SUM_ROW[key]}"] == pytest.approx(shown(expected)), key


def test_cautious_and_favourable_follow_the_middle_and_the_spread() -> None:
    cells = Reckoner(book(board_facts())["Savings"])
    cells.changed |= {"D3": 0.1, f"D{ROW['share_model']}": 0.95, f"D{ROW['upkeep_hours']}": 100}
    assert cells[f"C{ROW['share_model']}"] == pytest.approx(0.855)
    assert cells[f"E{ROW['share_model']}"] == 1
    assert cells[f"C{ROW['upkeep_hours']}"] == pytest.approx(110)
    assert cells[f"E{ROW['upkeep_hours']}"] == pytest.approx(90)
    assert cells[f"C{ROW['hourly_cost']}"] == cells[f"D{ROW['hourly_cost']}"]
    cells.changed[f"D{ROW['share_model']}"] = None
    assert cells[f"C{ROW['share_model']}"] == ""
    assert cells[f"C{SUM_ROW['payback_months']}"] == "unknown"


def test_the_share_of_each_class_is_a_formula_over_its_counts() -> None:
    facts = board_facts(each=7)
    sheet = book(facts)["Classes"]
    cells = Reckoner(sheet)
    for row, one in enumerate(Results(facts).classes, 2):
        assert sheet[f"A{row}"].value == one.name
        assert cells[f"D{row}"] == pytest.approx(one.missed.value)
        assert cells[f"G{row}"] == pytest.approx(one.overkill.value)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_no_text_from_outside_becomes_a_formula_or_a_link(language: Language) -> None:
    names = ["=1+1", "+cmd|' /C calc'!A0", "-2", "@SUM(A1)", "https://evil.example/", *HOSTILE]
    bad = version(names, reason='=HYPERLINK("http://evil")', number=1)
    facts = board_facts(names, path="=A{}+\t1", versions=[bad], currency="=2+2", folder="=cmd")
    for sheet in book(facts, language):
        for row in sheet.iter_rows():
            for cell in row:
                assert cell.hyperlink is None
                if cell.data_type == "f":
                    assert cell.value.startswith(("=IF(",)), cell.value
                    assert "evil" not in cell.value


def test_the_same_facts_make_the_same_bytes() -> None:
    assert build_sheet(board_facts()) == build_sheet(board_facts())


def test_the_sheet_speaks_japanese() -> None:
    assert book(board_facts(), "ja").sheetnames == [
        "判定",
        "採算",
        "クラス別",
        "重大な誤判定",
        "根拠一覧",
    ]


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("name", CASES_TO_RECKON)
def test_the_decision_is_of_its_day_and_warns_once_an_assumption_was_edited(
    name: str, language: Language
) -> None:
    made = book(board_facts(**CASES_TO_RECKON[name]), language)
    decision, savings = made.worksheets[:2]
    texts = [cell.value for row in decision.iter_rows() for cell in row if cell.value]
    assert any("--assume" in text and "2026" in text for text in texts)
    (formula,) = [text for text in texts if text.startswith("=")]
    first = formula.index("(AND(") + 5
    conditions = formula[first : formula.index('),"",')].split(",")
    warning = formula[formula.index('),"",') + 6 : -2]
    assert len(warning) < 255  # Excel takes no longer text in a formula
    cells = Reckoner(savings)

    def warned() -> bool:
        return not all(holds(condition, cells) for condition in conditions)

    assert not warned()
    yellow = [
        cell.coordinate
        for row in savings.iter_rows(min_row=3, max_row=FIRST + len(KINDS))
        for cell in row
        if cell.fill.fgColor.rgb == "FFFFF6CC" and cell.data_type != "f"
    ]
    assert len(yellow) >= len(KINDS)
    for cell in yellow:
        for value in (12345.5, None):
            cells.changed = {cell: value}
            assert warned() == (cells[cell] != savings[cell].value)


def holds(condition: str, cells: Reckoner) -> bool:
    """``COUNT('Savings'!$D$6)=1`` or ``ABS(N(...)-600000)<=0.0006``."""
    found = re.fullmatch(
        r"(?:COUNT\((.+)!(\S+)\)=([01]))|(?:ABS\(N\((.+)!(\S+)\)-(.+)\)<=(.+))", condition
    )
    assert found, condition
    cell = (found[2] or found[5]).replace("$", "")
    if found[2]:
        return isinstance(cells[cell], int | float) == (found[3] == "1")
    value = cells[cell]
    number = value if isinstance(value, int | float) else 0
    return abs(number - float(found[6])) <= float(found[7])


@pytest.mark.slow
@pytest.mark.skipif(OFFICE is None, reason="LibreOffice is not installed")
def test_libreoffice_reckons_the_same_after_a_change(tmp_path: Path) -> None:
    facts = board_facts(SURFACES)
    changed = book(facts)
    changed["Savings"][f"D{ROW['images_per_year']}"] = 500_000
    changed.active = changed.sheetnames.index("Savings")
    changed.save(tmp_path / "changed.xlsx")
    profile = f"-env:UserInstallation=file://{tmp_path / 'profile'}"
    words = [str(OFFICE), profile, "--headless", "--convert-to", "xlsx:Calc MS Excel 2007 XML"]
    words += ["--outdir", str(tmp_path / "out"), str(tmp_path / "changed.xlsx")]
    subprocess.run(words, check=True, capture_output=True, timeout=120)
    told = openpyxl.load_workbook(tmp_path / "out" / "changed.xlsx", data_only=True)["Savings"]
    more = {**facts.assumed, "images_per_year": CaseValues(500_000.0)}
    sums = Results(board_facts(assumed=more)).savings.sums
    for case in CASES:
        for key in ("hours_saved", "cost_start", "cost_year", "payback_months"):
            value = told[f"{LETTER[case]}{SUM_ROW[key]}"].value
            assert value == pytest.approx(shown(getattr(sums[case], key))), (case, key)
