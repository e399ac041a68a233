"""Colours of pages and reports, by day and in the dark: what is read stands out (WCAG 2.2, 1.4.3)."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest

import clipgrip.report
import clipgrip.review.web
import clipgrip_line.service
import clipgrip_line.web
from clipgrip.report.figures import TOKENS as TOKENS_OF_PLOTS
from clipgrip.report.figures import curves, share_line

TOKENS = Path(clipgrip_line.web.__file__).with_name("static") / "tokens.css"
REVIEW = Path(clipgrip.review.web.__file__).with_name("static") / "review.css"
LINE = Path(clipgrip_line.service.__file__).with_name("static") / "line.css"
REPORT = sorted((Path(clipgrip.report.__file__).parent / "templates").glob("*.css"))
GROUND = ("paper", "wash")
TEXT = ("ink", "soft", "blue", "orange", "green", "red")
MARKED = (("on", "blue"), ("on", "soft"), ("paper", "ink"), ("paper", "orange"), ("orange", "warn"),
          ("ink", "current"), ("ink", "pill"), ("ink", "picked"), ("green", "paper"))  # fmt: skip
"""Text on what is coloured: buttons, notes, warnings, what is chosen."""
PAGES = (
    (REVIEW, TEXT, MARKED),
    (LINE, (*TEXT, "ok", "ng", "person"), (*product(("on",), ("ok", "ng", "person", "soft")),
                                          ("ink", "alarm"), ("ng", "alarm"))),
)  # fmt: skip
LEAST = 4.5


def _schemes(*sheets: Path) -> dict[str, dict[str, str]]:
    light: dict[str, str] = {}
    dark: dict[str, str] = {}
    for sheet in (TOKENS, *sheets):
        blocks = re.findall(r":root \{([^}]*)\}", sheet.read_text("utf-8"))
        for colours, block in zip((light, dark), blocks, strict=True):
            colours |= dict(re.findall(r"--([\w-]+): ([^;]+);", block))
    return {"light": light, "dark": {**light, **dark}}


def _colour(colours: dict[str, str], name: str) -> str:
    """Through the names that stand for others."""
    value = colours[name]
    return _colour(colours, value[6:-1]) if value.startswith("var(--") else value


def _digits(colour: str) -> list[str]:
    digits = colour[1:] if len(colour) > 4 else "".join(2 * one for one in colour[1:])
    return [digits[n : n + 2] for n in (0, 2, 4)]


def _luminance(colour: str) -> float:
    parts = [int(part, 16) / 255 for part in _digits(colour)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_measure_is_that_of_the_standard() -> None:
    assert _contrast("#fff", "#000000") == pytest.approx(21)
    assert _contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("sheet", "texts", "marked"), PAGES, ids=["review", "line"])
def test_every_text_stands_out_from_its_ground(
    sheet: Path, texts: tuple[str, ...], marked: tuple[tuple[str, str], ...], scheme: str
) -> None:
    colours = _schemes(sheet)[scheme]
    weak = {
        pair: round(found, 2)
        for pair in (*product(texts, GROUND), *marked)
        if (found := _contrast(*(_colour(colours, name) for name in pair))) < LEAST
    }
    assert weak == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("cell", "most"), [("right", 0.68), ("wrong", 1.0)])
def test_a_count_is_readable_on_every_shade_of_the_table_of_mix_ups(
    cell: str, most: float, scheme: str
) -> None:
    colours = _schemes()[scheme]
    paper = [int(part, 16) for part in _digits(colours["paper"])]
    shade = [
        round(most * int(full) + (1 - most) * under)
        for full, under in zip(colours[cell].split(), paper, strict=True)
    ]
    assert _contrast(colours["ink"], "#" + bytes(shade).hex()) >= LEAST


@pytest.mark.parametrize("sheet", [TOKENS, REVIEW, LINE, *REPORT], ids=lambda sheet: sheet.stem)
def test_the_dark_follows_the_system_and_no_rule_keeps_a_colour_of_the_day(sheet: Path) -> None:
    text = sheet.read_text("utf-8")
    assert "color-scheme: light dark" in TOKENS.read_text("utf-8")
    if ":root {" in text:
        assert "@media screen and (prefers-color-scheme: dark)" in text  # paper stays white
    rules = text.split("\n* {", 1)[-1] if sheet != TOKENS else ""
    assert re.findall(r"background: #f\w*", rules) == []


def test_a_plot_takes_its_colours_from_the_page() -> None:
    light = _schemes()["light"]
    assert {name: light[name[2:]] for name in TOKENS_OF_PLOTS.values()} == {
        name: colour for colour, name in TOKENS_OF_PLOTS.items()
    }
    drawn = share_line("a", ["1", "2"], [0.5, 0.6], intervals=[(0.4, 0.6), (0.5, 0.7)], level=0.4)
    assert "var(--blue)" in drawn
    assert re.findall(r": #[0-9a-f]{6}", curves("b", ["1", "2"], [[0.1, 0.2]] * 12) + drawn) == []
