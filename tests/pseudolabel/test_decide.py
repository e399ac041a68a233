"""Which refinement is taken, as a table: numbers in, a decision out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from clipgrip.pseudolabel import Refinement
from clipgrip.pseudolabel.refine import reasons
from clipgrip.pseudolabel.refine.decide import (
    Choice,
    Evidence,
    absence_is_clear,
    accept,
    decide,
    has_gone_astray,
)
from clipgrip.pseudolabel.refine.settings import DEFAULT

POOL = Evidence(
    n_unlabeled=300,
    n_classes=10,
    images_per_class=30.0,
    confidence=0.7,
    standard_confidence=0.7,
    resistance=0.6,
)
"""Unequal classes, images enough for clusters."""
EVEN: dict[str, Any] = {"resistance": 0.2}
TOO_FEW: dict[str, Any] = {"resistance": None}
JOINED = Choice("joined", reasons.NONE_LOSES)
WHOLE = Choice("zero-shot", reasons.WOULD_DIVIDE)
TAUGHT = Choice("co-training", reasons.NONE_LOSES)
HALF = Choice("half-balance", reasons.NEARLY_EQUAL)
BALANCE = Choice("balance", reasons.LITTLE_RESISTANCE)
UNEQUAL = Choice("zero-shot", reasons.UNEQUAL)
FEW_OF_FEW = Choice("zero-shot", None)


def few(images: float, **more: Any) -> dict[str, Any]:
    return {"images_per_class": images, "n_unlabeled": round(10 * images), **more}


@pytest.mark.parametrize(
    ("what", "choice"),
    [
        ({}, JOINED),
        (few(4), JOINED),
        (few(3.9), UNEQUAL),
        (few(8, **EVEN), JOINED),
        (few(7.9, **EVEN), BALANCE),
        (few(4, **EVEN), BALANCE),
        (few(4, resistance=0.31), JOINED),
        (few(3.9, **EVEN), HALF),
        (few(3.9, resistance=0.45), HALF),
        (few(3.9, resistance=0.46), UNEQUAL),
        (few(2, **TOO_FEW), UNEQUAL),
        (few(5, **TOO_FEW), JOINED),
        (few(4, prototypes=True), JOINED),
        (few(3, prototypes=True), UNEQUAL),
        (few(8, untaught_eyes=True, **EVEN), TAUGHT),
        (few(7.9, untaught_eyes=True, **EVEN), BALANCE),
        (few(8, untaught_eyes=True, resistance=0.31), JOINED),
        (few(8, untaught_eyes=True, undivided=True, **EVEN), WHOLE),
        ({"undivided": True}, WHOLE),
        (few(2, undivided=True), UNEQUAL),
        ({"n_present": 10}, JOINED),
        ({"n_present": 4}, JOINED),
        (few(2, n_present=3), FEW_OF_FEW),  # 6.7 for each that is there, but that is only estimated
        (few(2, n_present=2), JOINED),
        ({"n_present": 1}, FEW_OF_FEW),
    ],
)
def test_the_evidence_decides_what_is_tried(what: dict[str, Any], choice: Choice) -> None:
    assert decide(replace(POOL, **what), DEFAULT) == choice


@pytest.mark.parametrize(("lost", "accepted"), [(0.0, True), (0.12, True), (0.13, False)])
def test_clusters_are_accepted_where_no_class_loses_many_images(
    lost: float, accepted: bool
) -> None:
    assert accept(lost, DEFAULT) == accepted
    assert has_gone_astray(lost, DEFAULT) != accepted


def test_nothing_goes_astray_before_anything_is_tuned() -> None:
    assert not has_gone_astray(None, DEFAULT)


@pytest.mark.parametrize(
    ("what", "clear"),
    [({"resistance": 0.7}, False), ({"resistance": 0.8}, True), (TOO_FEW, False)],
)
def test_classes_are_absent_where_the_answers_resist_equal_shares(
    what: dict[str, Any], clear: bool
) -> None:
    assert absence_is_clear(replace(POOL, **what), DEFAULT) == clear


def test_other_settings_decide_otherwise() -> None:
    bold = Refinement(cluster_min_images=2.0, max_lost_share=1.0)
    assert decide(replace(POOL, **few(2)), bold) == JOINED
    assert accept(1.0, bold)
