"""The status of a watched line: one light, the figures since its start, and its alarms in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clipgrip.metrics import Share
from clipgrip.runs.watch.daily import daily_answers
from clipgrip.runs.watch.store import Alarm, WatchedLine, WatchStore, is_watched, open_watch
from clipgrip.runs.watch.upholding import Upheld, run_scopes, upheld
from clipgrip.words import Words
from clipgrip_line.trust.ringing import PERHAPS, loudest
from clipgrip_line.trust.scope import WatchedScope
from clipgrip_line.trust.watch_words import (
    LIGHTS,
    Light,
    advised,
    changed,
    light_text,
    named,
    response_words,
    since_when,
)


@dataclass(frozen=True)
class Status:
    """The status that a screen shows."""

    light: Light
    line: WatchedLine
    images: int
    period: int
    alarms: tuple[Alarm, ...]
    level: float
    """The highest level of a monitor; at 1 it raises an alarm."""
    promises: tuple[Upheld, ...] = ()
    audited: Share = field(default_factory=lambda: Share(0, 0))
    """Right answers among the images of the daily audit."""
    nearest: Mapping[str, Any] = field(default_factory=dict)
    """The monitor with the highest level."""

    @property
    def open_alarm(self) -> Alarm | None:
        """The last alarm, if nobody has answered it."""
        last = self.alarms[-1] if self.alarms else None
        return last if last is not None and last.response is None else None

    @property
    def symbol(self) -> str:
        """○, △ or ×."""
        return LIGHTS[self.light][0]

    def words(self, say: Words) -> str:
        """The meaning of the light, in words."""
        return light_text(self.light, say, rings=self.open_alarm is not None)

    def near(self, names: Sequence[str], say: Words) -> str:
        """The monitor nearest to an alarm, in words; empty unless the light is "perhaps" because of it."""
        if self.light != "perhaps" or self.level < PERHAPS:
            return ""
        monitor = named(self.nearest["monitor"], class_of(self.nearest, names), say)
        return say("nearest to an alarm: {monitor}", monitor=monitor)

    def facts(self) -> dict[str, Any]:
        """The status for --json."""
        ringing = self.open_alarm
        return {
            "light": self.light,
            "images": self.images,
            "since": self.line.begun_at,
            "reference": self.line.facts["reference"],
            "alpha": self.line.alpha,
            "level": round(min(self.level, 1e9), 6),
            "nearest": self.nearest,
            "alarms": len(self.alarms),
            "alarm": None if ringing is None else {"number": ringing.number, **ringing.facts},
            "answers": self.audited.total,
            "right": self.audited.count,
            "promises": [
                {
                    "audit": one.scope.audit,
                    "group": one.scope.name,
                    "max_error": one.scope.max_error,
                    "answers": one.answers,
                    "wrong": one.wrong,
                    "corrected": one.corrected,
                    "level": round(min(one.level, 1e9), 6),
                    "withdrawn": one.withdrawn,
                }
                for one in self.promises
            ],
        }


def status_of(store: WatchStore, scopes: Sequence[WatchedScope] = ()) -> Status:
    """The current status, with the promises of the run."""
    line, state, alarms = store.begun(), store.state(), tuple(store.alarms())
    level, nearest = loudest(line, state)
    promises, answers = tuple(upheld(store, scopes)), daily_answers(store)
    right = Share(sum(one.label == one.predicted for one in answers), len(answers))
    light = _light(alarms, level, promises)
    return Status(light, line, state.images, state.period, alarms, level, promises, right, nearest)


def _light(alarms: Sequence[Alarm], level: float, promises: Sequence[Upheld]) -> Light:
    """The light; a withdrawn promise counts as an alarm until a later audit has made a new one."""
    fallen = any(one.withdrawn is not None and not one.renewed for one in promises)
    if fallen or (alarms and alarms[-1].response is None):
        return "alarm"
    near = [level, *(one.level for one in promises if one.withdrawn is None)]
    return "perhaps" if max(near) >= PERHAPS else "quiet"


def rings(run: Path) -> bool:
    """Whether an alarm is open; quick, as neither scores nor answers are read."""
    if not is_watched(run):
        return False
    with open_watch(run) as store:
        alarms = store.alarms()
    return bool(alarms) and alarms[-1].response is None


def line_of(run: Path) -> Status | None:
    """The status of the watch in a run's folder; None where none has begun."""
    if not is_watched(run):
        return None
    with open_watch(run) as store:
        return status_of(store, run_scopes(run))


@dataclass(frozen=True)
class AlarmText:
    """An alarm in words."""

    number: int
    rang: str
    what: str
    since: str
    advice: str
    others: Sequence[str]
    """The other monitors that raised it."""
    response: str
    """Empty while the alarm is open."""


def alarm_text(alarm: Alarm, names: Sequence[str], say: Words) -> AlarmText:
    """An alarm in words; ``names`` are the class names."""
    facts = alarm.facts
    return AlarmText(
        alarm.number,
        say.date(alarm.rang_at),
        changed(facts["monitor"], facts["rises"], class_of(facts, names), say),
        since_when(facts, alarm.at, say),
        advised(facts["monitor"], facts["rises"], say),
        [named(one["monitor"], class_of(one, names), say) for one in facts["others"]],
        response_words(alarm.response, say),
    )


def class_of(facts: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """The class that a monitor is about."""
    return None if facts["class"] is None else names[facts["class"]]
