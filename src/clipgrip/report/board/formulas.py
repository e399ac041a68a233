"""The sums of `board.savings` as Excel formulas over the cells of the assumptions; what beside them stands still."""

from __future__ import annotations

from collections.abc import Mapping

from xlsxwriter.utility import quote_sheetname, xl_rowcol_to_cell

from clipgrip.report.board.results import Results
from clipgrip.report.board.savings import CASES, Case
from clipgrip.words import Words

FIRST = 5
"""Row (from 0) of the first assumption."""
COLUMNS: dict[Case, int] = {"cautious": 2, "middle": 3, "favourable": 4}
FORMULAS = {
    "hours_today": "{images_per_year}*{seconds_today}/3600",
    "hours_people": "{images_per_year}*(1-{share_model})*{seconds_review}/3600",
    "hours_upkeep": "{audits_per_year}*{seconds_today}/3600+{upkeep_hours}",
    "hours_saved": "{hours_today}-{hours_people}-{hours_upkeep}",
    "hours_start": "{answering_hours}+{setup_hours}",
    "hours_saved_first": "{hours_saved}-{hours_start}",
    "cost_start": "{hours_start}*{hourly_cost}+{purchase}",
    "cost_errors": "{images_per_year}*{share_model}*{error_rate}*{cost_per_error}",
    "cost_year": "{hours_upkeep}*{hourly_cost}+{yearly_cost}+{cost_errors}",
    "gain_year": "({hours_today}-{hours_people})*{hourly_cost}-{cost_year}",
    "payback_months": "12*{cost_start}/{gain_year}",
}
"""Each needs all cells that it names; a sum before it is a cell, too."""


def formula(key: str, cells: Mapping[str, str], unknown: str, never: str) -> str:
    """The formula of a sum; ``unknown`` while a cell that it needs holds no number, ``never`` where nothing is gained.

    ``cells`` is where each assumption and each earlier sum stands.
    """
    needed = _needed(FORMULAS[key])
    text = FORMULAS[key].format_map(cells)
    if key == "payback_months":
        text = f"IF({cells['gain_year']}>0,{text},{quoted(never)})"
    count = ",".join(cells[name] for name in needed)
    known = f"IF(COUNT({count})={len(needed)},{text},{quoted(unknown)})"
    if key == "cost_errors":  # what costs nothing is nothing, whatever its number
        cost = cells["cost_per_error"]
        return f"=IF(AND(COUNT({cost})=1,{cost}=0),0,{known})"
    return f"={known}"


def spread_formula(better: int, case: str, middle: str, spread: str, *, is_share: bool) -> str:
    """The cautious or favourable value as the middle one less or more by the spread; a share stays at most 1."""
    sign = "+" if (better > 0) == (case == "favourable") else "-"
    text = f"{middle}*(1{sign}{spread})" if better else middle
    text = f"MIN(1,{text})" if is_share and better else text
    return f'=IF(COUNT({middle})=1,{text},"")'


def _needed(text: str) -> list[str]:
    names = [part.split("}")[0] for part in text.split("{")[1:]]
    return list(dict.fromkeys(names))


def quoted(text: str) -> str:
    """A text within a formula."""
    return '"' + text.replace('"', '""') + '"'


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
