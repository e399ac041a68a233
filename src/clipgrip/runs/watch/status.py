"""Where a line stands: one light, the figures since its start, and its alarms in words."""

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
    """What a screen shows of a line."""

    light: Light
    line: WatchedLine
    images: int
    period: int
    alarms: tuple[Alarm, ...]
    level: float
    """How near the nearest monitor is to an alarm: 1 rings."""
    promises: tuple[Upheld, ...] = ()
    audited: Share = field(default_factory=lambda: Share(0, 0))
    """Right answers among the images of the daily audit."""

    @property
    def open_alarm(self) -> Alarm | None:
        """The alarm that nobody has answered."""
        last = self.alarms[-1] if self.alarms else None
        return last if last is not None and last.response is None else None

    @property
    def symbol(self) -> str:
        """○, △ or ×."""
        return LIGHTS[self.light][0]

    def words(self, say: Words) -> str:
        """What the light means, in the reader's language."""
        return light_text(self.light, say, rings=self.open_alarm is not None)

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
    """The line as it stands, with the promises of its run."""
    line, state, alarms = store.begun(), store.state(), tuple(store.alarms())
    level = loudest(line, state)
    promises, answers = tuple(upheld(store, scopes)), daily_answers(store)
    right = Share(sum(one.label == one.predicted for one in answers), len(answers))
    light = _light(alarms, level, promises)
    return Status(light, line, state.images, state.period, alarms, level, promises, right)


def _light(alarms: Sequence[Alarm], level: float, promises: Sequence[Upheld]) -> Light:
    """A withdrawn promise is an alarm until an audit after it has promised anew."""
    fallen = any(one.withdrawn is not None and not one.renewed for one in promises)
    if fallen or (alarms and alarms[-1].response is None):
        return "alarm"
    near = [level, *(one.level for one in promises if one.withdrawn is None)]
    return "perhaps" if max(near) >= PERHAPS else "quiet"


def line_of(run: Path) -> Status | None:
    """The line of a run's folder with its promises; None where none has begun."""
    if not is_watched(run):
        return None
    with open_watch(run) as store:
        return status_of(store, run_scopes(run))


@dataclass(frozen=True)
class AlarmText:
    """One alarm in the reader's language."""

    number: int
    rang: str
    what: str
    since: str
    advice: str
    others: Sequence[str]
    """What else rang, named."""
    response: str
    """Empty while it rings."""


def alarm_text(alarm: Alarm, names: Sequence[str], say: Words) -> AlarmText:
    """An alarm in words; ``names`` are those of the classes that the model answers with."""
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
