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
from clipgrip.stress.noise import KINDS
from clipgrip.stress.trial import ALL_ROWS, RATES
from clipgrip.words import Language, Words, mark

Rows = Sequence[dict[str, Any]]
Pair = tuple[str, str]
"""Rule and loss."""

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
    "margin": mark("Those whose answer leads the second best by most."),
    "threshold": mark("Confidence of at least 0.95."),
    "class-threshold": mark("A threshold for each class, lower where the model is less sure."),
    "neighbours": mark("Most of the nearest images have the same answer."),
    "models": mark("Two models agree. Here the second errs independently: the best case."),
    "candidate-sets": mark("Several possible classes for one image; one of them is right."),
    "everything": mark("Every image, with its probabilities as targets."),
    "cross-entropy": mark("The usual loss."),
    "generalized": mark("Between cross-entropy and absolute error."),
    "absolute": mark("A wrong target pulls no harder than a right one."),
    "symmetric": mark("Cross-entropy in both directions."),
    "bootstrapped": mark("The target mixed with the model's own answer."),
}

BEST = mark(
    "The rule {rule} with the loss {loss} stands most: from {least} test accuracy without noise to {most} at {rate}."
)
WORST = mark("The rule {rule} with the loss {loss} stands least: from {least} to {most} at {rate}.")


@dataclass(frozen=True)
class Line:
    """One rule or loss over the rates of noise."""

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
    """All rules, or all losses, under one kind of noise."""

    title: str
    note: str
    svg: Markup
    lines: tuple[Line, ...]


def build_stress(results: dict[str, Any], language: Language = "en") -> str:
    """The page of `bench.stress.stress`'s results. ConfigError: there is no catalogue for the language."""
    say = Words(language)
    pairs = _pairs(results["rows"])
    losses = [pair for pair in pairs if pair[0] == ALL_ROWS]
    rules = [(ALL_ROWS, "cross-entropy"), *(pair for pair in pairs if pair[0] != ALL_ROWS)]
    return templates("clipgrip.report").get_template("stress.html").render(
        say=say,
        results=results,
        version=__version__,
        rates=[say.percent(rate, 0) for rate in RATES],
        best=_best(results, say),
        rules=[_panel(results["rows"], kind, rules, 0, say) for kind in KINDS],
        losses=[_panel(results["rows"], kind, losses, 1, say) for kind in KINDS],
    )  # fmt: skip


def standing(results: dict[str, Any]) -> list[tuple[str, str, float, float]]:
    """Rule, loss, mean accuracy without noise and at the highest rate over all its kinds; best at the latter first."""
    rows = results["rows"]
    found = []
    for pair in _pairs(rows):
        worst = [row for kind in KINDS for row in _at(rows, kind, RATES[-1], pair)]
        found.append((*pair, _mean(_at(rows, "none", 0.0, pair)), _mean(worst)))
    return sorted(found, key=lambda one: -one[3])


def _best(results: dict[str, Any], say: Words) -> list[str]:
    """What stands the highest rate best and worst, and what nothing tuned would have."""
    first, *_, last = standing(results)
    ends = [
        say(
            text,
            rate=say.percent(RATES[-1], 0),
            rule=rule,
            loss=loss,
            least=say.percent(least),
            most=say.percent(most),
        )
        for text, (rule, loss, least, most) in ((BEST, first), (WORST, last))
    ]
    zero = say(
        "Zero-shot CLIP, which learns from no pseudolabel, has {zero}.",
        zero=say.percent(results["zero_shot"]),
    )
    return [*ends, zero]


def _panel(rows: Rows, kind: str, pairs: Sequence[Pair], named: int, say: Words) -> StressPanel:
    means = [[_mean(_at(rows, kind, rate, pair)) for rate in RATES] for pair in pairs]
    svg = curves(f"{kind}-{named}", [say.percent(rate, 0) for rate in RATES], means)
    lines = tuple(
        _line(rows, kind, pair, named, stroke, say)
        for pair, stroke in zip(pairs, STROKES, strict=False)
    )
    return StressPanel(say(NOISES[kind]), say(WHAT_NOISE[kind]), svg, lines)


def _line(
    rows: Rows, kind: str, pair: Pair, named: int, stroke: tuple[str, Any], say: Words
) -> Line:
    color, dash = stroke
    found = [_at(rows, kind, rate, pair) for rate in RATES]
    cells = tuple(_cell([row["accuracy"] for row in some], say) for some in found)
    purities = [row["purity"] for row in found[-1] if row["purity"] is not None]
    purity = say.percent(statistics.mean(purities) if purities else None)
    name = pair[named]
    return Line(name, say(EXPLAINED[name]), token(color), dash != "solid", cells, purity)


def _cell(values: Sequence[float], say: Words) -> str:
    mean = say.percent(statistics.mean(values))
    return f"{mean} ± {100 * statistics.stdev(values):.1f}" if len(values) > 1 else mean


def _pairs(rows: Rows) -> list[Pair]:
    """Each rule with its loss, in the order tried."""
    return list(dict.fromkeys((row["rule"], row["loss"]) for row in rows))


def _at(rows: Rows, kind: str, rate: float, pair: Pair) -> Rows:
    kinds = (kind, "none") if rate == 0 else (kind,)
    return [
        row
        for row in rows
        if row["kind"] in kinds and row["rate"] == rate and (row["rule"], row["loss"]) == pair
    ]


def _mean(rows: Rows) -> float:
    return statistics.mean(row["accuracy"] for row in rows)
