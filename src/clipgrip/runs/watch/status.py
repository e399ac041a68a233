"""Where a line stands: one light, the figures since its start, and its alarms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from clipgrip.runs.watch.ringing import image_budgets
from clipgrip.runs.watch.scores import SCORES, SHARE
from clipgrip.runs.watch.store import Alarm, State, WatchedLine, WatchStore
from clipgrip.trust.watch_words import LIGHTS, Light

PERHAPS = 0.1
"""Share of the level of an alarm from which something may be changing: at most ten times as often false."""


@dataclass(frozen=True)
class Status:
    """What a screen shows of a line."""

    light: Light
    line: WatchedLine
    images: int
    period: int
    alarms: tuple[Alarm, ...]
    loudest: tuple[str, int | None]
    """The monitor that is nearest to an alarm, and its class."""
    level: float
    """How near: 1 rings."""

    @property
    def open_alarm(self) -> Alarm | None:
        """The alarm that nobody has answered."""
        last = self.alarms[-1] if self.alarms else None
        return last if last is not None and last.response is None else None

    @property
    def symbol(self) -> str:
        """○, △ or ×."""
        return LIGHTS[self.light][0]

    def facts(self) -> dict[str, Any]:
        """For programs."""
        ringing = self.open_alarm
        return {
            "light": self.light,
            "images": self.images,
            "since": self.line.begun_at,
            "reference": self.line.facts["reference"],
            "alpha": self.line.alpha,
            "level": round(min(self.level, 1e9), 6),
            "alarms": len(self.alarms),
            "alarm": None if ringing is None else {"number": ringing.number, **ringing.facts},
        }


def status_of(store: WatchStore) -> Status:
    """The line as it stands."""
    line, state, alarms = store.begun(), store.state(), tuple(store.alarms())
    level, loudest = _loudest(line, state)
    rings = bool(alarms) and alarms[-1].response is None
    light: Light = "alarm" if rings else "perhaps" if level >= PERHAPS else "quiet"
    return Status(light, line, state.images, state.period, alarms, loudest, level)


def _loudest(line: WatchedLine, state: State) -> tuple[float, tuple[str, int | None]]:
    levels = state.monitors.wealth * image_budgets(line, state.period, len(state.monitors.labels))
    place = int(np.argmax(levels))
    named = (SCORES[place], None) if place < len(SCORES) else (SHARE, place - len(SCORES))
    return float(levels[place]), named
