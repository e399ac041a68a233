"""The page of ``clipgrip bench grid``: the paper's grid with ours beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clipgrip.markup import page
from clipgrip.words import Language, Words, mark

STRATEGY_NAMES = {
    "zero-shot": mark("zero-shot"),
    "supervised": mark("labels only"),
    "fpl": mark("FPL"),
    "ifpl": mark("IFPL"),
    "grip": mark("GRIP"),
}
SEVERAL = ("ifpl", "grip")
"""Strategies of several rounds."""
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

SPLITS = {
    "official": mark("The test images are those of the official split."),
    "longitude": mark(
        "The test images are those of a published list that divides by longitude, so that no place is on both sides."
    ),
    "list": mark(
        "The test images are those of a published list; neighbouring places may be on both sides."
    ),
    "content": mark(
        "The test images were held out by their content, the same share of each class. Pictures of one place or part "
        "may be on both sides."
    ),
}


def build_grid(
    facts: dict[str, Any], rows: Sequence[dict[str, Any]], language: Language = "en"
) -> str:
    """One self-contained HTML page."""
    say = Words(language)
    groups = [
        (say(title), _few_rounds(found, say), [_shown(row, say) for row in found])
        for paradigm, title in PARADIGM_TITLES.items()
        if (found := [row for row in rows if row["paradigm"] == paradigm])
    ]
    return page(
        "clipgrip.report",
        "grid.html",
        say=say,
        facts=facts,
        split=say(SPLITS[facts["split_by"]]),
        groups=groups,
        with_published=any(row["published"] is not None for row in rows),
    )


def _few_rounds(rows: Sequence[dict[str, Any]], say: Words) -> str:
    """Why strategies of several rounds ran fewer where labels are given (decision 0049); empty where they did not."""
    few = {
        say(STRATEGY_NAMES[row["strategy"]]): None
        for row in rows
        if row["paradigm"] != "UL" and row["strategy"] in SEVERAL and 0 < (row["rounds"] or 0) < 2
    }
    if not few:
        return ""
    return say(
        "{strategies} ran one round here, or hardly more: where labels are given, labels that are held out decide, and "
        "more rounds are run only where these are answered clearly better with them.",
        strategies=say.names(list(few)),
    )


def gain(row: dict[str, Any]) -> float | None:
    """Share that a row's test accuracy lies above zero-shot's; None where one of the two is not known."""
    known = row["test"] is not None and row["test_zero_shot"] is not None
    return row["test"] - row["test_zero_shot"] if known else None


def _shown(row: dict[str, Any], say: Words) -> dict[str, str]:
    def share(key: str) -> str:
        deviation = row.get(f"{key}_sd")
        text = say.percent(row[key]).removesuffix("%")
        return text if deviation is None else f"{text} ± {100 * deviation:.1f}"

    def change(key: str) -> str:
        before, after = (
            say.percent(row[f"{key}_{w}"]).removesuffix("%") for w in ("before", "after")
        )
        return f"{before} → {after}"

    return {
        "strategy": say(STRATEGY_NAMES[row["strategy"]]),
        "prompt": say(PROMPT_NAMES[row["prompt"]]),
        "preset": row["preset"] or "–",
        "seeds": say.number(row["seeds"]),
        "test": share("test"),
        "gain": say.signed(gain(row)),
        "published": say.percent(row["published"]).removesuffix("%"),
        "seen": share("seen"),
        "unseen": share("unseen"),
        "poor": say.signed(row["poor_change"]),
        "rich": say.signed(row["rich_change"]),
        "worst": change("worst"),
        "spread": change("class_sd"),
        "seconds": f"{row['seconds']:.1f}",
        "memory": "–" if row["peak_megabytes"] is None else say.number(row["peak_megabytes"]),
    }
