"""at-work.html: how a line stands, with twelve pictures before and after of the alarms, as one offline page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clipgrip.clock import now
from clipgrip.data.places import source_at
from clipgrip.data.reading import open_picture
from clipgrip.errors import DataError
from clipgrip.markup import page
from clipgrip.report.pictures import SIDE, thumbnail
from clipgrip.runs.watch.status import AlarmText, Status, alarm_text
from clipgrip.runs.watch.store import Alarm
from clipgrip.sentences import quoted
from clipgrip.words import Language, Words
from clipgrip.written import write_dated
from clipgrip_line.trust.watch_words import audited_words

PAGE = "at-work.html"
WATCH = "watch"
PICTURED = 3
"""Newest alarms that are shown with their pictures."""


@dataclass(frozen=True)
class Shown:
    """One picture; ``source`` is None where the file is gone or has changed."""

    path: str
    source: str | None


@dataclass(frozen=True)
class AlarmWords:
    """One alarm in words, with its pictures."""

    text: AlarmText
    before: Sequence[Shown]
    after: Sequence[Shown]


@dataclass(frozen=True)
class AtWork:
    """A line in words."""

    status: Status
    light: str
    near: str
    """What may be changing."""
    alarms: Sequence[AlarmWords]
    promises: Sequence[str]
    audited: str
    answer: str
    """The command that answers an alarm, to copy."""
    now: str


def write_at_work(run: Path, status: Status, names: Sequence[str], language: Language) -> Path:
    """Write the page into the run's folder; one that a person changed stays, and the new one is dated."""
    content = at_work_page(status, names, language, run).encode("utf-8")
    return write_dated(run / PAGE, content, WATCH)


def at_work_page(status: Status, names: Sequence[str], language: Language, run: Path) -> str:
    """The page; all text from outside is shown as text."""
    say = Words(language)
    return page("clipgrip.report", "at_work.html", say=say, work=at_work(status, names, say, run))


def at_work(status: Status, names: Sequence[str], say: Words, run: Path | str) -> AtWork:
    """What the section *At work* shows, the newest alarm first."""
    newest = list(reversed(status.alarms))
    alarms = [alarm_words(one, names, say, pictured=n < PICTURED) for n, one in enumerate(newest)]
    promises = [one.words(say) for one in status.promises]
    right = audited_words(status.audited, say)
    near, answer = status.near(names, say), answer_command(run)
    return AtWork(status, status.words(say), near, alarms, promises, right, answer, now())


def answer_command(run: Path | str) -> str:
    """How the alarm that rings in the run's folder is answered."""
    return f"clipgrip watch answer {quoted(run)} fixed"


def alarm_words(
    alarm: Alarm, names: Sequence[str], say: Words, *, pictured: bool = True
) -> AlarmWords:
    """An alarm in words."""
    before, after = (
        [_shown(one) for one in alarm.facts[key]] if pictured else [] for key in ("before", "after")
    )
    return AlarmWords(alarm_text(alarm, names, say), before, after)


def _shown(picture: Mapping[str, str]) -> Shown:
    """The picture, if it is still the one that was seen."""
    try:
        opened = open_picture(source_at(picture["path"]), picture["sha256"], at_least=SIDE)
        return Shown(picture["path"], thumbnail(opened))
    except (OSError, DataError):
        return Shown(picture["path"], None)
