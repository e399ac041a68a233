"""The sums of `board.savings` as Excel formulas over the cells of the assumptions."""

from __future__ import annotations

from collections.abc import Mapping

from clipgrip.report.board.savings import Case

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
