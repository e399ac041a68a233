"""The figures that stand beside each other: accuracy, misses, overkill, work saved and what it costs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

from clipgrip.metrics import Share
from clipgrip.report.board.results import Results
from clipgrip.report.board.savings import CASES, Assumption, Sums
from clipgrip.report.board.verdict import value_text, withdrawn_part, withdrawn_text
from clipgrip.words import Words, mark

FEW = 10
SHOWN = 10
"""Classes in the table of the page; the sheet has all."""


@dataclass(frozen=True)
class BoardFigure:
    """A figure with what it is, and the letters of the sources it comes from."""

    label: str
    value: str
    note: str
    sources: str


@dataclass(frozen=True)
class MoneyRow:
    """A sum in the three cases."""

    label: str
    cells: tuple[str, str, str]
    strong: bool


SUMS = {
    "hours_today": mark("Hours of judging by people today, per year"),
    "hours_people": mark("Hours of judging left to people, per year"),
    "hours_upkeep": mark("Hours of audit and upkeep, per year"),
    "hours_saved": mark("Hours saved, per year"),
    "hours_start": mark("Hours to start: answering and set-up"),
    "hours_saved_first": mark("Hours saved in the first year, after the start"),
    "cost_start": mark("Cost at start"),
    "cost_year": mark("Cost per year: upkeep, purchases, errors"),
    "gain_year": mark("Gain per year, after that cost"),
    "payback_months": mark("Payback in months"),
}
STRONG = frozenset({"hours_saved", "cost_start", "cost_year", "payback_months"})


def figures(results: Results, say: Words) -> tuple[BoardFigure, ...]:
    """Never accuracy alone: work saved and upkeep stand beside it."""
    return (
        _accuracy(results, say),
        _ok_share(say("Misses"), results.misses, results, say),
        _ok_share(say("Overkill"), results.overkill, results, say),
        *_decided(results, say),
        *_work(results, say),
    )


PROMISED = {
    "delivered": mark(
        "{n} of {total} images; of all labels within the scope, those put right in the audit among them, at most "
        "{error} are wrong, {sure} sure"
    ),
    "decided": mark("{n} of {total} images; at most {error} of them wrong, {sure} sure"),
    "source": mark(
        "{n} of {total} images; a new image of the same source is wrong in at most {error}, {sure} sure"
    ),
    "apart": mark(
        "{n} of {total} images; of the labels within the scope at most {error} are misses, and at most {error} "
        "overkill, {sure} sure"
    ),
}


def money_rows(results: Results, say: Words) -> tuple[MoneyRow, ...]:
    """All sums, cautious, middle, favourable."""
    sums = [results.savings.sums[case] for case in CASES]
    rows = []
    for key, label in SUMS.items():
        low, middle, high = (_sum_text(key, getattr(one, key), results, say) for one in sums)
        rows.append(MoneyRow(say(label), (low, middle, high), key in STRONG))
    return tuple(rows)


def quantity(value: float | None, say: Words) -> str:
    """Whole above ten, with a decimal below; unknown where there is none."""
    if value is None:
        return say("unknown")
    text = (
        f"{abs(value):,.0f}" if abs(value) >= FEW or value == int(value) else f"{abs(value):,.1f}"
    )
    return ("−" if value < 0 else "") + text


def assumption_text(one: Assumption, value: float | None, currency: str, say: Words) -> str:
    """A value in its unit."""
    if value is None:
        return say("unknown")
    unit = one.kind.unit
    if unit == "share":
        return say.percent(value)
    if unit == "money":
        return money(value, currency, say)
    if unit == "seconds":
        return say("{n} s", n=f"{value:.1f}")
    return say("{n} hours", n=quantity(value, say)) if unit == "hours" else quantity(value, say)


def money(value: float | None, currency: str, say: Words) -> str:
    """An amount with its currency."""
    text = quantity(value, say)
    return text if value is None else f"{text} {currency}".strip()


def evidence_text(results: Results, say: Words) -> str:
    """What the accuracy comes from."""
    evidence, accuracy = results.facts.evidence, results.accuracy
    if evidence is None or accuracy is None:
        return say(
            "Nobody has answered a random sample yet, so the accuracy is unknown. The model's own confidence is not an "
            "accuracy and is not taken for one."
        )
    total = say("{n} images", n=say.number(accuracy.total))
    if evidence.kind == "audit":
        return say(
            "From an audit: {images} drawn at random from {pool}, answered by people.",
            images=total,
            pool=say.number(evidence.pool),
        )
    return say(
        "Without an audit, from the test: {images} that people had labeled. They were not drawn at random, so new "
        "images may be answered less well.",
        images=total,
    )


def _accuracy(results: Results, say: Words) -> BoardFigure:
    """Beside what the commonest class throughout would give."""
    found = _share(say("Accuracy"), results.accuracy, say)
    if results.common is None or results.accuracy is None:
        return found
    name, share = results.common
    text = (
        say(
            "worse than “{name}” for every image: {share}",
            name=name,
            share=say.percent(share.value),
        )
        if results.accuracy.count < share.count
        else say("“{name}” for every image: {share}", name=name, share=say.percent(share.value))
    )
    return replace(found, note=f"{found.note}{say('; ')}{text}")


def _share(label: str, share: Share | None, say: Words) -> BoardFigure:
    if share is None or share.interval is None:
        return BoardFigure(label, say("unknown"), say("no image was answered for it"), "A")
    note = say(
        "95% interval {span}; {count} of {total}",
        span=say.span(share.interval),
        count=say.number(share.count),
        total=say.number(share.total),
    )
    return BoardFigure(label, say.percent(share.value), note, "A")


def _ok_share(label: str, share: Share | None, results: Results, say: Words) -> BoardFigure:
    if not results.ok_classes and results.accuracy is not None:
        note = say("no class was named as OK; each class stands below")
        return BoardFigure(label, say("unknown"), note, "A")
    return _share(label, share, say)


def _decided(results: Results, say: Words) -> list[BoardFigure]:
    automation = results.facts.automation
    labels = say("Decided by the model"), say("Left to people")
    if automation is None or not automation.by_model:
        fell = withdrawn_text(results, say)
        note = fell or say("no audit has proven a share yet")
        values = ("0%", "100%") if automation or fell else (say("unknown"),) * 2
        pairs = zip(labels, values, strict=True)
        return [BoardFigure(label, value, note, "B") for label, value in pairs]
    total = automation.by_model + automation.by_people
    model = say(
        PROMISED[automation.about],
        n=say.number(automation.by_model),
        total=say.number(total),
        error=say.percent(automation.max_error),
        sure=say.percent(automation.confidence, 0),
    )
    people = say(
        "{n} of {total} images", n=say.number(automation.by_people), total=say.number(total)
    )
    people += withdrawn_part(automation, say)
    shares = say.percent(automation.share), say.percent(1 - automation.share)
    notes = zip(labels, shares, (model, people), strict=True)
    return [BoardFigure(label, value, note, "B") for label, value, note in notes]


def promise_source(results: Results, say: Words) -> str:
    """Where the promise comes from, or that there is none that stands."""
    automation = results.facts.automation
    if automation is None:
        return withdrawn_text(results, say) or say(
            "No promise was made for this run; clipgrip audit automate makes one from an audit."
        )
    return say(
        "Risk control from a random audit, told on {said}: {wrong} wrong of {audited} audited images within the scope; "
        "file {where}.",
        said=say.date(automation.said_at),
        wrong=say.number(automation.wrong),
        audited=say.number(automation.audited),
        where=automation.where,
    )


def _work(results: Results, say: Words) -> list[BoardFigure]:
    low, middle, high = (results.savings.sums[case] for case in CASES)
    currency = results.facts.currency
    missing = say("assumptions are missing")
    first = per_year = missing
    if middle.hours_saved_first is not None:
        first = say(
            "{saved}; in the first year {first}",
            saved=_range(low.hours_saved, high.hours_saved, say),
            first=quantity(middle.hours_saved_first, say),
        )
    if middle.cost_year is not None:
        per_year = say(
            "per year {cost}, upkeep {hours} hours",
            cost=money(middle.cost_year, currency, say),
            hours=quantity(middle.hours_upkeep, say),
        )
    payback = value_text("payback", middle.payback_months, say)
    return [
        BoardFigure(say("Hours saved per year"), quantity(middle.hours_saved, say), first, "C D"),
        BoardFigure(say("Cost at start"), money(middle.cost_start, currency, say), per_year, "C D"),
        BoardFigure(say("Payback"), payback, _payback_range(low, high, say), "C D"),
    ]


def _range(low: float | None, high: float | None, say: Words) -> str:
    if low is None or high is None:
        return say("assumptions are missing")
    return say("{low} to {high}", low=quantity(low, say), high=quantity(high, say))


def _payback_range(cautious: Sums, favourable: Sums, say: Words) -> str:
    if cautious.payback_months is None or favourable.payback_months is None:
        return say("assumptions are missing")
    return say(
        "favourable {low}, cautious {high}",
        low=value_text("payback", favourable.payback_months, say),
        high=value_text("payback", cautious.payback_months, say),
    )


def _sum_text(key: str, value: float | None, results: Results, say: Words) -> str:
    if key == "payback_months":
        return say("never") if value == inf else say("unknown") if value is None else f"{value:.1f}"
    if key.startswith(("cost", "gain")):
        return money(value, results.facts.currency, say)
    return quantity(value, say)
