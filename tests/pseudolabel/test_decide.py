"""Which refinement is taken, as a table: numbers in, a decision out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from clipgrip.pseudolabel import Refinement
from clipgrip.pseudolabel.refine import reasons
from clipgrip.pseudolabel.refine.decide import (
    Attempt,
    absence_is_clear,
    accept,
    allowed_loss,
    has_gone_astray,
    ladder,
)
from clipgrip.pseudolabel.refine.evidence import Evidence, Trial
from clipgrip.pseudolabel.refine.settings import DEFAULT

POOL = Evidence(
    n_unlabeled=300,
    n_classes=10,
    images_per_class=30.0,
    confidence=0.7,
    standard_confidence=0.7,
    resistance=0.5,
    max_log_factor=1.0,
)
"""Unequal classes, images enough for clusters."""
EVEN: dict[str, Any] = {"resistance": 0.2}
NEARLY_EVEN: dict[str, Any] = {"resistance": 0.4}
TOO_FEW: dict[str, Any] = {"resistance": None, "max_log_factor": None}
CLUSTERS = ["clusters", "clusters", "zero-shot"]


def few(images: float, **more: Any) -> dict[str, Any]:
    return {"images_per_class": images, **more}


@pytest.mark.parametrize(
    ("what", "methods"),
    [
        ({}, CLUSTERS),
        (few(4), CLUSTERS),
        (few(3.9), ["zero-shot"]),
        (few(15, **EVEN, confidence=0.9), CLUSTERS),
        (few(14, **EVEN, confidence=0.9), ["balance"]),
        (few(8, **EVEN), CLUSTERS),
        (few(7, **EVEN), ["balance"]),
        (few(2.9, **EVEN), ["half-balance"]),
        (few(7, **EVEN, max_log_factor=1.9), CLUSTERS),
        (few(2, **EVEN, max_log_factor=1.9), ["zero-shot"]),
        (few(3, **NEARLY_EVEN), ["half-balance"]),
        (few(2, **TOO_FEW), ["zero-shot"]),
        (few(5, **TOO_FEW), CLUSTERS),
        (few(3, prototypes=True), ["clusters"]),
        (few(2, prototypes=True), ["zero-shot"]),
        ({"strong_text": True}, ["clusters", "zero-shot"]),
        ({"n_present": 10}, CLUSTERS),
        ({"n_present": 4}, CLUSTERS),
        ({"n_present": 4, "n_unlabeled": 20}, CLUSTERS),
        ({"n_present": 4, "n_unlabeled": 19}, ["zero-shot"]),
        ({"n_present": 1}, ["zero-shot"]),
    ],
)
def test_the_evidence_decides_what_is_tried_in_which_order(
    what: dict[str, Any], methods: list[str]
) -> None:
    assert [one.method for one in ladder(replace(POOL, **what), DEFAULT)] == methods


def test_the_second_try_has_a_stronger_text_and_may_cut_few_links() -> None:
    plain, strong, keep = ladder(POOL, DEFAULT)
    assert (plain.text_factor, strong.text_factor) == (1.0, DEFAULT.strong_text_weight)
    assert (plain.max_cut, strong.max_cut) == (None, DEFAULT.max_cut_links)
    assert plain.max_loss == strong.max_loss == allowed_loss(10, DEFAULT)
    assert [one.reason for one in (plain, strong, keep)] == [
        reasons.NONE_LOSES,
        reasons.STRONG_TEXT,
        reasons.WOULD_DIVIDE,
    ]


@pytest.mark.parametrize(
    ("lost", "cut", "accepted"),
    [(0.12, 0.03, True), (0.13, 0.0, False), (0.0, 0.04, False), (0.0, None, True)],
)
def test_an_attempt_is_accepted_where_it_costs_no_more_than_it_may(
    lost: float, cut: float | None, accepted: bool
) -> None:
    attempt = Attempt("clusters", None, max_loss=0.12, max_cut=0.03)
    assert accept(attempt, Trial("clusters", 4.0, lost, cut)) == accepted
    assert accept(replace(attempt, max_loss=None, max_cut=None), Trial("clusters", 1.0, 1.0, 1.0))


@pytest.mark.parametrize(("classes", "share"), [(2, 0.12), (14, 0.2), (28, 0.4), (1000, 0.4)])
def test_one_of_many_classes_may_lose_more_than_one_of_few(classes: int, share: float) -> None:
    assert allowed_loss(classes, DEFAULT) == pytest.approx(share)
    assert has_gone_astray(share + 0.01, classes, DEFAULT)
    assert not has_gone_astray(share - 0.01, classes, DEFAULT)
    assert not has_gone_astray(None, classes, DEFAULT)


@pytest.mark.parametrize(
    ("what", "clear"),
    [
        ({"resistance": 0.7}, False),
        ({"resistance": 0.8}, False),  # an unsure text may be the reason, and clusters mend it
        ({"resistance": 1.6}, True),
        ({"resistance": 0.8, "standard_confidence": 0.9}, True),
        ({"resistance": 0.8, "standard_confidence": 0.9, "prototypes": True}, False),
        ({"resistance": 0.8, "images_per_class": 3.0}, True),
        ({"resistance": 0.8, "images_per_class": 7.0, "prototypes": True}, True),
        (TOO_FEW, False),
    ],
)
def test_classes_are_absent_only_where_nothing_else_explains_it(
    what: dict[str, Any], clear: bool
) -> None:
    assert absence_is_clear(replace(POOL, **what), DEFAULT) == clear


def test_other_settings_decide_otherwise() -> None:
    bold = Refinement(cluster_min_images=2.0, max_allowed_loss=1.0, min_allowed_loss=1.0)
    assert [one.method for one in ladder(replace(POOL, images_per_class=2.0), bold)] == CLUSTERS
    assert allowed_loss(2, bold) == 1.0
