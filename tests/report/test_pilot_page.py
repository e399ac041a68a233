"""The page of a pilot: whole in both languages, nothing from outside, hostile names as text."""

from __future__ import annotations

from dataclasses import replace

import pytest
from board_facts import version
from report_facts import HOSTILE, SURFACES
from test_report_page import Page

from clipgrip.pilot.plan import plan
from clipgrip.report.board.pilot_page import build_pilot
from clipgrip.words import LANGUAGES, Language


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_whole_and_asks_for_nothing(language: Language) -> None:
    fixed = version(SURFACES, accuracy="0.9", misses="0.1", automated="0.5", payback="12")
    html = build_pilot(fixed, plan(fixed.pilot), language)
    page = Page(html)
    assert page.references == page.handlers == []
    assert not {"script", "link", "form"} & set(page.tags)
    assert "None" not in page.text


def test_hostile_names_are_shown_as_text() -> None:
    fixed = version(HOSTILE, reason="<script>", accuracy="0.9")
    fixed = replace(fixed, pilot=replace(fixed.pilot, shares={HOSTILE[0]: 0.5}))
    html = build_pilot(fixed, plan(fixed.pilot))
    assert "<script" not in html
    assert HOSTILE[0] in Page(html).text


def test_without_criteria_it_says_that_there_will_be_no_verdict() -> None:
    fixed = version(SURFACES, accuracy="0.9")
    bare = replace(fixed, pilot=replace(fixed.pilot, criteria=()))
    assert "will give no verdict" in build_pilot(bare, plan(bare.pilot))
