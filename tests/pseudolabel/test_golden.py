"""The method's answers are written down: a change of the code that moves one is seen, and is then on purpose."""

from __future__ import annotations

import json
from typing import Any

import pytest
from golden_pools import GOLDEN, banked, refinements, trainings

from clipgrip.method import REVISION

NEARLY_ALL = 0.985
"""Other processors round otherwise, which turns an answer that is on the edge."""


def check(found: dict[str, Any], expected: dict[str, Any], name: str) -> None:
    assert found["method"] == expected["method"], name
    assert found["why"] == expected["why"], name
    pairs = list(zip(found["answers"], expected["answers"], strict=True))
    assert sum(a == b for a, b in pairs) >= NEARLY_ALL * len(pairs), name
    assert found["shares"] == pytest.approx(expected["shares"], abs=0.01), name
    assert found["confidence"] == pytest.approx(expected["confidence"], abs=0.01), name


def test_the_written_answers_are_those_of_this_revision_of_the_method() -> None:
    assert json.loads(GOLDEN.read_text("utf-8"))["revision"] == REVISION


def test_every_refinement_answers_what_it_answered() -> None:
    golden, found = json.loads(GOLDEN.read_text("utf-8"))["refine"], refinements()
    assert set(found) == set(golden)
    for name, expected in golden.items():
        check(found[name], expected, name)


def test_short_runs_of_grip_answer_what_they_answered() -> None:
    golden, found = json.loads(GOLDEN.read_text("utf-8"))["grip"], trainings()
    assert set(found) == set(golden)
    for name, rounds in golden.items():
        for number, (one, expected) in enumerate(zip(found[name], rounds, strict=True), start=1):
            check(one, expected, f"{name}, round {number}")


def test_two_banks_weigh_and_answer_what_they_did() -> None:
    golden, found = json.loads(GOLDEN.read_text("utf-8"))["banks"], banked()
    assert set(found) == set(golden)
    for name, expected in golden.items():
        check(found[name], expected, name)
        assert found[name]["weights"] == pytest.approx(expected["weights"], abs=0.01), name
