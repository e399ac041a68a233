"""The page of ``clipgrip bench``: the paper's grid with ours beside it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import jinja2

from clipgrip.report.words import Language, Words, mark

STRATEGY_NAMES = {
    "zero-shot": mark("zero-shot"),
    "supervised": mark("labels only"),
    "fpl": mark("FPL"),
    "ifpl": mark("IFPL"),
    "grip": mark("GRIP"),
}
PROMPT_NAMES = {
    "": mark("none"),
    "textual": mark("textual"),
    "visual": mark("visual"),
    "visual-deep": mark("visual, deep"),
    "multimodal": mark("multimodal"),
}
PARADIGM_TITLES = {
    "UL": mark("No labels (UL)"),
    "SSL": mark("A few labels of each class (SSL)"),
    "TRZSL": mark("All labels of some classes, none of the others (TRZSL)"),
}


def build_grid(
    facts: dict[str, Any], rows: Sequence[dict[str, Any]], language: Language = "en"
) -> str:
    """One self-contained HTML page."""
    say = Words(language)
    groups = [
        (say(title), [_shown(row, say) for row in rows if row["paradigm"] == paradigm])
        for paradigm, title in PARADIGM_TITLES.items()
        if any(row["paradigm"] == paradigm for row in rows)
    ]
    template = _environment().get_template("grid.html")
    return template.render(
        say=say,
        facts=facts,
        groups=groups,
        with_published=any(row["published"] is not None for row in rows),
    )


def text_table(rows: Sequence[dict[str, Any]]) -> str:
    """The same for a terminal."""
    columns = ("strategy", 11), ("prompt", 12), ("preset", 8)
    left = " ".join(f"{name:<{width}}" for name, width in columns)
    head = f"{'':<6} {left} {'test':>14} {'gain':>7} {'poor':>7} {'rich':>7} {'time':>9}"
    return "\n".join(["", head, *(_line(row) for row in rows), ""])


def _line(row: dict[str, Any]) -> str:
    gain = 100 * (row["test"] - row["test_zero_shot"])
    spread = f" ± {100 * row['test_sd']:3.1f}" if row["test_sd"] is not None else ""
    changes = " ".join(f"{100 * (row[key] or 0):+7.1f}" for key in ("poor_change", "rich_change"))
    return (
        f"{row['paradigm']:<6} {row['strategy']:<11} {row['prompt'] or '-':<12} {row['preset'] or '-':<8} "
        f"{100 * row['test']:6.1f}{spread:<8} {gain:+7.1f} {changes} {row['seconds']:7.1f} s"
    )


def _shown(row: dict[str, Any], say: Words) -> dict[str, str]:
    def share(key: str) -> str:
        if row[key] is None:
            return "–"
        deviation = row.get(f"{key}_sd")
        text = f"{100 * row[key]:.1f}"
        return text if deviation is None else f"{text} ± {100 * deviation:.1f}"

    return {
        "strategy": say(STRATEGY_NAMES[row["strategy"]]),
        "prompt": say(PROMPT_NAMES[row["prompt"]]),
        "preset": row["preset"] or "–",
        "test": share("test"),
        "gain": say.signed(row["test"] - row["test_zero_shot"]),
        "published": "–" if row["published"] is None else f"{100 * row['published']:.1f}",
        "seen": share("seen"),
        "unseen": share("unseen"),
        "poor": say.signed(row["poor_change"]),
        "rich": say.signed(row["rich_change"]),
        "worst": f"{100 * row['worst_before']:.1f} → {100 * row['worst_after']:.1f}",
        "seconds": f"{row['seconds']:.1f}",
        "memory": say.number(row["peak_megabytes"]),
    }


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("clipgrip.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
