"""The verdict against the criteria that were fixed in advance, and what it hangs on."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from clipgrip.pilot.criteria import Criterion, Judgement
from clipgrip.report.board.facts import Automation
from clipgrip.report.board.results import JudgedCriterion, Results
from clipgrip.trust.scope import group_name
from clipgrip.words import Words, mark

WORDS: dict[Judgement, str] = {
    "yes": mark("Yes"),
    "conditions": mark("With conditions"),
    "no": mark("No"),
    "unknown": mark("Not decided yet"),
}
SYMBOLS: dict[Judgement, str] = {"yes": "○", "conditions": "△", "no": "×", "unknown": "?"}
WORST: tuple[Judgement, ...] = ("no", "unknown", "conditions")
CRITERIA = {
    "accuracy": mark("Accuracy"),
    "misses": mark("Misses"),
    "overkill": mark("Overkill"),
    "automated": mark("Decided by the model"),
    "payback": mark("Payback"),
}
BY_ANSWERS = mark(
    "Draw images at random and answer them, on the review page or with clipgrip audit draw."
)
HOW = {
    **dict.fromkeys(("accuracy", "misses", "overkill"), BY_ANSWERS),
    "automated": mark("Run clipgrip audit automate with the error that the criterion allows."),
    "payback": mark(
        "Give the missing assumptions with --assume, or fill the yellow cells of board.xlsx."
    ),
}


@dataclass(frozen=True)
class CriterionRow:
    """One criterion as it is read."""

    name: str
    note: str
    limit: str
    edge: str
    found: str
    span: str
    judgement: Judgement
    symbol: str
    word: str


@dataclass(frozen=True)
class VersionRow:
    """When criteria were fixed, against the first answer."""

    text: str
    used: bool


@dataclass(frozen=True)
class BoardVerdict:
    """The first thing on the page. Without criteria in advance, ``word`` is empty and ``tone`` is unknown."""

    tone: Judgement
    word: str
    symbol: str
    lead: str
    points: tuple[str, ...]
    rows: tuple[CriterionRow, ...]
    versions: tuple[VersionRow, ...]


def board_verdict(results: Results, say: Words) -> BoardVerdict:
    """The verdict and its reasons."""
    judgement = results.judgement
    versions = _versions(results, say)
    if judgement is None:
        return BoardVerdict("unknown", "", "", _no_criteria(results, say), (), (), versions)
    return BoardVerdict(
        judgement,
        say(WORDS[judgement]),
        SYMBOLS[judgement],
        _lead(results, judgement, say),
        tuple(
            _point(one, results, say)
            for kind in WORST
            for one in results.judged
            if one.judgement == kind
        ),
        tuple(_row(one, results.is_proven, say) for one in results.judged),
        versions,
    )


def value_text(name: str, value: float | None, say: Words) -> str:
    """A criterion's value: months for the payback, else percent."""
    if value is None:
        return say("unknown")
    if name != "payback":
        return say.percent(value)
    return say("never") if value == inf else say("{n} months", n=f"{value:.1f}".removesuffix(".0"))


def _no_criteria(results: Results, say: Words) -> str:
    facts = results.facts
    if not results.has_figures:
        return say("There is nothing to decide on yet: no figure is known.")
    if not facts.versions or facts.evidence is None:
        return say(
            "No criteria were fixed in advance, so this report gives no verdict. The figures are for you to judge."
        )
    return say(
        "The criteria were fixed on {made}, after the first answer on {first}. Criteria that follow the data are none, "
        "so this report gives no verdict.",
        made=say.date(facts.versions[0].made),
        first=say.date(facts.evidence.first),
    )


def _lead(results: Results, judgement: Judgement, say: Words) -> str:
    names = [
        say(CRITERIA[one.criterion.name]) for one in results.judged if one.judgement == judgement
    ]
    if judgement == "yes":
        return say(
            "All criteria that were fixed in advance are met: {names}.", names=say.names(names)
        )
    texts = {
        "conditions": mark("No criterion fails. Only within the band for conditions: {names}."),
        "no": mark("Not met, not even with conditions: {names}."),
        "unknown": mark("Nothing speaks against it yet, but not everything is measured: {names}."),
    }
    return say(texts[judgement], names=say.names(names))


def withdrawn_text(results: Results, say: Words) -> str:
    """That what was promised does not stand any more; empty where the model decides something, or nothing fell."""
    facts = results.facts
    if not facts.withdrawn or (facts.automation is not None and facts.automation.by_model):
        return ""
    return say(
        "The promise was withdrawn at work on {at}: daily answers showed more errors than promised. People decide "
        "until a new audit promises anew.",
        at=say.date(facts.withdrawn),
    )


