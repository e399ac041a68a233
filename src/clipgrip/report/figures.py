"""Plots as inline SVG. They hold numbers only: names and titles are the page's, in the reader's fonts."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

INK, GRID, BEFORE, AFTER = "#4a5661", "#dfe4e8", "#8593a0", "#0f6285"
TOKENS = {
    "#4a5661": "--soft",
    "#dfe4e8": "--line",
    "#8593a0": "--gray",
    "#0f6285": "--blue",
    "#d98324": "--doubt",
    "#14683d": "--green",
    "#8a5aa5": "--violet",
    "#b3261e": "--red",
}
"""What the pages call these colours, in the light and in the dark."""
WIDTH, HEIGHT = 520, 190
_SOLID, _DASHED = "solid", (0, (4, 2))
STROKES: tuple[tuple[str, Any], ...] = tuple(
    (color, dash)
    for dash in (_SOLID, _DASHED)
    for color in ("#0f6285", "#d98324", "#14683d", "#8a5aa5", "#b3261e", "#4a5661")
)
"""Colour and dash of each line of `curves`; told apart in grey as well."""
_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "clipgrip",
    "font.size": 12,
    "axes.edgecolor": GRID,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": GRID,
    "grid.linewidth": 1,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "axes.unicode_minus": False,
}
_METADATA = {"Creator": None, "Date": None, "Format": None, "Type": None}


def share_line(
    name: str,
    ticks: Sequence[str],
    values: Sequence[float],
    *,
    intervals: Sequence[Sequence[float]] = (),
    level: float | None = None,
) -> Markup:
    """Shares over rounds, with their intervals as a band and a dashed level to compare with."""
    with mpl.rc_context(_STYLE):
        figure, axes = _canvas(ticks)
        at = range(len(values))
        if intervals:
            low, high = zip(*intervals, strict=True)
            axes.fill_between(at, low, high, color=AFTER, alpha=0.13, linewidth=0)
        if level is not None:
            axes.axhline(level, color=BEFORE, linewidth=1.6, linestyle=(0, (5, 3)))
        axes.plot(at, values, color=AFTER, linewidth=2.2, marker="o", markersize=5)
        drawn = [*values, *(edge for pair in intervals for edge in pair)]
        _share_axis(axes, [*drawn, level] if level is not None else drawn)
        _label_ends(axes, values)
        return inline(name, figure)


def count_bars(name: str, ticks: Sequence[str], values: Sequence[int]) -> Markup:
    """Counts over rounds."""
    with mpl.rc_context(_STYLE):
        figure, axes = _canvas(ticks)
        axes.bar(range(len(values)), values, width=0.62, color=AFTER)
        axes.set_ylim(0, max([1, *values]) * 1.18)
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        for at in _ends(len(values)):
            _note(axes, at, values[at], f"{values[at]:,}")
        return inline(name, figure)


def curves(name: str, ticks: Sequence[str], lines: Sequence[Sequence[float]]) -> Markup:
    """Shares over steps of one scale, a line in the colour and dash of its place in ``STROKES``."""
    with mpl.rc_context(_STYLE):
        figure, axes = _canvas(ticks, height=380, bottom=0.09)
        for values, (color, dash) in zip(lines, STROKES, strict=False):
            axes.plot(
                range(len(values)), values, color=color, linewidth=2, linestyle=dash, marker="o",
                markersize=4,
            )  # fmt: skip
        _share_axis(axes, [value for values in lines for value in values])
        return inline(name, figure)


def reliability_curve(
    name: str, before: Sequence[Sequence[float]], after: Sequence[Sequence[float]]
) -> Markup:
    """Share right by confidence, (confidence, share, images) a bin: grey before, in colour after, dashed: honest."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH / 72, 330 / 72))
        axes = figure.add_axes((0.1, 0.11, 0.875, 0.86))
        low = min(0.9, *(min(bin[:2]) for bin in (*before, *after)))
        axes.plot((low, 1), (low, 1), color=INK, linewidth=1.2, linestyle=(0, (5, 3)))
        for bins, color in ((before, BEFORE), (after, AFTER)):
            confidence, right, _ = zip(*bins, strict=True)
            axes.plot(confidence, right, color=color, linewidth=2.2, marker="o", markersize=5)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
            axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        pad = 0.03 * (1 - low)
        axes.set_xlim(low - pad, 1 + pad)
        axes.set_ylim(low - pad, 1 + pad)
        return inline(name, figure)


def _canvas(
    ticks: Sequence[str], height: float = HEIGHT, bottom: float = 0.17
) -> tuple[Figure, Any]:
    figure = Figure(figsize=(WIDTH / 72, height / 72))
    axes = figure.add_axes((0.1, bottom, 0.875, round(0.95 - bottom, 4)))
    step = max(1, -(-len(ticks) // 12))
    axes.set_xticks(range(0, len(ticks), step), ticks[::step])
    axes.set_xlim(-0.5, len(ticks) - 0.5)
    return figure, axes


def _share_axis(axes: Any, values: Sequence[float]) -> None:
    low, high = min(values), max(values)
    span = max(0.2, high - low)
    bottom, top = max(0.0, high - 1.15 * span), high + 0.22 * span
    ticks = MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(bottom, min(1.0, top))
    axes.set_yticks([tick for tick in ticks if bottom <= tick <= min(1.0, top)])
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_ylim(bottom - 0.03 * span, top)


def _label_ends(axes: Any, values: Sequence[float]) -> None:
    for at in _ends(len(values)):
        _note(axes, at, values[at], f"{100 * values[at]:.1f}%")


def _ends(n: int) -> list[int]:
    return sorted({0, n - 1})


def _note(axes: Any, at: int, value: float, text: str) -> None:
    axes.annotate(
        text,
        (at, value),
        (0, 7),
        textcoords="offset points",
        ha="center",
        va="bottom",
        weight="bold",
    )


def inline(name: str, figure: Figure) -> Markup:
    """The figure as an ``<svg>`` element whose ids begin with ``name`` and that refers to nothing outside."""
    out = io.StringIO()
    figure.savefig(out, format="svg", transparent=True, metadata=_METADATA)
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\s(?:xmlns(?::\w+)?|width|height|version)="[^"]*"', "", svg.split(">", 1)[0]) + (
        ' aria-hidden="true">' + svg.split(">", 1)[1]
    )
    svg = re.sub(r"(?<=: )#[0-9a-f]{6}", lambda found: token(found[0]), svg)
    svg = svg.replace("xlink:href", "href")
    svg = re.sub(r'id="([^"]+)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', svg)
    return Markup(re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", svg))


def token(color: str) -> str:
    """A colour as the page says it, which follows the reader's light or dark."""
    return f"var({TOKENS[color]})" if color in TOKENS else color
