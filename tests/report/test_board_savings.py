"""Hours and money: the sums by hand, what is unknown stays unknown, and what makes no sense is refused."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest
from board_facts import MONEY, board_facts

from clipgrip.errors import ConfigError
from clipgrip.report.board.facts import CaseValues
from clipgrip.report.board.savings import KINDS, given, reckon, savings

VALUES: dict[str, float | None] = {
    "images_per_year": 360_000,
    "seconds_today": 10,
    "share_model": 0.75,
    "seconds_review": 20,
    "audits_per_year": 720,
    "upkeep_hours": 48,
    "answering_hours": 4,
    "setup_hours": 16,
    "hourly_cost": 30,
    "purchase": 1400,
    "yearly_cost": 500,
    "error_rate": 0.01,
    "cost_per_error": 2,
}


def test_the_sums_by_hand() -> None:
    sums = reckon(VALUES)
    assert sums.hours_today == pytest.approx(1000)
    assert sums.hours_people == pytest.approx(500)
    assert sums.hours_upkeep == pytest.approx(50)
    assert sums.hours_saved == pytest.approx(450)
    assert sums.hours_start == 20
    assert sums.hours_saved_first == pytest.approx(430)
    assert sums.cost_start == pytest.approx(2000)
    assert sums.cost_year == pytest.approx(50 * 30 + 500 + 2700 * 2)
    assert sums.gain_year == pytest.approx(15000 - 7400)
    assert sums.payback_months == pytest.approx(12 * 2000 / 7600)


@pytest.mark.parametrize("key", [key for key in KINDS if key != "cost_per_error"])
def test_what_needs_an_unknown_value_is_unknown(key: str) -> None:
    sums = reckon({**VALUES, key: None})
    assert sums.payback_months is None
    costs_nothing = reckon({**VALUES, "error_rate": None, "cost_per_error": 0})
    assert costs_nothing.payback_months is not None


def test_without_a_gain_it_never_pays_back() -> None:
    assert reckon({**VALUES, "share_model": 0.0}).payback_months == inf


def test_measured_goes_before_default_and_given_before_measured() -> None:
    found = savings(board_facts())
    assert found.value("seconds_today").source == "measured"
    assert found.value("seconds_today").middle == 4.2
    assert found.value("seconds_review").middle == 5.8
    assert found.value("share_model").middle == pytest.approx(1630 / 2360)
    assert found.value("answering_hours").middle == pytest.approx(0.98)
    assert found.value("error_rate").cautious == 0.02
    assert found.value("upkeep_hours").source == "default"
    told = savings(board_facts(assumed={"seconds_today": CaseValues(9.0)}))
    assert (told.value("seconds_today").middle, told.value("seconds_today").source) == (9, "given")
    assert told.value("images_per_year").source == "unknown"


def test_cautious_is_worse_and_favourable_is_better_for_every_assumption() -> None:
    found = savings(board_facts(assumed={**MONEY, "cost_per_error": CaseValues(100.0)}))
    low, middle, high = (
        found.sums[case].gain_year for case in ("cautious", "middle", "favourable")
    )
    assert low is not None
    assert middle is not None
    assert high is not None
    assert low < middle < high
    for one in found.assumptions:
        if one.key == "seconds_review":  # moves with seconds_today
            continue
        for end in ("cautious", "favourable"):
            moved = {other.key: other.middle for other in found.assumptions}
            moved[one.key] = one.of(end)  # type: ignore[arg-type]
            gain = reckon(moved).gain_year
            assert gain is not None
            assert gain <= middle + 1e-6 if end == "cautious" else gain >= middle - 1e-6


def test_a_model_that_decides_nothing_saves_nothing_in_any_case() -> None:
    same = {**MONEY, "seconds_today": CaseValues(4.0), "seconds_review": CaseValues(4.0)}
    found = savings(board_facts(assumed={**same, "share_model": CaseValues(0.0)}))
    assert [one.payback_months for one in found.sums.values()] == [inf] * 3


def test_nobody_has_measured_seconds() -> None:
    found = savings(replace(board_facts(), audit_effort=None, review_effort=None))
    assert found.value("seconds_today").middle is None
    assert found.sums["middle"].hours_saved is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seconds_tody=4", 'Did you mean "seconds_today"'),
        ("seconds_today", "write KEY=VALUE"),
        ("seconds_today=four", "write KEY=VALUE"),
        ("seconds_today=1:2", "write KEY=VALUE"),
        ("purchase=3,500", "without commas"),
        ("seconds_today=-1", "0 or more"),
        ("seconds_today=nan", "0 or more"),
        ("seconds_today=inf", "0 or more"),
        ("share_model=1.2", "a share from 0 to 1"),
        ("share_model=0.1:0.5:1.5", "a share from 0 to 1"),
        ("spread=2", "a share from 0 to 1"),
    ],
)
def test_an_assumption_that_makes_no_sense_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        given([text])


def test_assumptions_as_typed() -> None:
    assert given(["seconds_today=4", "purchase = 300:200:100"]) == {
        "seconds_today": CaseValues(4.0),
        "purchase": CaseValues(200.0, 300.0, 100.0),
    }
    with pytest.raises(ConfigError, match="given twice"):
        given(["purchase=1", "purchase=2"])
