"""The watch of one version as it stands, and how it is kept."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np

from clipgrip_line.clock import now, written
from clipgrip_line.monitoring.seeing import Answering
from clipgrip_line.monitoring.store import Store
from clipgrip_line.trust.drift import Monitors
from clipgrip_line.trust.line import Alarm, SeenImage, State, WatchedLine
from clipgrip_line.trust.packed import monitors_bytes, read_monitors
from clipgrip_line.trust.ranks import no_counts
from clipgrip_line.trust.reference import Reference
from clipgrip_line.trust.responding import Verdict, after
from clipgrip_line.trust.scores import SCORES, Anchors
from clipgrip_line.trust.watch_words import changed
from clipgrip_line.words import Words

LATEST = 5000
"""Images that an alarm looks back on."""
AT_ONCE = 500
ALARMS = 50
"""Latest alarms whose pictures are kept."""
_ROW = "SELECT number, image, name, label, sure, codes, at FROM {table} WHERE "


@dataclass(frozen=True)
class WatchState:
    """Monitors, and the last answer that they have bet on."""

    state: State
    through: int


@dataclass(frozen=True)
class Images:
    """New images of a look, in the order of their answers."""

    rows: list[SeenImage]
    answers: list[int]
    """Numbers of their answers."""
    through: int
    full: bool
    """There may be more."""


@dataclass(eq=False)
class Watched:
    """One version under watch."""

    store: Store
    model: Answering
    begun_at: str
    anchors: Anchors = field(repr=False)
    reference: int
    state: WatchState
    unsaved: list[tuple[int, int]] = field(default_factory=list)
    """(number, answer) of images since the last saving."""

    def line(self, alpha: float) -> WatchedLine:
        """As the arithmetic of alarms knows it."""
        return WatchedLine(self.model.version, alpha, self.begun_at, {"pictures": []}, self.anchors)

    def fresh(self) -> Images:
        """The images after the last one that was bet on, contents that came before left out."""
        found = self.store.reader.execute(
            self._rows("number > ? AND version = ? AND fresh AND codes IS NOT NULL") + " LIMIT ?",
            (self.state.through, self.model.version, AT_ONCE),
        ).fetchall()
        first = self.state.state.images + 1
        rows = [_image(first + n, row) for n, row in enumerate(found)]
        through = found[-1][0] if found else self.state.through
        return Images(rows, [row[0] for row in found], through, len(found) == AT_ONCE)

    def history(self) -> list[SeenImage]:
        """The latest images with their numbers, oldest first."""
        db = self.store.reader
        numbers = {
            answer: number
            for number, answer in db.execute(
                "SELECT number, answer FROM watched WHERE version = ? ORDER BY number DESC LIMIT ?",
                (self.model.version, LATEST),
            )
        }
        numbers |= {answer: number for number, answer in self.unsaved}
        if not numbers:
            return []
        found = db.execute(
            self._rows("number >= ? AND version = ? AND fresh"), (min(numbers), self.model.version)
        )
        return [_image(numbers[row[0]], row) for row in found if row[0] in numbers]

    def _rows(self, which: str) -> str:
        return f"{_ROW.format(table=self.store.answered)}{which} ORDER BY number"

    def packed(self) -> bytes:
        """The monitors as `save` keeps them: made before, so that no answer waits behind it."""
        return monitors_bytes(self.state.state.monitors)

    def save(
        self, db: sqlite3.Connection, packed: bytes, loud: Sequence[Mapping[str, Any]], at: str
    ) -> None:
        """Monitors, images, and what rang, in one change."""
        state, version = self.state.state, self.model.version
        db.execute(
            "INSERT OR REPLACE INTO monitor VALUES (?, ?, ?, ?, ?, ?)",
            (*(version, self.begun_at, state.period, state.before, self.state.through), packed),
        )
        db.executemany(
            "INSERT OR REPLACE INTO watched VALUES (?, ?, ?)",
            [(version, number, answer) for number, answer in self.unsaved],
        )
        db.execute(
            "DELETE FROM watched WHERE version = ? AND number <= ?",
            (version, state.images - LATEST),
        )
        for one in loud:
            facts = json.dumps(one["facts"])
            number = db.execute(
                "INSERT INTO alarm (version, period, at, rang_at, facts) VALUES (?, ?, ?, ?, ?)",
                (version, state.period, one["at"], at, facts),
            ).lastrowid
            if "pictures" in one:
                _keep_pictures(db, number or 0, one["pictures"])
            about = {"alarm": one["facts"], "at_image": one["at"], "what": self._what(one["facts"])}
            noticed(self.store, db, at, version, "alarm", about)

    def _what(self, facts: Mapping[str, Any]) -> str:
        name = None if facts["class"] is None else self.model.classes[facts["class"]]
        return changed(facts["monitor"], facts["rises"], name, Words("en"))

    def change_alarm(self, alarm: Alarm) -> None:
        """More is heard in it."""
        values = (json.dumps(alarm.facts), alarm.number)
        self.store.do(lambda db: db.execute("UPDATE alarm SET facts = ? WHERE number = ?", values))

    def rings(self) -> Alarm | None:
        """The alarm that nobody has answered yet, as it is kept."""
        every = alarms(self.store.reader, self.model.version)
        return every[-1] if every and every[-1].response is None else None

    def respond(self, verdict: str, note: str, by: str, at: str) -> Alarm | None:
        """Keep what a person says to the alarm; the monitors begin again with what is left of the budget."""
        alarm, state = self.rings(), self.state.state
        if alarm is None:
            return None
        since = [one for one in self.history() if one.number >= int(alarm.facts["since"])]
        monitors = after(cast(Verdict, verdict), state.monitors, since)
        response = {"verdict": verdict, "note": note, "by": by, "at": at}
        period = next_period(self.store.reader, state.period)
        before = self.state
        self.state = WatchState(State(period, state.images, monitors), before.through)
        packed = self.packed()

        def change(db: sqlite3.Connection) -> None:
            db.execute(
                "UPDATE alarm SET response = ? WHERE number = ?",
                (json.dumps(response), alarm.number),
            )
            self.save(db, packed, (), at)

        try:
            self.store.do(change)
        except Exception:
            self.state = before
            raise
        self.unsaved = []
        return replace(alarm, response=response)


def _keep_pictures(db: sqlite3.Connection, alarm: int, pictures: Mapping[str, bytes]) -> None:
    db.execute("DELETE FROM alarm_picture WHERE alarm <= ?", (alarm - ALARMS,))
    rows = [(alarm, image, data) for image, data in pictures.items()]
    db.executemany("INSERT OR IGNORE INTO alarm_picture VALUES (?, ?, ?)", rows)


def following(store: Store, model: Answering, reference: Reference | None) -> Watched:
    """The watch of a version, where it was left, or from its reference."""
    db, classes = store.reader, len(model.classes)
    anchors = reference.anchors if reference else Anchors(np.zeros((0, 1), np.float32))
    images = reference.images if reference else 0
    row = db.execute(
        "SELECT begun_at, period, before, through, data FROM monitor WHERE version = ?",
        (model.version,),
    ).fetchone()
    if row is not None:
        begun_at, period, before, through, data = row
        state = WatchState(State(period, before, read_monitors(data)), through)
        return Watched(store, model, begun_at, anchors, images, state)
    nothing = Monitors.of(no_counts(len(SCORES)), np.zeros(classes, np.int64))
    monitors = reference.monitors if reference else nothing
    (through,) = db.execute(f"SELECT coalesce(max(number), 0) FROM {store.answered}").fetchone()
    state = WatchState(State(next_period(db, 0), 0, monitors), through)
    watched = Watched(store, model, written(now()), anchors, images, state)
    packed = watched.packed()
    store.do(lambda db: watched.save(db, packed, (), watched.begun_at))
    return watched


def noticed(
    store: Store,
    db: sqlite3.Connection,
    at: str,
    version: str,
    event: str,
    facts: Mapping[str, Any],
) -> None:
    """For those who want to be told."""
    store.notice(db, at, {"event": event, "at": at, "version": version, **facts})


def next_period(db: sqlite3.Connection, period: int) -> int:
    """One after all that any version of the line had: they share one lifetime budget."""
    (last,) = db.execute("SELECT coalesce(max(period), 0) FROM monitor").fetchone()
    return int(max(last, period)) + 1


def alarms(db: sqlite3.Connection, version: str) -> list[Alarm]:
    """Every alarm of a version, oldest first."""
    rows = db.execute(
        "SELECT number, period, at, rang_at, facts, response FROM alarm WHERE version = ? ORDER BY number",
        (version,),
    )
    return [
        Alarm(
            number, period, at, rang, json.loads(facts), json.loads(response) if response else None
        )
        for number, period, at, rang, facts, response in rows
    ]


def all_alarms(db: sqlite3.Connection) -> list[tuple[str, Alarm]]:
    """Every alarm with its version, oldest first."""
    versions = db.execute("SELECT DISTINCT version FROM alarm").fetchall()
    found = [(version, one) for (version,) in versions for one in alarms(db, version)]
    return sorted(found, key=lambda pair: pair[1].number)


def _image(number: int, row: tuple[Any, ...]) -> SeenImage:
    _, image, name, label, sure, codes, at = row
    scores = np.frombuffer(codes, dtype="<u2").astype(np.int64)
    return SeenImage(number, image, name or image[:12], label, sure, scores, at)
