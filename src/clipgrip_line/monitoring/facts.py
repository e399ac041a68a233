"""The watch as it stands, for pages, programs and consoles, in the reader's language where it is a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clipgrip_line.monitoring.watching import Status
from clipgrip_line.trust.line import Alarm
from clipgrip_line.trust.watch_words import LIGHTS, advised, changed, light_text, since_when
from clipgrip_line.words import Words


def watch_facts(status: Status, classes: Sequence[str], say: Words) -> dict[str, Any]:
    """The light, and what it means."""
    return {
        "light": status.light,
        "symbol": LIGHTS[status.light][0],
        "sentence": light_text(status.light, say, rings=status.alarm is not None),
        "images": status.images,
        "reference": status.reference,
        "level": round(min(status.level, 1e9), 4),
        "alarm": None if status.alarm is None else alarm_facts(status.alarm, classes, say),
        "alarms": status.alarms,
        "promises": [one.facts() for one in status.promises],
    }


def alarm_facts(alarm: Alarm, classes: Sequence[str], say: Words) -> dict[str, Any]:
    """What rings, what to do, and since when."""
    facts = alarm.facts
    name = None if facts["class"] is None else classes[facts["class"]]
    return {
        "number": alarm.number,
        "rang_at": alarm.rang_at,
        "what": changed(facts["monitor"], facts["rises"], name, say),
        "advice": advised(facts["monitor"], facts["rises"], say),
        "since": facts["since"],
        "since_at": say.date(facts["since_at"]),
        "since_when": since_when(facts, alarm.at, say),
    }
