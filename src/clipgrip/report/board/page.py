"""The board's report as one HTML page: one to three pages A4 when printed, and nothing from outside."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from clipgrip.markup import page
from clipgrip.report.board.doubts import doubts
from clipgrip.report.board.facts import BoardFacts
from clipgrip.report.board.figures import SHOWN, evidence_text, figures, money_rows
from clipgrip.report.board.first_figures import first_figures
from clipgrip.report.board.notes import assumption_rows, risks, sources, unknowns
from clipgrip.report.board.results import Results
from clipgrip.report.board.verdict import board_verdict
from clipgrip.words import Language, Words

_OPTION = re.compile(r"--[a-z][a-z-]*")


def build_board(facts: BoardFacts, language: Language = "en") -> str:
    """The page; all text from outside is shown as text.

    ConfigError: there is no catalogue for the language, or an assumption is out of range.
    """
    say, results = Words(language), Results(facts)
    return page(
        "clipgrip.report",
        "board.html",
        say=say,
        facts=facts,
        ok_classes=results.ok_classes,
        verdict=board_verdict(results, say),
        evidence="" if results.accuracy is None else evidence_text(results, say),
        no_break=no_break,
        to_do=first_figures(results, say),
        figures=figures(results, say),
        unknowns=_not_known(results, say),
        classes=results.classes,
        shown=results.classes[:SHOWN],
        money=money_rows(results, say),
        assumptions=assumption_rows(results, say),
        errors=facts.errors,
        risks=risks(results, say),
        sources=sources(results, say)[0 if results.has_figures else -1 :],
    )


def _not_known(results: Results, say: Words) -> tuple[str, ...]:
    """Without any figure each of the others would say once more that nothing is known."""
    if results.has_figures:
        return unknowns(results, say)
    return (*doubts(results, say), evidence_text(results, say))


def no_break(text: str) -> Markup:
    """The text with its command-line options kept on one line."""
    options = _OPTION.sub(r'<span class="option">\g<0></span>', str(escape(text)))
    return Markup(options)
