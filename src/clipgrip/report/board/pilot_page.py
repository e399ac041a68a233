"""The plan of a pilot on one page: what is agreed before the data, what it needs, and what it can tell."""

from __future__ import annotations

from dataclasses import dataclass

from clipgrip import __version__
from clipgrip.markup import page
from clipgrip.pilot.plan import Need, Pilot, Plan
from clipgrip.pilot.store import Version
from clipgrip.report.board.verdict import CRITERIA, criterion_note, value_text
from clipgrip.words import Language, Words, mark

SHOWN = 8
"""Classes that are named on the page."""
PURPOSES = {
    "precision": mark("Accuracy known within ±{half} points"),
    "class precision": mark("Each class known within ±{half} points"),
    "accuracy": mark("Yes for the accuracy, if {truth} are right"),
    "misses": mark("Yes for the misses, if {truth} are missed"),
    "overkill": mark("Yes for the overkill, if {truth} are overkill"),
    "automated": mark("Yes for the share of the model, if {truth} of it are wrong"),
}


@dataclass(frozen=True)
class NeedRow:
    """What one purpose needs."""

    purpose: str
    answers: str
    normal: str
    images: str


@dataclass(frozen=True)
class ChanceTable:
    """How a criterion comes out, whatever the truth is."""

    title: str
    answers: str
    rows: tuple[tuple[str, str, str, str, str], ...]


def build_pilot(version: Version, worked: Plan, language: Language = "en") -> str:
    """The page; all text from outside is shown as text. ConfigError: there is no catalogue for the language."""
    say, pilot = Words(language), version.pilot
    return page(
        "clipgrip.report",
        "pilot.html",
        say=say,
        version=version,
        pilot=pilot,
        clipgrip=__version__,
        criteria=_criteria(pilot, say),
        images=say.number(worked.images),
        minutes=say.seconds(60 * worked.minutes),
        needs=[_need(one, say) for one in worked.needs],
        chances=_chances(pilot, worked, say),
        notes=_notes(pilot, worked, say),
    )


def _criteria(pilot: Pilot, say: Words) -> list[tuple[str, str, str, str]]:
    rows = []
    for one in pilot.criteria:
        sign = "≥ " if one.higher else "≤ "
        limit, edge = (sign + value_text(one.name, value, say) for value in (one.limit, one.edge))
        note = criterion_note(one, pilot.rule == "proven", say)
        rows.append((say(CRITERIA[one.name]), note, limit, edge))
    return rows


def _need(one: Need, say: Words) -> NeedRow:
    half = "" if one.half_width is None else f"{100 * one.half_width:g}"
    truth = "" if one.truth is None else f"{100 * one.truth:.4g}%"
    purpose = say(PURPOSES[one.purpose], half=half, truth=truth)
    unreachable = say("no number is enough")
    return NeedRow(
        purpose,
        unreachable if one.answers is None else say.number(one.answers),
        "–" if one.normal is None else say.number(one.normal),
        unreachable if one.images is None else say.number(one.images),
    )


def _chances(pilot: Pilot, worked: Plan, say: Words) -> list[ChanceTable]:
    tables = []
    for name, ones in worked.chances.items():
        rows = tuple(
            (
                f"{100 * one.truth:.4g}%",
                *(say.percent(value, 0) for value in (one.yes, one.conditions, one.no, one.normal)),
            )
            for one in ones
        )
        criterion = pilot.criterion(name)
        assert criterion is not None
        answers = say("{n} answers count", n=say.number(ones[0].answers))
        tables.append(ChanceTable(say(CRITERIA[name]), answers, rows))  # type: ignore[arg-type]
    return tables


def _notes(pilot: Pilot, worked: Plan, say: Words) -> list[str]:
    rule = (
        say(
            "Yes needs the worse end of the 95% interval beyond the limit; chance alone seldom gives a yes."
        )
        if pilot.rule == "proven"
        else say("Yes needs the share itself beyond the limit; at the limit, chance decides.")
    )
    notes = [
        rule,
        say(
            "The images are drawn at random, by clipgrip and not by people, and answered without seeing the model's "
            "answer."
        ),
        say(
            "{seconds} seconds for an answer are assumed, not measured. Sizes are reckoned with an accuracy of "
            "{assumed}, and probabilities of 80%.",
            seconds=f"{pilot.seconds:g}",
            assumed=say.percent(pilot.assumed),
        ),
        _shares(pilot, say),
        say(
            "For the precision of the accuracy alone, about {n} images are enough where they are drawn to measure "
            "(clipgrip audit draw --to-measure). Criteria and promises are judged by images drawn from all alike.",
            n=say.number(worked.to_measure),
        ),
    ]
    short = [one for one in worked.needs if one.images is None or one.images > pilot.images]
    if short:
        notes.append(
            say(
                "Where more images are needed than the {images} expected, a yes may stay out although the truth would "
                "earn it.",
                images=say.number(pilot.images),
            )
        )
    return notes


def _shares(pilot: Pilot, say: Words) -> str:
    given = [f"{name} {say.percent(share)}" for name, share in pilot.shares.items()]
    if not given:
        return say("All classes are assumed to be equally frequent.")
    if len(given) == len(pilot.classes):
        return say("Assumed shares of the classes: {names}.", names=say.names(given, SHOWN))
    return say(
        "Assumed shares of the classes: {names}; the others have the rest in equal parts.",
        names=say.names(given, SHOWN),
    )
