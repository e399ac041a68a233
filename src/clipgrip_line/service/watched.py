"""The watch of one version as it stands, and how it is kept."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np

from clipgrip_line.service.clock import now, written
from clipgrip_line.service.gallery import Gallery
from clipgrip_line.service.ledger import Ledger, NotKept
from clipgrip_line.service.live import Answering, Floats
from clipgrip_line.service.pictures import jpeg
from clipgrip_line.trust.drift import Monitors
from clipgrip_line.trust.line import Alarm, SeenImage, State, Vectors, WatchedLine
from clipgrip_line.trust.packed import monitors_bytes, read_monitors
from clipgrip_line.trust.ranks import no_counts
from clipgrip_line.trust.reference import Reference
from clipgrip_line.trust.responding import Verdict, after
from clipgrip_line.trust.scores import SCORES

LATEST = 5000
"""Images that an alarm looks back on."""
AT_ONCE = 500
ALARMS = 50
"""Latest alarms whose pictures are kept."""
LONGEST = 480
"""Pixels of the longer side of these."""
_ROW = "SELECT a.number, a.image, a.name, a.label, a.sure, a.codes, a.at FROM answer a "


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

    model: Answering
    begun_at: str
    anchors: Vectors = field(repr=False)
    near: Floats = field(repr=False)
    """The same in float32, so that every image is not paid for with a conversion."""
    reference: int
    state: WatchState
    unsaved: list[tuple[int, int]] = field(default_factory=list)
    """(number, answer) of images since the last saving."""

    def line(self, alpha: float) -> WatchedLine:
        """As the arithmetic of alarms knows it."""
        return WatchedLine(self.model.version, alpha, self.begun_at, {"pictures": []}, self.anchors)

    def fresh(self, db: sqlite3.Connection) -> Images:
        """The images after the last one that was bet on, contents that came before left out."""
        found = db.execute(
            f"{_ROW} WHERE a.number > ? AND a.version = ? AND a.fresh AND a.codes IS NOT NULL "
            "ORDER BY a.number LIMIT ?",
            (self.state.through, self.model.version, AT_ONCE),
        ).fetchall()
        first = self.state.state.images + 1
        rows = [_image(first + n, row) for n, row in enumerate(found)]
        through = found[-1][0] if found else self.state.through
        return Images(rows, [row[0] for row in found], through, len(found) == AT_ONCE)

    def history(self, db: sqlite3.Connection) -> list[SeenImage]:
        """The latest images with their numbers, oldest first."""
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
            f"{_ROW} WHERE a.number >= ? AND a.version = ? AND a.fresh ORDER BY a.number",
            (min(numbers), self.model.version),
        )
        return [_image(numbers[row[0]], row) for row in found if row[0] in numbers]

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
            (
                *(version, self.begun_at, state.period, state.before, self.state.through),
                packed,
            ),
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
            db.execute("DELETE FROM alarm_picture WHERE alarm <= ?", ((number or 0) - ALARMS,))
            db.executemany(
                "INSERT OR IGNORE INTO alarm_picture VALUES (?, ?, ?)",
                [(number, image, data) for image, data in one["pictures"].items()],
            )
            noticed(db, at, version, "alarm", {"alarm": one["facts"], "at_image": one["at"]})

    def change_alarm(self, ledger: Ledger, alarm: Alarm) -> None:
        """More is heard in it."""
        values = (json.dumps(alarm.facts), alarm.number)
        ledger.do(lambda db: db.execute("UPDATE alarm SET facts = ? WHERE number = ?", values))

    def respond(self, ledger: Ledger, verdict: str, note: str, by: str, at: str) -> Alarm | None:
        """Keep what a person says to the alarm; the monitors begin again with what is left of the budget."""
        every = alarms(ledger.reader, self.model.version)
        if not every or every[-1].response is not None:
            return None
        alarm, state = every[-1], self.state.state
        since = [
            one for one in self.history(ledger.reader) if one.number >= int(alarm.facts["since"])
        ]
        monitors = after(cast(Verdict, verdict), state.monitors, since)
        response = {"verdict": verdict, "note": note, "by": by, "at": at}
        period = next_period(ledger.reader, state.period)
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
            ledger.do(change)
        except NotKept:
            self.state = before
            raise
        self.unsaved = []
        return replace(alarm, response=response)


def following(ledger: Ledger, model: Answering, reference: Reference | None) -> Watched:
    """The watch of a version, where it was left, or from its reference."""
    db, classes = ledger.reader, len(model.classes)
    anchors = reference.anchors if reference else np.zeros((0, 1), np.float16)
    images, near = reference.images if reference else 0, anchors.astype(np.float32)
    row = db.execute(
        "SELECT begun_at, period, before, through, data FROM monitor WHERE version = ?",
        (model.version,),
    ).fetchone()
    if row is not None:
        begun_at, period, before, through, data = row
        state = WatchState(State(period, before, read_monitors(data)), through)
        return Watched(model, begun_at, anchors, near, images, state)
    monitors = reference.monitors if reference else _from_nothing(classes)
    (through,) = db.execute("SELECT coalesce(max(number), 0) FROM answer").fetchone()
    state = WatchState(State(next_period(db, 0), 0, monitors), through)
    watched = Watched(model, written(now()), anchors, near, images, state)
    packed = watched.packed()
    ledger.do(lambda db: watched.save(db, packed, (), watched.begun_at))
    return watched


def _from_nothing(classes: int) -> Monitors:
    return Monitors.of(no_counts(len(SCORES)), np.zeros(classes, np.int64))


def noticed(
    db: sqlite3.Connection, at: str, version: str, event: str, facts: Mapping[str, Any]
) -> None:
    """For the webhook."""
    body = json.dumps({"event": event, "at": at, "version": version, **facts})
    db.execute("INSERT INTO notice (at, body) VALUES (?, ?)", (at, body))


def small(facts: Mapping[str, Any], gallery: Gallery) -> dict[str, bytes]:
    """The pictures of an alarm from before and after, as far as they are still in memory, small enough to be kept."""
    found: dict[str, bytes] = {}
    for one in (*facts["before"], *facts["after"]):
        data = gallery.get(one["sha256"])
        made = None if data is None else jpeg(data, LONGEST)
        if made is not None:
            found[one["sha256"]] = made
    return found


def pictured(db: sqlite3.Connection, alarm: Alarm) -> dict[str, list[str]]:
    """The contents from before and after of which an alarm keeps a picture."""
    rows = db.execute("SELECT image FROM alarm_picture WHERE alarm = ?", (alarm.number,))
    kept = {image for (image,) in rows}
    return {
        when: [one["sha256"] for one in alarm.facts[when] if one["sha256"] in kept]
        for when in ("before", "after")
    }


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


def _image(number: int, row: tuple[Any, ...]) -> SeenImage:
    _, image, name, label, sure, codes, at = row
    scores = np.frombuffer(codes, dtype="<u2").astype(np.int64)
    return SeenImage(number, image, name or image[:12], label, sure, scores, at)
