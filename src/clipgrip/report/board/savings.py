"""Hours and money: from assumptions, each with its source, to the sums that a board asks for.

Every formula here stands in the sheet as well (`board.sums`), so whoever doubts a value changes it there.
A sum that needs an unknown value is unknown (None).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, isfinite, isnan, nan, prod
from typing import Literal

from clipgrip.errors import ConfigError, among
from clipgrip.report.board.facts import BoardFacts, CaseValues
from clipgrip.words import Sentence, mark

Source = Literal["measured", "given", "default", "unknown"]
Case = Literal["cautious", "middle", "favourable"]
CASES: tuple[Case, ...] = ("cautious", "middle", "favourable")
SPREAD = 0.2
HOUR = 3600.0


@dataclass(frozen=True)
class Kind:
    """What may be assumed: ``better`` is +1 where more of it saves more, -1 where it costs, 0 where cases agree.

    Both kinds of seconds move together, for the same people judge: else the spread alone would seem to save time.
    """

    what: str
    unit: Literal["images", "seconds", "share", "hours", "money"]
    better: int
    default: float | None = None


KINDS: dict[str, Kind] = {
    "images_per_year": Kind(mark("Images to judge per year"), "images", 1),
    "seconds_today": Kind(mark("Seconds per image by a person, today"), "seconds", 1),
    "share_model": Kind(mark("Share of the images that the model decides"), "share", 1),
    "seconds_review": Kind(mark("Seconds per image that is left to people"), "seconds", 1),
    "audits_per_year": Kind(mark("Images audited per year, against drift"), "images", 0, 800),
    "upkeep_hours": Kind(mark("Hours of upkeep per year"), "hours", -1, 24),
    "answering_hours": Kind(mark("Hours of answering for this run"), "hours", 0),
    "setup_hours": Kind(mark("Hours of installation and training of staff"), "hours", -1, 16),
    "hourly_cost": Kind(mark("Cost of an hour of work"), "money", 0),
    "purchase": Kind(mark("Purchases at start"), "money", -1, 0),
    "yearly_cost": Kind(mark("Purchases per year"), "money", -1, 0),
    "error_rate": Kind(mark("Share of the model's decisions that are wrong"), "share", -1),
    "cost_per_error": Kind(mark("Cost of a wrong decision"), "money", -1, 0),
}
"""In the order of the sheet."""


@dataclass(frozen=True)
class Assumption:
    """A value in three cases, None where it is unknown, and where it comes from.

    ``fixed`` are the cases that do not follow from the middle by the spread.
    """

    key: str
    cautious: float | None
    middle: float | None
    favourable: float | None
    source: Source
    note: str = ""
    fixed: frozenset[Case] = frozenset()

    @property
    def kind(self) -> Kind:
        """What it is."""
        return KINDS[self.key]

    def of(self, case: Case) -> float | None:
        """Its value in a case."""
        return {"cautious": self.cautious, "middle": self.middle, "favourable": self.favourable}[
            case
        ]


@dataclass(frozen=True)
class Sums:
    """What follows from the assumptions of one case; None: unknown, ``inf`` months: never."""

    hours_today: float | None
    hours_people: float | None
    hours_upkeep: float | None
    hours_saved: float | None
    hours_start: float | None
    hours_saved_first: float | None
    cost_start: float | None
    cost_year: float | None
    gain_year: float | None
    payback_months: float | None


@dataclass(frozen=True)
class Savings:
    """All assumptions in their order, the spread, and the sums of each case."""

    assumptions: tuple[Assumption, ...]
    spread: float
    sums: Mapping[Case, Sums]

    def value(self, key: str) -> Assumption:
        """The assumption of that key."""
        return next(one for one in self.assumptions if one.key == key)


def savings(facts: BoardFacts) -> Savings:
    """Assumptions from what was measured, given or is the default, and their sums.

    ConfigError: an unknown key, or a value that is out of range.
    """
    for key, given in facts.assumed.items():
        _check(key, given)
    spread = facts.assumed["spread"].middle if "spread" in facts.assumed else SPREAD
    assumptions = tuple(_assumption(key, facts, spread) for key in KINDS)
    sums = {case: reckon({one.key: one.of(case) for one in assumptions}) for case in CASES}
    return Savings(assumptions, spread, sums)


def reckon(values: Mapping[str, float | None]) -> Sums:
    """The sums of one case.

    They are those of `formulas.FORMULAS`, which the sheet works out again. What is unknown counts as no number here,
    and so does all that follows from it.
    """
    known = {key: nan if value is None else value for key, value in values.items()}
    yearly, hourly = known["images_per_year"], known["hourly_cost"]
    today = yearly * known["seconds_today"] / HOUR
    people = yearly * (1 - known["share_model"]) * known["seconds_review"] / HOUR
    upkeep = known["audits_per_year"] * known["seconds_today"] / HOUR + known["upkeep_hours"]
    saved = today - people - upkeep
    start = known["answering_hours"] + known["setup_hours"]
    errors = wrong_decisions(values)
    cost_start = start * hourly + known["purchase"]
    cost_year = upkeep * hourly + known["yearly_cost"] + (nan if errors is None else errors)
    gain = (today - people) * hourly - cost_year
    is_known = not isnan(cost_start + gain)
    payback = (12 * cost_start / gain if gain > 0 else inf) if is_known else nan
    hours = (today, people, upkeep, saved, start, saved - start)
    sums = (*hours, cost_start, cost_year, gain, payback)
    return Sums(*(None if isnan(one) else one for one in sums))


def wrong_decisions(values: Mapping[str, float | None]) -> float | None:
    """Cost of the model's errors in a year; 0 where an error costs nothing, whatever their number."""
    if values["cost_per_error"] == 0:
        return 0.0
    needed = ("images_per_year", "share_model", "error_rate", "cost_per_error")
    known = [value for key in needed if (value := values[key]) is not None]
    return prod(known) if len(known) == len(needed) else None


