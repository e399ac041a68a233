"""Rules that end the rounds, and the round that is kept."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from benchmarks.research.stops import RULES, first_stop
from clipgrip.errors import ConfigError
from clipgrip.pseudolabel.quality import Neighbours
from clipgrip.pseudolabel.stop import (
    AlarmLimits,
    Stop,
    Summary,
    best_round,
    check_rules,
    collapse,
    stop_sentence,
    summarise,
)
from clipgrip.words import Words

CALM = Summary(1, 0.2, 0.8, 0.8, 0.8, 0.99, 0.12, 0.1)


def past(**columns: list[float]) -> list[Summary]:
    n = len(next(iter(columns.values())))
    return [
        replace(CALM, number=i + 1, **{name: values[i] for name, values in columns.items()})
        for i in range(n)
    ]


@pytest.mark.parametrize("name", RULES)
def test_no_rule_stops_before_a_round_or_after_a_calm_first_one(name: str) -> None:
    assert first_stop([], [name]) is None
    assert first_stop([CALM], [name]) is None


def test_settled_answers_stop_at_the_last_round() -> None:
    stop = first_stop(past(changed=[0.3, 0.1, 0.005]), ["settled"])
    assert stop is not None
    assert stop.best == 3
    assert first_stop(past(changed=[0.3, 0.1, 0.02]), ["settled"]) is None


@pytest.mark.parametrize("name", ["purity", "agreement", "accuracy"])
def test_an_estimate_that_no_longer_rises_rolls_back_to_its_best_round(name: str) -> None:
    stop = first_stop(past(**{name: [0.7, 0.9, 0.85, 0.8]}), [name])
    assert stop == Stop(f"the estimated {name} no longer rises", 2)
    assert first_stop(past(**{name: [0.7, 0.8, 0.85, 0.9]}), [name]) is None


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"largest": [0.12, 0.13, 0.5]}, "swallows"),
        ({"largest": [0.5, 0.45, 0.3]}, "divided up"),
        ({"entropy": [0.99, 0.98, 0.6]}, "leave classes out"),
        ({"disagreement": [0.1, 0.2, 0.6]}, "differ from those before tuning"),
    ],
)
def test_a_collapse_rings_before_other_rules_and_rolls_back(
    columns: dict[str, list[float]], reason: str
) -> None:
    rounds = past(**columns, agreement=[0.7, 0.8, 0.99], changed=[0.2, 0.1, 0.001])
    stop = first_stop(rounds, ["settled", "collapse"])
    assert stop is not None
    assert reason in stop.reason
    assert stop.best == 2


def test_a_reason_of_an_earlier_version_is_said_as_it_was_measured_in_every_language() -> None:
    """Where labels were given, the answers before tuning are not zero-shot's."""
    kept = "one class swallows others; the answers leave zero-shot behind"
    assert "zero-shot" not in stop_sentence(kept)
    assert "学習前と異なる判定" in Words("ja").translated(stop_sentence(kept))


def test_the_method_says_what_the_alarm_lets_pass() -> None:
    rounds = past(largest=[0.12, 0.13, 0.5])
    assert collapse(rounds) is not None
    assert collapse(rounds, AlarmLimits(swallowed=0.4)) is None


def test_the_earliest_of_equal_rounds_is_best() -> None:
    assert best_round(past(purity=[0.5, 0.9, 0.9]), "purity") == 2
    assert best_round([], "purity") == 0


def test_a_summary_counts_what_the_answers_are() -> None:
    probs = torch.eye(2)[[0, 0, 0, 1]] * 0.8 + 0.1
    before = torch.eye(2)[[0, 0, 1, 1]]
    chosen = torch.tensor([0, -1, -1, 0])
    made = summarise(3, probs, before, before, Neighbours.of(torch.eye(2)[[0, 0, 0, 1]], 1), chosen)
    assert made.number == 3
    assert (made.changed, made.disagreement, made.largest) == (0.25, 0.25, 0.75)
    assert made.purity == pytest.approx((0.9 + 0.1) / 2)
    assert made.accuracy == pytest.approx(0.9)
    assert made.entropy == pytest.approx(0.8113, abs=1e-4)


def test_an_unknown_rule_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match='Did you mean "collapse"'):
        check_rules(["colapse"])
