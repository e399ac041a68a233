"""Shifts begin by the clock on the wall; before the first of a day it is yesterday's last."""

from __future__ import annotations

from datetime import datetime

import pytest

from clipgrip_line.errors import LineError
from clipgrip_line.service.shifts import Shifts


@pytest.mark.parametrize(
    ("moment", "shift"),
    [
        ("2026-11-28T06:00:00+09:00", "2026-11-28 06:00"),
        ("2026-11-28T05:59:59+09:00", "2026-11-27 22:00"),
        ("2026-11-28T23:10:00+09:00", "2026-11-28 22:00"),
        ("2026-11-28T13:59:00+09:00", "2026-11-28 06:00"),
    ],
)
def test_a_moment_belongs_to_the_shift_that_began_last(moment: str, shift: str) -> None:
    assert Shifts().of_moment(datetime.fromisoformat(moment)) == shift


def test_shifts_are_given_as_times_in_any_order() -> None:
    assert Shifts.of("20:00, 8:00") == Shifts.of("08:00,20:00")
    for text in ("", "25:00", "8", "08:00;20:00"):
        with pytest.raises(LineError, match="no list of times"):
            Shifts.of(text)
