"""The review's colours, by day and in the dark: what is read stands out from what it stands on (WCAG 2.2, 1.4.3)."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest

import clipgrip.review.web

CSS = Path(clipgrip.review.web.__file__).with_name("static") / "review.css"
TEXT = ("ink", "soft", "blue", "orange", "green")
GROUND = ("paper", "wash")
MARKED = (("on", "blue"), ("paper", "ink"), ("paper", "orange"), ("orange", "warn"),
          ("ink", "current"), ("ink", "pill"), ("ink", "picked"), ("green", "paper"))  # fmt: skip
"""Text on what is coloured: buttons, notes, warnings, what is chosen."""
LEAST = 4.5


def _schemes() -> dict[str, dict[str, str]]:
    text = CSS.read_text("utf-8")
    light, dark = (
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,8})", block))
        for block in re.findall(r":root \{([^}]*)\}", text)
    )
    return {"light": light, "dark": {**light, **dark}}


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) > 4 else "".join(2 * one for one in colour[1:])
    parts = [int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_measure_is_that_of_the_standard() -> None:
    assert _contrast("#fff", "#000000") == pytest.approx(21)
    assert _contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(scheme: str) -> None:
    colours = _schemes()[scheme]
    pairs = [*product(TEXT, GROUND), *MARKED]
    weak = {
        pair: round(found, 2)
        for pair in pairs
        if (found := _contrast(colours[pair[0]], colours[pair[1]])) < LEAST
    }
    assert weak == {}


def test_the_dark_follows_the_system_and_no_rule_keeps_a_colour_of_the_day() -> None:
    text = CSS.read_text("utf-8")
    assert "color-scheme: light dark" in text
    assert "@media (prefers-color-scheme: dark)" in text
    rules = text.split("\n* {", 1)[1]
    assert re.findall(r"background: #f\w*", rules) == []
