"""The stress test as one HTML page that asks for nothing from outside."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from clipgrip import __version__
from clipgrip.markup import templates
from clipgrip.report.figures import STROKES, curves, token
from clipgrip.sentences import Sentence
from clipgrip.stress.noise import KINDS
from clipgrip.stress.trial import RATES, RULES_TRIED
from clipgrip.words import Language, Words, mark

Rows = Sequence[dict[str, Any]]

NOISES = {
    "uniform": mark("Any wrong class"),
    "pairs": mark("Confused pairs"),
    "swallowed": mark("One class swallows others"),
}
WHAT_NOISE = {
    "uniform": mark("A wrong answer is any other class, each as likely."),
    "pairs": mark("A wrong answer is the class that the model takes it for most."),
    "swallowed": mark("A wrong answer is always the same class."),
}
EXPLAINED = {
    "own-best-class": mark("Every image, for its own best class."),
    "balanced": mark("As many of each class, the surest pairs of image and class first."),
    "everything": mark("Every image, with its probabilities as targets."),
}

BEST = mark(
    "The rule {rule} stands most: from {least} test accuracy without noise to {most} at {rate}."
)
WORST = mark("The rule {rule} stands least: from {least} to {most} at {rate}.")
GONE = mark(
    "This folder also holds results of what clipgrip no longer has: {names}. They stay in results.json."
)


@dataclass(frozen=True)
class Line:
    """One rule over the rates of noise."""

    name: str
    what: str
    color: str
    dashed: bool
    cells: tuple[str, ...]
    """Accuracy at each rate."""
    purity: str
    """Of what was chosen at the highest rate."""


@dataclass(frozen=True)
class StressPanel:
    """All rules under one kind of noise."""

    title: str
    note: str
    svg: Markup
    lines: tuple[Line, ...]


def build_stress(results: dict[str, Any], language: Language = "en") -> str:
    """The page of `bench.stress.stress`'s results. ConfigError: there is no catalogue for the language."""
    say = Words(language)
    return templates("clipgrip.report").get_template("stress.html").render(
        say=say,
        results=results,
        version=__version__,
        rates=[say.percent(rate, 0) for rate in RATES],
        best=_best(results, say),
        panels=[_panel(results["rows"], kind, say) for kind in KINDS],
    )  # fmt: skip


def standing(results: dict[str, Any]) -> list[tuple[str, float, float]]:
    """Rule, mean accuracy without noise and at the highest rate over all its kinds; best at the latter first."""
    rows = results["rows"]
    found = [
        (rule, _mean(_at(rows, "none", 0.0, rule)), _mean(_worst(rows, rule)))
        for rule in RULES_TRIED
    ]
    return sorted(found, key=lambda one: -one[2])


def gone(results: dict[str, Any]) -> list[Sentence]:
    """What the folder holds beside, of rules and losses that went since: a sentence, or none."""
    return [Sentence(GONE, names="; ".join(names))] if (names := results["gone"]) else []


def _best(results: dict[str, Any], say: Words) -> list[str]:
    """What stands the highest rate best and worst, and what nothing tuned would have."""
    first, *_, last = standing(results)
    ends = [
        say(
            text,
            rate=say.percent(RATES[-1], 0),
            rule=rule,
            least=say.percent(least),
            most=say.percent(most),
        )
        for text, (rule, least, most) in ((BEST, first), (WORST, last))
    ]
    zero = say(
        "Zero-shot CLIP, which learns from no pseudolabel, has {zero}.",
        zero=say.percent(results["zero_shot"]),
    )
    return [*ends, zero, *(say.translated(one) for one in gone(results))]


def _panel(rows: Rows, kind: str, say: Words) -> StressPanel:
    means = [[_mean(_at(rows, kind, rate, rule)) for rate in RATES] for rule in RULES_TRIED]
    svg = curves(kind, [say.percent(rate, 0) for rate in RATES], means)
    lines = tuple(
        _line(rows, kind, rule, stroke, say)
        for rule, stroke in zip(RULES_TRIED, STROKES, strict=False)
    )
    return StressPanel(say(NOISES[kind]), say(WHAT_NOISE[kind]), svg, lines)


def _line(rows: Rows, kind: str, rule: str, stroke: tuple[str, Any], say: Words) -> Line:
    color, dash = stroke
    found = [_at(rows, kind, rate, rule) for rate in RATES]
    cells = tuple(_cell([row["accuracy"] for row in some], say) for some in found)
    purities = [row["purity"] for row in found[-1] if row["purity"] is not None]
    purity = say.percent(statistics.mean(purities) if purities else None)
    return Line(rule, say(EXPLAINED[rule]), token(color), dash != "solid", cells, purity)


def _cell(values: Sequence[float], say: Words) -> str:
    mean = say.percent(statistics.mean(values))
    return f"{mean} ± {100 * statistics.stdev(values):.1f}" if len(values) > 1 else mean


def _at(rows: Rows, kind: str, rate: float, rule: str) -> Rows:
    kinds = (kind, "none") if rate == 0 else (kind,)
    return [
        row for row in rows if row["kind"] in kinds and row["rate"] == rate and row["rule"] == rule
    ]


def _worst(rows: Rows, rule: str) -> Rows:
    return [row for kind in KINDS for row in _at(rows, kind, RATES[-1], rule)]


def _mean(rows: Rows) -> float:
    return statistics.mean(row["accuracy"] for row in rows)