def _assumption(key: str, facts: BoardFacts, spread: float) -> Assumption:
    found = facts.assumed.get(key)
    if found is not None:
        return _spread(key, found, spread, "given")
    seen = measured(key, facts)
    if seen is not None:
        value, note = seen
        return _spread(key, value, spread, "measured", note)
    default = KINDS[key].default
    if default is None:
        return Assumption(key, None, None, None, "unknown")
    return _spread(key, CaseValues(default), spread, "default")


def measured(key: str, facts: BoardFacts) -> tuple[CaseValues, str] | None:
    """A value that the run itself shows, and the file that holds it."""
    audit, review, automation = facts.audit_effort, facts.review_effort, facts.automation
    effort = {"seconds_today": audit or review, "seconds_review": review or audit}.get(key)
    if effort is not None:
        return CaseValues(effort.mean), effort.where
    if key == "answering_hours" and (audit or review):
        hours = sum(one.hours for one in (audit, review) if one is not None)
        return CaseValues(hours), (audit or review).where  # type: ignore[union-attr]
    if automation is None:
        return None
    if key == "share_model":
        return CaseValues(automation.share), automation.where
    if key == "error_rate" and automation.audited:
        rate = automation.wrong / automation.audited
        return CaseValues(rate, cautious=max(rate, automation.max_error)), automation.where
    return None


def _spread(
    key: str, given: CaseValues, spread: float, source: Source, note: str = ""
) -> Assumption:
    kind, middle = KINDS[key], given.middle
    most = 1.0 if kind.unit == "share" else inf
    factors: dict[Case, float] = {
        "cautious": 1 - kind.better * spread,
        "favourable": 1 + kind.better * spread,
    }
    ends: dict[Case, float | None] = {"cautious": given.cautious, "favourable": given.favourable}
    values = {
        case: min(most, middle * factors[case]) if end is None else end
        for case, end in ends.items()
    }
    fixed = frozenset(case for case, end in ends.items() if end is not None)
    return Assumption(key, values["cautious"], middle, values["favourable"], source, note, fixed)


def given(texts: list[str]) -> dict[str, CaseValues]:
    """``KEY=VALUE`` or ``KEY=CAUTIOUS:MIDDLE:FAVOURABLE``, as typed.

    ConfigError: not of that form, an unknown key, a key twice, or a value out of range.
    """
    found: dict[str, CaseValues] = {}
    for text in texts:
        key, _, value = (part.strip() for part in text.partition("="))
        parts = value.split(":")
        try:
            numbers = [float(part) for part in parts]
        except ValueError:
            numbers = []
        if not numbers and "," in value:
            commas = mark(
                '--assume "{text}": write numbers without commas, with a point before decimals, as in 3500 or 0.5.'
            )
            raise ConfigError(commas, text=text)
        if len(numbers) not in (1, 3):
            wanted = mark(
                '--assume "{text}": write KEY=VALUE or KEY=CAUTIOUS:MIDDLE:FAVOURABLE, as in seconds_today=4.'
            )
            raise ConfigError(wanted, text=text)
        if key in found:
            raise ConfigError('--assume "{key}" is given twice. Give it once.', key=key)
        ends = (
            CaseValues(numbers[0])
            if len(numbers) == 1
            else CaseValues(numbers[1], numbers[0], numbers[2])
        )
        _check(key, ends)
        if len(numbers) == 3 and numbers[1] != sorted(numbers)[1]:
            raise ConfigError(
                '--assume "{text}": the middle value lies outside of the two others. Write '
                "KEY=CAUTIOUS:MIDDLE:FAVOURABLE, as in seconds_today=3:4:6.",
                text=text,
            )
        found[key] = ends
    return found


def _check(key: str, value: CaseValues) -> None:
    if key not in KINDS and key != "spread":
        known = (*KINDS, "spread")
        text = mark('no assumption "{key}". Known: {known}.{nearest}')
        raise ConfigError(text, key=key, **among(key, known))
    share = key == "spread" or KINDS[key].unit == "share"
    for number in (value.cautious, value.middle, value.favourable):
        if number is None:
            continue
        if not isfinite(number) or number < 0 or (share and number > 1):
            allowed = Sentence("a share from 0 to 1") if share else Sentence("0 or more")
            raise ConfigError(
                "--assume {key}={number}: it has to be {allowed}.",
                key=key,
                number=f"{number:g}",
                allowed=allowed,
            )
