"""The section on bias names what the answers prefer, and compares groups."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from report_facts import SURFACES, MakeFacts

from clipgrip.report.bias import BiasSection, bias_section
from clipgrip.report.build import build_report
from clipgrip.report.facts import RunFacts
from clipgrip.report.reading import Reading
from clipgrip.words import Words


def section(facts: RunFacts) -> BiasSection:
    return bias_section(Reading(facts), Words("en"))


def test_with_a_test_the_errors_of_the_frequent_pairs_are_shown(make_facts: MakeFacts) -> None:
    found = section(make_facts())
    assert found.is_tested
    assert "true shares" in found.basis
    assert 1 <= len(found.strips) <= 3
    for strip in found.strips:
        assert {p.other for p in strip.pictures} == {strip.pair.first}
        assert {p.answer for p in strip.pictures} == {strip.pair.second}


def test_without_a_test_the_expectation_is_called_an_estimate(make_facts: MakeFacts) -> None:
    found = section(make_facts(test_per_class=0))
    assert "estimated" in found.basis
    assert not found.strips
    assert any("torn between" in sentence for sentence in found.sentences)


def test_a_class_answered_too_often_is_named(make_facts: MakeFacts) -> None:
    facts = make_facts(skills=(30.0, 30.0))
    assert facts.test is not None
    probs = facts.test.probs.clone()
    probs[:120] = torch.nn.functional.one_hot(torch.tensor(7), len(SURFACES)).float()
    found = section(replace(facts, test=replace(facts.test, probs=probs)))
    assert "Answered far more often than expected: pore." in found.sentences
    assert found.rows[0].position == 7


def test_rounds_that_lose_classes_are_told(make_facts: MakeFacts) -> None:
    facts = make_facts()
    facts.metrics["rounds"][-1]["pool"]["per_class"] = [320, 0, 0, 0, 0, 0, 0, 0]
    assert any("rounds made the answers more one-sided" in s for s in section(facts).sentences)


@pytest.mark.parametrize("tested", [True, False])
def test_a_camera_that_differs_is_marked(make_facts: MakeFacts, tested: bool) -> None:
    facts = make_facts(test_per_class=25 if tested else 0)
    if facts.test is not None:
        has = (facts.test.probs.argmax(1) == facts.test.labels).tolist()
    else:
        has = (facts.probs.max(1).values < 0.5).tolist()
    groups = ["cam <1>" if value else "cam 2" for value in has]
    marked = replace(facts, groups={"camera": groups})
    assert section(marked).tables[0].groups[0].differs
    html = build_report(marked)
    assert "By camera" in html
    assert "cam &lt;1&gt;" in html
    assert "differs" in html
