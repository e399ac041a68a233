"""An alarm as people read it: what changed, since when, what to do, and who answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clipgrip.runs.watch.store import Alarm
from clipgrip.words import Words
from clipgrip_line.trust.watch_words import advised, changed, named, response_words, since_when


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