def withdrawn_part(automation: Automation, say: Words) -> str:
    """Which groups of a promise were withdrawn at work while the others stand; empty where none was."""
    if not automation.fallen:
        return ""
    groups = [say.translated(group_name(one)) for one in automation.fallen]
    return say("; withdrawn at work, so people's too: {groups}", groups=say.names(groups, 6))


def _point(one: JudgedCriterion, results: Results, say: Words) -> str:
    criterion, found = one.criterion, one.found
    values = {
        "name": say(CRITERIA[criterion.name]),
        "value": value_text(criterion.name, found.value, say),
        "limit": value_text(criterion.name, criterion.limit, say),
        "edge": value_text(criterion.name, criterion.edge, say),
    }
    if one.judgement == "unknown":
        fell = withdrawn_text(results, say) if criterion.name == "automated" else ""
        return say(
            "{name} is unknown. {how}", name=values["name"], how=fell or say(HOW[criterion.name])
        )
    if one.judgement == "no":
        return say(
            "{name}: {value} is beyond the edge of the band, {edge}.",
            **values,
        )
    if found.value is not None and criterion.reaches(found.value, criterion.limit):
        return _unproven(one, values, say)
    return say(
        "{name}: {value} lies between the limit {limit} and the edge {edge}. Agree on what has to improve, and by "
        "when.",
        **values,
    )


def _unproven(one: JudgedCriterion, values: dict[str, str], say: Words) -> str:
    if one.criterion.name == "payback":
        return say(
            "{name}: {value} in the middle case keeps to the limit {limit}, but the cautious case does not. Replace "
            "assumptions by measured values.",
            **values,
        )
    if one.more is None:
        return say(
            "{name}: {value} reaches the limit {limit}, but the interval does not, and it is too close to prove it.",
            **values,
        )
    return say(
        "{name}: {value} reaches the limit {limit}, but the interval does not. About {more} further answers prove it, "
        "if the share stays.",
        **values,
        more=say.number(one.more),
    )


def _row(one: JudgedCriterion, proven: bool, say: Words) -> CriterionRow:
    criterion, found = one.criterion, one.found
    sign = ("≥ ", "≤ ")[not criterion.higher]
    return CriterionRow(
        say(CRITERIA[criterion.name]),
        criterion_note(criterion, proven, say),
        sign + value_text(criterion.name, criterion.limit, say),
        sign + value_text(criterion.name, criterion.edge, say),
        value_text(criterion.name, found.value, say),
        _span(one, say),
        one.judgement,
        SYMBOLS[one.judgement],
        say(WORDS[one.judgement]),
    )


def criterion_note(criterion: Criterion, proven: bool, say: Words) -> str:
    """What a criterion means, in a few words."""
    if criterion.name == "payback":
        return say("judged in the cautious case") if proven else say("judged in the middle case")
    if criterion.max_error is not None:
        return say(
            "at most {error} of its labels wrong, those put right in the audit among them",
            error=say.percent(criterion.max_error),
        )
    notes = {
        "accuracy": mark("share of the images answered right"),
        "misses": mark("share of the parts that are not OK answered as OK"),
        "overkill": mark("share of the OK parts answered as not OK"),
    }
    return say(notes[criterion.name])


def _span(one: JudgedCriterion, say: Words) -> str:
    if one.found.interval is None:
        return ""
    low, high = (value_text(one.criterion.name, end, say) for end in one.found.interval)
    if one.criterion.name == "payback" and one.found.interval[0] < inf:
        low = f"{one.found.interval[0]:.1f}".removesuffix(".0")  # the unit stands once
    return say("{low} to {high}", low=low, high=high)


def _versions(results: Results, say: Words) -> tuple[VersionRow, ...]:
    rows = []
    for one in results.facts.versions[-3:]:
        used = one == results.version
        text = say("Version {number}, fixed on {made}", number=one.number, made=say.date(one.made))
        if one.by:
            text += say(" by {name}", name=one.by)
        if one.reason:
            text += say(" because: {reason}", reason=one.reason)
        text += f" [{one.digest[:10]}]"
        rows.append(VersionRow(text + say(": ") + _standing(used, results, one.made, say), used))
    return tuple(rows)


def _standing(used: bool, results: Results, made: str, say: Words) -> str:
    evidence = results.facts.evidence
    if evidence is None:
        return say("no answers yet") if used else say("replaced")
    first = say.date(evidence.first)
    if used:
        return say("in force, before the first answer on {first}", first=first)
    from clipgrip.pilot.store import moment

    if moment(made) <= moment(evidence.first):
        return say("replaced before the first answer on {first}", first=first)
    return say("after the first answer on {first}, so not used", first=first)
