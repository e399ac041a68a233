"""The board's report as an Excel workbook: assumptions are cells to edit, sums are formulas that follow."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC
from math import inf
from typing import Any

import xlsxwriter
from xlsxwriter.utility import xl_rowcol_to_cell

from clipgrip.markup import printable
from clipgrip.pilot.store import moment
from clipgrip.report.board.facts import BoardFacts
from clipgrip.report.board.figures import SUMS, figures
from clipgrip.report.board.formulas import (
    COLUMNS,
    FIRST,
    FORMULAS,
    as_of,
    formula,
    spread_formula,
    warning_formula,
)
from clipgrip.report.board.notes import source_word, sources, unknowns
from clipgrip.report.board.results import Results
from clipgrip.report.board.savings import CASES, Assumption, Case, wrong_decisions
from clipgrip.report.board.verdict import board_verdict
from clipgrip.words import Language, Words, mark

LONGEST = 2000
"""Characters of a text in a cell; Excel takes 32,767."""
NOTE = 60
"""Letters that the note beside a key figure has in a line."""
ERRORS = mark("Cost of wrong decisions, per year")
EDIT = {"bg_color": "#FFF6CC", "border": 1, "border_color": "#C9B458", "valign": "vcenter"}
"""A yellow cell."""
HEAD = {"bold": True, "bg_color": "#E8EDF1", "text_wrap": True, "valign": "vcenter", "bottom": 1}
FORMATS: dict[str, dict[str, Any]] = {
    "text": {"text_wrap": True, "valign": "vcenter"},
    "beside": {"valign": "vcenter", "indent": 1},
    "bold": {"bold": True, "valign": "vcenter"},
    "title": {"bold": True, "font_size": 15},
    "verdict": {"bold": True, "font_size": 18, "font_color": "#0F6285"},
    "head": HEAD,
    "head number": {**HEAD, "align": "right"},
    "head beside": {**HEAD, "indent": 1},
    "warning": {"bold": True, "font_color": "#A33B20", "text_wrap": True, "valign": "vcenter"},
    "soft": {"font_color": "#54616C", "text_wrap": True, "valign": "vcenter"},
    "count": {"num_format": "#,##0", "valign": "vcenter"},
    "share": {"num_format": "0.0%", "valign": "vcenter"},
    "edit": {**EDIT, "num_format": "#,##0.0"},
    "edit whole": {**EDIT, "num_format": "#,##0"},
    "edit share": {**EDIT, "num_format": "0.0%"},
    "sum": {"num_format": "#,##0.0", "align": "right", "valign": "vcenter"},
    "money": {"num_format": "#,##0", "align": "right", "valign": "vcenter"},
}
EDITS = {"share": "edit share", "images": "edit whole", "money": "edit whole"}
"""By unit; what is not named has a decimal."""


@dataclass(frozen=True)
class _Book:
    """A workbook under way, its formats, and the texts."""

    book: Any
    formats: dict[str, Any]
    results: Results
    say: Words

    def sheet(self, title: str, widths: list[int]) -> Any:
        """A new sheet, printed one page wide."""
        made = self.book.add_worksheet(title)
        for column, width in enumerate(widths):
            made.set_column(column, column, width)
        made.set_paper(9)
        made.set_landscape()
        made.set_margins(left=0.5, right=0.5, top=0.6, bottom=0.6)
        made.fit_to_pages(1, 0)
        made.hide_gridlines(2)
        return made

    def text(self, sheet: Any, row: int, column: int, value: str, style: str = "text") -> None:
        """A cell that is text whatever it begins with."""
        sheet.write_string(row, column, printable(value)[:LONGEST], self.formats[style])

    def texts(self, sheet: Any, row: int, values: list[str], style: str = "text") -> None:
        """Cells beside each other."""
        for column, value in enumerate(values):
            self.text(sheet, row, column, value, style)

    def heads(self, sheet: Any, row: int, values: list[str], numbers: range = range(0)) -> None:
        """A line of heads, those over ``numbers`` at the right."""
        sheet.set_row(row, 32 if len(numbers) > 3 else 20)
        for column, value in enumerate(values):
            self.text(sheet, row, column, value, "head number" if column in numbers else "head")


def build_sheet(facts: BoardFacts, language: Language = "en") -> bytes:
    """The workbook's bytes; the same facts make the same bytes.

    ConfigError: there is no catalogue for the language, or an assumption is out of range.
    """
    out, say = io.BytesIO(), Words(language)
    safe = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    workbook = xlsxwriter.Workbook(out, {"in_memory": True, **safe})
    workbook.set_properties({"created": moment(facts.made).astimezone(UTC).replace(tzinfo=None)})
    workbook.set_calc_mode("auto")
    formats = {name: workbook.add_format(style) for name, style in FORMATS.items()}
    book = _Book(workbook, formats, Results(facts), say)
    _decision(book)
    _savings(book)
    _classes(book)
    _errors(book)
    _sources(book)
    workbook.close()
    return out.getvalue()


def _decision(book: _Book) -> None:
    say, results = book.say, book.results
    verdict = board_verdict(results, say)
    sheet = book.sheet(say("Decision"), [30, 18, 18, 18, 26, 22])
    book.text(sheet, 0, 0, say("Decision on automatic image judging"), "title")
    book.text(sheet, 1, 0, f"{verdict.symbol} {verdict.word}".strip(), "verdict")
    sheet.set_row(0, 22)
    sheet.set_row(1, 26)
    row = 2
    for text in (verdict.lead, *verdict.points, *(one.text for one in verdict.versions)):
        _across(book, sheet, row, text)
        row += 1
    row = _as_of(book, sheet, row) + 1
    if verdict.rows:
        heads = say("Criterion"), say("Yes"), say("With conditions"), say("Found")
        book.heads(sheet, row, [*heads, say("Interval or cases"), say("Judgement")])
        for one in verdict.rows:
            row += 1
            cells = [one.name, one.limit, one.edge, one.found, one.span, f"{one.symbol} {one.word}"]
            book.texts(sheet, row, cells)
        row += 2
    over_figures = [say("Key figures"), say("Found"), say("Source"), "", "", ""]
    book.heads(sheet, row, over_figures)
    for figure in figures(results, say):
        row += 1
        sheet.set_row(row, _height(figure.note, NOTE, 8))
        book.texts(sheet, row, [figure.label, figure.value, figure.sources])
        sheet.merge_range(row, 3, row, 5, "", book.formats["soft"])
        book.text(sheet, row, 3, figure.note, "soft")
    row += 2
    book.text(sheet, row, 0, say("What is not known"), "bold")
    for sentence in unknowns(results, say):
        row += 1
        _across(book, sheet, row, sentence)


def _as_of(book: _Book, sheet: Any, row: int) -> int:
    """When and with which assumptions this sheet was made, and a warning once they were edited; the row below."""
    _across(book, sheet, row, as_of(book.results, book.say))
    _across(book, sheet, row + 1, "")
    text = warning_formula(book.results, book.say)
    sheet.write_formula(row + 1, 0, text, book.formats["warning"], "")
    sheet.set_row(row + 1, 32)
    return row + 2


def _across(book: _Book, sheet: Any, row: int, text: str) -> None:
    """A sentence over all columns; merged cells do not grow by themselves."""
    sheet.merge_range(row, 0, row, 5, "", book.formats["text"])
    sheet.set_row(row, _height(text, 125, 6))
    book.text(sheet, row, 0, text)


def _height(text: str, letters: int, most: int) -> int:
    """Points of a line that takes a text over merged cells of so many letters; Japanese ones are two wide."""
    width = sum(2 if ord(letter) > 0x2E80 else 1 for letter in text)
    return 16 * min(most, 1 + width // letters)


def _savings(book: _Book) -> None:
    say, results = book.say, book.results
    sheet = book.sheet(say("Savings"), [46, 11, 15, 15, 15, 18, 16])
    book.text(sheet, 0, 0, say("Hours, cost and payback"), "title")
    book.text(sheet, 1, 0, say("Change the yellow cells; the sums below follow."), "soft")
    book.text(sheet, 2, 0, say("Cautious and favourable differ from the middle by"))
    sheet.write_number(2, 3, results.savings.spread, book.formats["edit share"])
    heads = [say("Assumption"), say("Unit"), *_cases(say), say("Source"), say("File")]
    book.heads(sheet, FIRST - 1, heads, range(2, 5))
    book.text(sheet, FIRST - 1, 5, say("Source"), "head beside")
    cells: dict[Case, dict[str, str]] = {case: {} for case in CASES}
    for number, one in enumerate(results.savings.assumptions):
        row = FIRST + number
        book.text(sheet, row, 0, say(one.kind.what))
        book.text(sheet, row, 1, _unit(one, results.facts.currency, say))
        for case in CASES:
            cells[case][one.key] = xl_rowcol_to_cell(row, COLUMNS[case])
            _assumption(book, sheet, row, case, one)
        book.text(sheet, row, 5, source_word(one.source, say), "beside")
        book.text(sheet, row, 6, one.note, "soft")
    _sums(book, sheet, FIRST + len(results.savings.assumptions) + 1, cells)


def _assumption(book: _Book, sheet: Any, row: int, case: Case, one: Assumption) -> None:
    """A number, or its formula from the middle by the spread; empty where nobody knows it."""
    style = book.formats[EDITS.get(one.kind.unit, "edit")]
    value, column = one.of(case), COLUMNS[case]
    if case == "middle" or case in one.fixed:
        if value is None:
            sheet.write_blank(row, column, None, style)
        else:
            sheet.write_number(row, column, value, style)
        return
    middle = xl_rowcol_to_cell(row, COLUMNS["middle"])
    text = spread_formula(one.kind.better, case, middle, "$D$3", is_share=one.kind.unit == "share")
    sheet.write_formula(row, column, text, style, "" if value is None else value)


def _sums(book: _Book, sheet: Any, top: int, cells: dict[Case, dict[str, str]]) -> None:
    say, results = book.say, book.results
    book.heads(sheet, top, [say("Sum"), say("Unit"), *_cases(say)], range(2, 5))
    for number, key in enumerate(FORMULAS):
        row = top + 1 + number
        money = key.startswith(("cost", "gain"))
        book.text(sheet, row, 0, say(SUMS.get(key, ERRORS)), "bold")
        unit = say("months") if key == "payback_months" else say("hours")
        book.text(sheet, row, 1, results.facts.currency if money else unit)
        for case in CASES:
            column, style = COLUMNS[case], book.formats["money" if money else "sum"]
            text = formula(key, cells[case], say("unknown"), say("never"))
            sheet.write_formula(row, column, text, style, _cached(results, case, key, say))
            cells[case][key] = xl_rowcol_to_cell(row, column)


def _cached(results: Results, case: Case, key: str, say: Words) -> float | str:
    """What the formula gives, for viewers that do not reckon."""
    sums = results.savings.sums[case]
    if key == "cost_errors":
        values = {one.key: one.of(case) for one in results.savings.assumptions}
        value = wrong_decisions(values)
    else:
        value = getattr(sums, key)
    if value is None:
        return say("unknown")
    return say("never") if value == inf else value


def _classes(book: _Book) -> None:
    say = book.say
    sheet = book.sheet(say("Classes"), [34, 12, 14, 16, 14, 14, 16])
    heads = (
        say("Class"), say("Images"), say("Missed: answered otherwise"), say("Share"), say("Given this name"),
        say("Overkill: of another class"), say("Share"),
    )  # fmt: skip
    book.heads(sheet, 0, list(heads), range(1, 7))
    for row, one in enumerate(book.results.classes, 1):
        book.text(sheet, row, 0, one.name)
        for column, share in ((1, one.missed), (4, one.overkill)):
            sheet.write_number(row, column, share.total, book.formats["count"])
            sheet.write_number(row, column + 1, share.count, book.formats["count"])
            total, count = xl_rowcol_to_cell(row, column), xl_rowcol_to_cell(row, column + 1)
            text = f'=IF({total}>0,{count}/{total},"")'
            value = "" if share.value is None else share.value
            sheet.write_formula(row, column + 2, text, book.formats["share"], value)


def _errors(book: _Book) -> None:
    say = book.say
    sheet = book.sheet(say("Worst errors"), [56, 26, 26, 14])
    heads = [say("Image"), say("Truth"), say("Answer"), say("Confidence")]
    book.heads(sheet, 0, heads, range(3, 4))
    for row, one in enumerate(book.results.facts.errors, 1):
        book.texts(sheet, row, [one.path, one.truth, one.answer])
        sheet.write_number(row, 3, one.confidence, book.formats["share"])


def _sources(book: _Book) -> None:
    say = book.say
    sheet = book.sheet(say("Sources"), [6, 110])
    for row, one in enumerate(sources(book.results, say)):
        book.text(sheet, row, 0, one.letter, "bold")
        book.text(sheet, row, 1, one.text)


def _cases(say: Words) -> tuple[str, str, str]:
    return say("Cautious"), say("Middle"), say("Favourable")


def _unit(one: Assumption, currency: str, say: Words) -> str:
    units = {
        "images": say("images"), "seconds": say("seconds"), "share": say("share"), "hours": say("hours"),
        "money": currency,
    }  # fmt: skip
    return units[one.kind.unit]
