"""Which shift a moment belongs to: the latest beginning before it, today's or yesterday's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from clipgrip_line.errors import LineError

_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True)
class Shifts:
    """When shifts begin, by the clock on the wall."""

    begins: tuple[time, ...] = (time(6), time(14), time(22))

    @classmethod
    def of(cls, text: str) -> Shifts:
        """From ``06:00,14:00,22:00``. LineError: it is no list of times."""
        found = [_TIME.fullmatch(part.strip()) for part in text.split(",")]
        if not all(found):
            raise LineError(
                '--shifts "{text}" is no list of times. Give when each shift begins: --shifts 06:00,14:00,22:00.',
                text=text,
            )
        return cls(tuple(sorted({time(int(one[1]), int(one[2])) for one in found if one})))

    def of_moment(self, moment: datetime) -> str:
        """``2026-11-28 06:00``: the day and the time at which the shift began."""
        today = [datetime.combine(moment.date(), one) for one in self.begins]
        begun = [one for one in today if one <= moment.replace(tzinfo=None)]
        start = begun[-1] if begun else today[-1] - timedelta(days=1)
        return f"{start:%Y-%m-%d %H:%M}"


def shown(shift: str) -> str:
    """The time of it, for a screen."""
    return shift.split(" ")[-1]


def counted(rows: Sequence[tuple[str, str, int]]) -> dict[str, dict[str, int]]:
    """``class -> verdict -> n`` from rows."""
    found: dict[str, dict[str, int]] = {}
    for name, verdict, n in rows:
        found.setdefault(name, {})[verdict] = found.get(name, {}).get(verdict, 0) + n
    return found
