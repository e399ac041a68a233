"""The page *At work*: the light of the line, figures since its start, alarms and who answered them."""

from __future__ import annotations

from typing import Any

from clipgrip.review.web.context import PageContext
from clipgrip.runs.watch.status import Status, line_of
from clipgrip.runs.watch.store import Alarm
from clipgrip.trust.watch_words import (
    LIGHTS,
    advised,
    audited_words,
    changed,
    response_words,
    since_when,
)


def work_page(context: PageContext) -> str:
    """How new images fare with the model in use; how to begin where nothing is watched."""
    snapshot, say = context.snapshot, context.say
    folder = context.server.folder / snapshot.round.stored.folder
    line = line_of(folder)
    return context.page(
        "work.html",
        tab="work",
        line=line,
        folder=folder,
        light="" if line is None else say(LIGHTS[line.light][1]),
        promises=[] if line is None else [one.words(say) for one in line.promises],
        audited="" if line is None else audited_words(line.audited, say),
        alarms=_alarms(context, line),
    )


def _alarms(context: PageContext, line: Status | None) -> list[dict[str, Any]]:
    """The newest first."""
    names = context.snapshot.view.outcome.manifest.classes.display
    return [] if line is None else [_words(one, names, context) for one in reversed(line.alarms)]


def _words(alarm: Alarm, names: tuple[str, ...], context: PageContext) -> dict[str, Any]:
    facts, say = alarm.facts, context.say
    name = None if facts["class"] is None else names[facts["class"]]
    return {
        "number": alarm.number,
        "rang": say.date(alarm.rang_at),
        "what": changed(facts["monitor"], facts["rises"], name, say),
        "since": since_when(facts, alarm.at, say),
        "advice": advised(facts["monitor"], say),
        "response": response_words(alarm.response, say),
    }
