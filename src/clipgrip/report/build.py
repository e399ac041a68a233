"""The report of a run as one HTML page that asks for nothing from outside."""

from __future__ import annotations

from clipgrip.markup import page
from clipgrip.report.accuracy import accuracy
from clipgrip.report.at_work import at_work
from clipgrip.report.bias import bias_section
from clipgrip.report.classes import SHOWN, WORST, class_rows, spread_sentences
from clipgrip.report.confidence import confidence
from clipgrip.report.details import tables
from clipgrip.report.facts import RunFacts
from clipgrip.report.mixups import mixups
from clipgrip.report.names import names_section
from clipgrip.report.pictures import errors, galleries
from clipgrip.report.reading import Reading
from clipgrip.report.refining import refining
from clipgrip.report.steps import steps
from clipgrip.report.trends import plots, round_rows
from clipgrip.report.verdict import verdict
from clipgrip.words import Language, Words


def build_report(facts: RunFacts, language: Language = "en") -> str:
    """The page of a finished run; all text from outside is shown as text.

    ConfigError: there is no catalogue for the language.
    """
    say, run = Words(language), Reading(facts)
    classes = class_rows(run)
    return page(
        "clipgrip.report",
        "report.html",
        say=say,
        run=run,
        verdict=verdict(run, say),
        accuracy=accuracy(facts.history, say),
        confidence=confidence(run, say),
        plots=plots(run, say),
        rounds=round_rows(run, say),
        refining=refining(run, say),
        classes=classes,
        shown=classes if len(classes) <= SHOWN else classes[:WORST],
        spread=spread_sentences(run, say),
        doubted=names_section(run, say),
        mixups=mixups(run),
        bias=bias_section(run, say),
        errors=errors(run),
        galleries=galleries(run, [row.position for row in classes]),
        steps=steps(run, say),
        tables=tables(run, say),
        work=None
        if facts.work is None
        else at_work(facts.work, facts.class_names, say, facts.folder),
    )
