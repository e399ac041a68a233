"""The sheet Decision is of one day and its assumptions: it says so, and warns once the yellow cells were edited."""

from __future__ import annotations

from xlsxwriter.utility import quote_sheetname, xl_rowcol_to_cell

from clipgrip.report.board.formulas import COLUMNS, FIRST, quoted
from clipgrip.report.board.results import Results
from clipgrip.report.board.savings import CASES
from clipgrip.words import Words


def as_of(results: Results, say: Words) -> str:
    """What the sheet rests on, and how to get one that rests on other assumptions."""
    return say(
        "This sheet is as of {made}, with the assumptions of that day. It does not follow the yellow cells of the "
        "sheet {sheet}; for a decision with other assumptions, make the report again with them (--assume).",
        made=say.date(results.facts.made),
        sheet=say("Savings"),
    )


def warning_formula(results: Results, say: Words) -> str:
    """Empty while each yellow cell holds the number that it was written with, or still none; else a warning."""
    warning = say(
        "The assumptions were changed after {made}: hours, cost and payback on this sheet are out of date, and so "
        "may the decision be. Those on the sheet {sheet} are up to date.",
        made=say.date(results.facts.made),
        sheet=say("Savings"),
    )
    same = ",".join(_same(cell, value) for cell, value in _edited(results, say).items())
    return f'=IF(AND({same}),"",{quoted(warning)})'


def _edited(results: Results, say: Words) -> dict[str, float | None]:
    """Every yellow cell that holds a number of its own, and that number."""
    where = quote_sheetname(say("Savings"))
    cells: dict[str, float | None] = {f"{where}!$D$3": results.savings.spread}
    for number, one in enumerate(results.savings.assumptions):
        for case in CASES:
            if case == "middle" or case in one.fixed:
                cell = xl_rowcol_to_cell(FIRST + number, COLUMNS[case], True, True)
                cells[f"{where}!{cell}"] = one.of(case)
    return cells


def _same(cell: str, value: float | None) -> str:
    if value is None:
        return f"COUNT({cell})=0"
    near = max(1e-9, 1e-9 * abs(value))  # a formula keeps 15 digits of a number
    return f"COUNT({cell})=1,ABS(N({cell})-{value:.15g})<={near:.12f}"
