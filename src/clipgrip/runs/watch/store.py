"""watch.db: the watch of one line. Images are ordered by their arrival, not by a clock; times are only for people."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from clipgrip.errors import RunError
from clipgrip.runs.database import open_database
from clipgrip.runs.seal import Seals
from clipgrip.runs.store import check_run, parsed
from clipgrip.runs.watch.schema import MIGRATIONS, SEALED
from clipgrip.sentences import mark, quoted
from clipgrip_line.trust.drift import Monitors
from clipgrip_line.trust.line import Alarm as Alarm
from clipgrip_line.trust.line import SeenImage as SeenImage
from clipgrip_line.trust.line import State as State
from clipgrip_line.trust.line import WatchedLine as WatchedLine
from clipgrip_line.trust.packed import monitors_from
from clipgrip_line.trust.responding import Verdict, after
from clipgrip_line.trust.scores import Anchors

NAME = "watch.db"
LOCK = ".watch.lock"
LATEST = 5000
"""How many of the newest images are stored with scores and paths, to be shown and drawn."""
MOST_SEEN = 1_000_000
"""How many of the newest content hashes are stored, so that a copy does not count twice: about 30 MB."""


class WatchStore:
    """An open watch.db. Each writing method is one transaction."""

    def __init__(self, db: sqlite3.Connection, seals: Seals) -> None:
        self.db, self.seals = db, seals

    def line(self) -> WatchedLine | None:
        """The watched line; None before the watch has begun."""
        self.seals.check("line")
        row = self.db.execute("SELECT run, alpha, begun_at, facts, anchors FROM line").fetchone()
        if row is None:
            return None
        run, alpha, begun_at, facts, anchors = row
        return WatchedLine(run, alpha, begun_at, parsed(facts), read_anchors(anchors))

    def begun(self) -> WatchedLine:
        """The watched line. RunError: the watch has not begun."""
        line = self.line()
        if line is None:
            raise RunError(
                "{name} holds no reference: its beginning was cut off. Move it away, and begin again.",
                name=NAME,
            )
        return line

    def state(self) -> State:
        """The current state of the monitors."""
        self.seals.check("state")
        period, before, data = self.db.execute(
            "SELECT period, before, monitors FROM state"
        ).fetchone()
        return State(period, before, read_monitors(data))

    def begin(self, line: WatchedLine, monitors: Monitors, contents: Sequence[str]) -> None:
        """Store a new line with its monitors; images with these content hashes never count as new."""
        facts = json.dumps(line.facts, sort_keys=True)
        with self.db:
            self.db.execute(
                "INSERT INTO line VALUES (1, ?, ?, ?, ?, ?)",
                (line.run, line.alpha, line.begun_at, facts, anchors_bytes(line.anchors)),
            )
            self.seals.renew("line")
            self._remember(contents)
            self._keep(State(1, 0, monitors))

    def fresh(self, contents: Sequence[str]) -> set[str]:
        """The content hashes that were not seen yet."""
        query = "SELECT 1 FROM seen WHERE content = ?"
        return {one for one in contents if self.db.execute(query, (_key(one),)).fetchone() is None}

    def add(
        self, state: State, images: Sequence[SeenImage], rung: Mapping[str, Any] | None, now: str
    ) -> None:
        """Store new images, the monitors after them, and a new alarm: ``rung`` has its ``at`` and ``facts``."""
        with self.db:
            self._remember([one.sha256 for one in images])
            self.db.executemany(
                "INSERT INTO image VALUES (?, ?, ?, ?, ?, ?, ?, NULL, NULL)",
                (
                    (
                        one.number,
                        one.sha256,
                        one.path,
                        one.label,
                        one.confidence,
                        one.codes.astype("<u2").tobytes(),
                        one.seen_at,
                    )
                    for one in images
                ),
            )
            self.db.execute(
                "DELETE FROM image WHERE number <= ? AND draw IS NULL", (state.images - LATEST,)
            )
            self.seals.renew("image")
            self._keep(state)
            if rung is not None:
                self._add_alarm(state.period, rung, now)

    def images(self, first: int = 0, last: int | None = None) -> list[SeenImage]:
        """The stored images with numbers from ``first`` to ``last``, oldest first."""
        self.seals.check("image")
        rows = self.db.execute(
            "SELECT number, sha256, path, label, confidence, codes, seen_at FROM image "
            "WHERE number >= ? AND number <= ? ORDER BY number",
            (first, last if last is not None else 1 << 62),
        )
        return [_image(row) for row in rows]

    def alarms(self) -> list[Alarm]:
        """All alarms with their responses, oldest first."""
        self.seals.check("alarm", "response")
        responses = {
            number: {"verdict": verdict, "note": note, "by": by, "at": at}
            for number, verdict, note, by, at in self.db.execute("SELECT * FROM response")
        }
        rows = self.db.execute("SELECT number, period, at, rang_at, facts FROM alarm")
        return [
            Alarm(number, period, at, rang_at, parsed(facts), responses.get(number))
            for number, period, at, rang_at, facts in sorted(rows)
        ]

    def change_alarm(self, alarm: Alarm) -> None:
        """Replace the facts of an open alarm."""
        with self.db:
            self.db.execute(
                "UPDATE alarm SET facts = ? WHERE number = ?",
                (json.dumps(alarm.facts, sort_keys=True), alarm.number),
            )
            self.seals.renew("alarm")

    def respond(self, alarm: Alarm, response: Mapping[str, str], state: State) -> None:
        """Store the response to an alarm, and the new monitors that begin after it."""
        values = (alarm.number, *(response[key] for key in ("verdict", "note", "by", "at")))
        with self.db:
            self.db.execute("INSERT INTO response VALUES (?, ?, ?, ?, ?)", values)
            self.seals.renew("response")
            self._keep(state)

    def _add_alarm(self, period: int, rung: Mapping[str, Any], now: str) -> None:
        facts = json.dumps(rung["facts"], sort_keys=True)
        self.db.execute(
            "INSERT INTO alarm (period, at, rang_at, facts) VALUES (?, ?, ?, ?)",
            (period, rung["at"], now, facts),
        )
        self.seals.renew("alarm")

    def _keep(self, state: State) -> None:
        values = (state.period, state.before, monitors_bytes(state.monitors))
        self.db.execute("INSERT OR REPLACE INTO state VALUES (1, ?, ?, ?)", values)
        self.seals.renew("state")

    def _remember(self, contents: Sequence[str]) -> None:
        self.db.executemany(
            "INSERT OR IGNORE INTO seen (content) VALUES (?)", ((_key(one),) for one in contents)
        )
        self.db.execute(
            "DELETE FROM seen WHERE number <= (SELECT max(number) FROM seen) - ?", (MOST_SEEN,)
        )


@contextmanager
def open_watch(run: Path, *, create: bool = False) -> Iterator[WatchStore]:
    """Open the watch of a run's folder. RunError: it does not exist, unless ``create``, or is damaged."""
    path = run / NAME
    if not create and not path.is_file():
        check_run(run)
        raise RunError(
            "{run} is not watched yet (no {name} in it). Begin with clipgrip watch look {run} IMAGES.",
            run=quoted(run),
            name=NAME,
        )
    with open_database(path, MIGRATIONS, SEALED) as (db, seals):
        yield WatchStore(db, seals)


