"""The page of a stress test: whole in both languages, nothing from outside, and the figures are the results'."""

from __future__ import annotations

import re
from typing import Any

import pytest

from clipgrip.report.figures import STROKES
from clipgrip.report.stress import EXPLAINED, build_stress, standing
from clipgrip.stress.trial import RULES_TRIED, block, blocks


def results(seeds: int = 2) -> dict[str, Any]:
    """Accuracy falls with noise, least for balanced."""
    rows = [
        {
            **cell._asdict(),
            "purity": 1 - cell.rate,
            "accuracy": 0.9 - cell.rate * (0.1 if cell.rule == "balanced" else 0.5) + 0.01 * seed,
        }
        for seed, kind, rate in blocks(seeds)
        for cell in block(seed, kind, rate)
    ]
    facts = {"classes": 4, "pool": 1258, "test": 539, "zero_shot": 0.75, "seeds": seeds, "gone": []}
    return {**facts, "rows": rows}


def test_every_rule_is_explained_and_has_a_stroke_of_its_own() -> None:
    assert set(RULES_TRIED) == set(EXPLAINED)
    assert len(RULES_TRIED) <= len(set(STROKES))


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_page_is_whole_and_asks_for_nothing(language: Any) -> None:
    page = build_stress(results(), language)
    assert page.count("<svg") == 3
    assert not re.findall(r'(?:src|href)="(?!#)[^"]*"|https?://|@import', page)
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    for name in RULES_TRIED:
        assert f"<code>{name}</code>" in page


def test_means_and_deviations_are_those_of_the_seeds() -> None:
    page = build_stress(results())
    assert "90.5% ± 0.7" in page  # 0.90 and 0.91
    assert "84.5% ± 0.7" in page  # balanced at the most noise
    assert "± " not in build_stress(results(seeds=1)).split('id="how"')[0]


def test_the_best_at_the_most_noise_stands_first() -> None:
    first = standing(results())[0]
    assert first[0] == "balanced"
    assert first[1:] == (pytest.approx(0.905), pytest.approx(0.845))
    assert "rule balanced stands most: from 90.5% test accuracy" in build_stress(results())


@pytest.mark.parametrize(
    ("language", "words"), [("en", "no longer has"), ("ja", "現在のclipgripにない")]
)
def test_what_the_folder_holds_of_rules_that_went_is_named_in_a_sentence(
    language: Any, words: str
) -> None:
    assert words not in build_stress(results(), language)
    page = build_stress(results() | {"gone": ["margin, cross-entropy"]}, language)
    assert re.search(rf"<li>[^<]*{words}[^<]*</li>", page)
    assert "margin, cross-entropy" in page
