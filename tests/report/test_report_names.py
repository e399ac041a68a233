"""The section on names: pictures of what a doubted text points at, in both languages, and nothing where none is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from report_facts import FACTORY, HOSTILE, SURFACES, build_facts

from clipgrip.report.build import build_report
from clipgrip.report.facts import RunFacts
from clipgrip.words import LANGUAGES


def doubting(names: Sequence[str], facts: dict[str, Any] | None = None, **more: Any) -> RunFacts:
    """A run whose first two names are doubted, the second as another's."""
    made = build_facts(names, per_class=12, rounds=1, **more)
    shas = [f"{row:064d}" for row in range(len(made.paths))]
    shared = {"fit": 0.1, "group": None, "labeled": 0, "points_at": shas[:3]}
    classes = [{"name": name, **shared, "verdict": "fits"} for name in names]
    classes[0]["verdict"] = "nothing"
    classes[1] |= {"verdict": "other", "group": names[2], "labeled": 4, "fit": 0.3}
    told = {"classes": classes, "nameless": [shas[5], "an image that is gone"]}
    metrics = {**made.metrics, "names": told, **(facts or {})}
    return replace(made, metrics=metrics, row_of={sha: row for row, sha in enumerate(shas)})


def section(page: str) -> str:
    return (
        page.split('<section id="names">')[1].split("</section>")[0]
        if 'section id="names"' in page
        else ""
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("names", [SURFACES, FACTORY, HOSTILE])
def test_doubted_names_are_shown_with_pictures(names: Sequence[str], language: Any) -> None:
    found = section(build_report(doubting(names, labeled=30), language))
    assert found.count("<article") == 3
    assert found.count("<img") >= 3 + 3 + 1
    assert "<script>" not in found
    assert "clipgrip names" in found


@pytest.mark.parametrize(
    "facts",
    [
        {"names": None},
        {"knowledge": [{"kind": "pointless"}]},
        {"labels": {"text_weight": 0, "held_out": None, "given": 9, "per_class": [1] * 8}},
    ],
)
def test_no_name_is_listed_where_none_was_judged(facts: dict[str, Any]) -> None:
    made = doubting(SURFACES, test_per_class=0)
    assert section(build_report(made))
    facts = facts | ({"uses_unlabeled": True} if "labels" in facts else {})
    page = build_report(replace(made, metrics=made.metrics | facts))
    assert section(page) == ""
    assert 'href="#names"' not in page