def is_watched(run: Path) -> bool:
    """Whether a watch has begun in the folder."""
    if not (run / NAME).is_file():
        return False
    with open_watch(run) as store:
        return store.line() is not None


def answer_alarm(
    store: WatchStore, verdict: Verdict, *, by: str, note: str, at: str, number: int | None = None
) -> Alarm:
    """Answer the open alarm; the monitors begin again with the rest of the lifetime budget.

    ``number`` is the alarm that the person saw, where that may be outdated. RunError: no alarm is open, or another one.
    """
    store.begun()
    alarms, state = store.alarms(), store.state()
    if not alarms or alarms[-1].response is not None:
        raise RunError(
            mark("no alarm rings, so there is nothing to answer. See clipgrip watch status.")
        )
    alarm = alarms[-1]
    if number not in (None, alarm.number):
        raise RunError(
            "alarm {number} does not ring any more; alarm {now} does. Reload the page.",
            number=number,
            now=alarm.number,
        )
    since = store.images(int(alarm.facts["since"]))
    monitors = after(verdict, state.monitors, since)
    response = {"verdict": verdict, "note": note, "by": by, "at": at}
    store.respond(alarm, response, State(state.period + 1, state.images, monitors))
    return store.alarms()[-1]


def monitors_bytes(monitors: Monitors) -> bytes:
    """The monitors as compressed bytes; nearly all of their counts are zero."""
    arrays = {one.name: np.asarray(getattr(monitors, one.name)) for one in fields(monitors)}
    return zlib.compress(save(arrays), 1)


def read_monitors(data: bytes) -> Monitors:
    """The inverse of `monitors_bytes`; monitors of older versions are converted to the current bets."""
    return monitors_from(load(zlib.decompress(data)))


def anchors_bytes(anchors: Anchors) -> bytes:
    """The anchors as bytes, with vectors in float16."""
    return save({"anchors": anchors.vectors.astype(np.float16), "weight": np.array(anchors.weight)})


def read_anchors(data: bytes) -> Anchors:
    """The inverse of `anchors_bytes`; lines that began before decision 0075 have no weight."""
    found = load(data)
    return Anchors(found["anchors"].astype(np.float32), float(found.get("weight", 0.0)))


def _key(sha256: str) -> int:
    return int.from_bytes(bytes.fromhex(sha256[:16]), signed=True)


def _image(row: tuple[Any, ...]) -> SeenImage:
    number, sha256, path, label, confidence, codes, seen_at = row
    scores = np.frombuffer(codes, dtype="<u2").astype(np.int64)
    return SeenImage(number, sha256, path, label, confidence, scores, seen_at)
