"""The rounds of a run: one plot for each question, and the table of all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from clipgrip.report.figures import count_bars, share_line
from clipgrip.report.reading import Reading
from clipgrip.words import Words


@dataclass(frozen=True)
class Plot:
    """A figure with its title and what to see in it."""

    title: str
    note: str
    svg: Markup


@dataclass(frozen=True)
class RoundRow:
    """One line of the table, ready to print."""

    number: str
    k: str
    chosen: str
    short: str
    changed: str
    coverage: str
    accuracy: str
    seconds: str


def plots(run: Reading, say: Words) -> list[Plot]:
    """Accuracy (with a test), pseudolabels, changes and coverage; none for fewer than two rounds."""
    if len(run.rounds) < 2:
        return []
    ticks = [str(entry["number"]) for entry in run.rounds]
    return [
        *_accuracy(run, say, ticks),
        *([] if run.takes_all else [_chosen(run, say, ticks)]),
        _changed(run, say, ticks),
        _coverage(run, say, ticks),
    ]


def _accuracy(run: Reading, say: Words, ticks: list[str]) -> list[Plot]:
    scores = [entry["test"] for entry in run.rounds if entry.get("test")]
    if not scores or len(scores) != len(ticks):
        return []
    level = run.before["accuracy"] if run.before else None
    svg = share_line(
        "accuracy",
        ticks,
        [s["accuracy"] for s in scores],
        intervals=[s["interval"] for s in scores],
        level=level,
    )
    note = say("Band: 95% interval. Dashed: zero-shot CLIP, {before}.", before=say.percent(level))
    return [Plot(say("Test accuracy by round"), note, svg)]


def _chosen(run: Reading, say: Words, ticks: list[str]) -> Plot:
    svg = count_bars("chosen", ticks, [int(entry["chosen"]) for entry in run.rounds])
    return Plot(
        say("Pseudolabels by round"), say("Images whose answer was trusted enough to tune on."), svg
    )


def _changed(run: Reading, say: Words, ticks: list[str]) -> Plot:
    svg = share_line("changed", ticks, [float(entry["changed"]) for entry in run.rounds])
    return Plot(
        say("Answers changed by round"), say("Against the round before. Near zero: settled."), svg
    )


def _coverage(run: Reading, say: Words, ticks: list[str]) -> Plot:
    shares = [float(entry["pool"]["coverage"]) for entry in run.rounds]
    svg = share_line("coverage", ticks, shares)
    return Plot(
        say("Classes that get answers, by round"),
        say("Below 100%: some class is never answered."),
        svg,
    )


def round_rows(run: Reading, say: Words) -> list[RoundRow]:
    """The rounds as text."""
    return [_row(entry, say) for entry in run.rounds]


def _row(entry: dict[str, Any], say: Words) -> RoundRow:
    test = entry.get("test")
    return RoundRow(
        number=str(entry["number"]),
        k=say.number(entry["k"]),
        chosen=say.number(entry["chosen"]),
        short=say.number(len(entry.get("short_classes", []))),
        changed=say.percent(entry["changed"]),
        coverage=say.percent(entry["pool"]["coverage"]),
        accuracy=say.percent(test["accuracy"] if test else None),
        seconds=say.seconds(entry.get("seconds", 0)),
    )
