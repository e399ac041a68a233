"""The page *At work*: the light of the line, figures since its start, alarms with their pictures, and their answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clipgrip.clock import precisely
from clipgrip.data.places import source_at
from clipgrip.data.rows import Row
from clipgrip.data.sources import is_there
from clipgrip.errors import DataError
from clipgrip.review.web.bodies import AlarmBody
from clipgrip.review.web.context import PageContext
from clipgrip.review.web.state import ServerState
from clipgrip.runs.lock import locked
from clipgrip.runs.watch.status import Status, alarm_text, line_of
from clipgrip.runs.watch.store import LOCK, Alarm, answer_alarm, is_watched, open_watch
from clipgrip.sentences import quoted
from clipgrip_line.trust.watch_words import VERDICTS, audited_words

PICTURED = 3
"""Newest alarms that are shown with their pictures."""


def work_page(context: PageContext) -> str:
    """How new images fare with the model in use; how to begin where nothing is watched."""
    say = context.say
    folder = _folder(context.server)
    line = line_of(folder)
    return context.page(
        "work.html",
        tab="work",
        line=line,
        named=quoted(context.server.folder.resolve()),
        light="" if line is None else line.words(say),
        promises=[] if line is None else [one.words(say) for one in line.promises],
        audited="" if line is None else audited_words(line.audited, say),
        alarms=_alarms(context, line),
        verdicts=VERDICTS,
    )


def answer(server: ServerState, given: AlarmBody, person: str) -> int:
    """Answer the alarm that rings, on the disk when this returns; its number.

    RunError: another process is looking at new images, or that alarm does not ring.
    """
    folder = _folder(server)
    with locked(folder, LOCK), open_watch(folder) as store:
        found = answer_alarm(
            store,
            given.verdict,
            by=person,
            note=given.note.strip(),
            at=precisely(),
            number=given.number,
        )
    return found.number


def picture_row(server: ServerState, content: str) -> Row:
    """An image that an alarm shows, by its content hash. DataError: no alarm shows it."""
    folder = _folder(server)
    if is_watched(folder):
        with open_watch(folder) as store:
            alarms = store.alarms()
        for one in alarms:
            for shown in (*one.facts["before"], *one.facts["after"]):
                if shown["sha256"] == content:
                    path = shown["path"]
                    return Row(shown["sha256"], (path,), -1, "pool", source_at(path))
    raise DataError(
        'no alarm shows an image called "{content}". Reload the page.', content=content[:64]
    )


def _folder(server: ServerState) -> Path:
    """Of the round that is in use."""
    return server.folder / server.session.snapshot.round.stored.folder


def _alarms(context: PageContext, line: Status | None) -> list[dict[str, Any]]:
    """The newest first; of the newest ones the pictures too."""
    names = context.snapshot.view.outcome.manifest.classes.display
    newest = [] if line is None else list(reversed(line.alarms))
    return [
        {
            "text": alarm_text(one, names, context.say),
            "pictures": _pictures(one) if n < PICTURED else {},
        }
        for n, one in enumerate(newest)
    ]


def _pictures(alarm: Alarm) -> dict[str, list[dict[str, Any]]]:
    return {
        kind: [
            {
                "image": one["sha256"],
                "name": Path(one["path"]).name,
                "there": is_there(source_at(one["path"])),
            }
            for one in alarm.facts[kind]
        ]
        for kind in ("before", "after")
    }
