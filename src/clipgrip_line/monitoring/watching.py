"""The watch inside: new images are bet on beside the answers, and a promise that is broken is withdrawn at once.

It reads what the store holds, so it never holds an answer up, and after a kill it goes on with the very image it had
reached: equal rows give equal wealth (`trust.drift`).
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from clipgrip_line.clock import now, written
from clipgrip_line.monitoring.promises import (
    Promising,
    ScopeStanding,
    note,
    promised_scopes,
    standing,
    withdraw,
)
from clipgrip_line.monitoring.seeing import Answering, Seen
from clipgrip_line.monitoring.store import Album, Store
from clipgrip_line.monitoring.watched import Images, Watched, WatchState, alarms, following, noticed
from clipgrip_line.promises import Scope
from clipgrip_line.trust.drift import follow, ringing
from clipgrip_line.trust.line import Alarm, State
from clipgrip_line.trust.reference import Reference
from clipgrip_line.trust.ringing import PERHAPS, heard_more, image_budgets, loudest, rung
from clipgrip_line.trust.scores import chances_of, scores_of
from clipgrip_line.trust.watch_words import Light

log = logging.getLogger(__name__)
One = TypeVar("One", bound=Seen)
SAVED = 10.0
"""Seconds after which the monitors are written down at the latest; what came since is bet on again after a kill."""


@dataclass(frozen=True)
class Status:
    """What screens and metrics show."""

    light: Light = "quiet"
    images: int = 0
    reference: int = 0
    level: float = 0.0
    alarm: Alarm | None = None
    alarms: int = 0
    promises: tuple[ScopeStanding, ...] = field(default=())


class Watching:
    """Bets on the images of the version that answers. Safe to use from several threads."""

    def __init__(
        self,
        store: Store,
        alpha: float,
        album: Album | None = None,
        *,
        people_at_alarm: bool = False,
    ) -> None:
        """``album``: what an alarm shows; ``people_at_alarm``: whether a person decides every image while one rings."""
        self.store, self.alpha, self.people_at_alarm = store, alpha, people_at_alarm
        self.album = album
        self.status = Status()
        self._watched: Watched | None = None
        self._standing: dict[str, tuple[Scope, ...] | None] = {}
        """By version: while the versions change, images of both are under way."""
        self._promising: dict[str, Promising] = {}
        """Every version whose promise people's answers are compared with, also of one that answers no more."""
        self._counted: object = None
        """What of people's answers the promises were compared with last."""
        self._lock = threading.RLock()
        self._saved = 0.0

    def follow(self, model: Answering, reference: Reference | None = None) -> None:
        """This version answers from now on; what another one had reached is kept."""
        with self._lock:
            if self._watched is not None:
                self._save(self._watched, ())
            self.store.do(lambda db: note(db, model))
            self._watched = following(self.store, model, reference)
            self._promising[model.version] = model
            self._counted = None
            with contextlib.suppress(sqlite3.Error):  # the next look tries again
                self._uphold()
            self._standing[model.version] = standing(self.store.reader, model)
            self._renew()

    def remember(self, versions: Sequence[Promising]) -> None:
        """Versions that answered before: what people say of their images counts, too."""
        for one in versions:
            self._promising.setdefault(one.version, one)

    def decided(self, seen: One, version: str) -> One:
        """Left to people where no scope that still stands holds the answer, or an alarm rings that asks for it."""
        scopes, answer = self._standing.get(version), seen.answer
        rings = self.people_at_alarm and self.status.alarm is not None
        if answer.decided == "person":
            return seen
        if not rings and (
            scopes is None or any(one.holds(seen.label, seen.sure) for one in scopes)
        ):
            return seen
        return replace(seen, answer=replace(answer, decided="person", verdict="person"))

    def codes(self, seen: Sequence[Seen]) -> list[bytes | None]:
        """The scores of images of one version, small enough to be kept with their answers.

        None for those of another version than is watched: its reference says nothing of them.
        """
        watched = self._watched
        if watched is None or not seen or seen[0].answer.version != watched.model.version:
            return [None] * len(seen)
        looks = [one.looks for one in seen]
        sure = np.array([one.sure for one in seen])
        embeds, appearances = (
            np.stack(rows)
            for rows in zip(*((one.embed, one.appearance) for one in seen), strict=True)
        )
        far = watched.anchors.distances(embeds, appearances)
        return [row.tobytes() for row in scores_of(looks, sure, far).astype("<u2")]

    def save(self) -> None:
        """Write down how far it is; NotKept where the disk refuses, and it is bet again then."""
        with self._lock:
            if self._watched is not None:
                self._save(self._watched, ())

    def look(self) -> bool:
        """Bet on what came; whether there may be more. Then see to the promises."""
        with self._lock:
            if self._watched is None:
                return False
            with contextlib.ExitStack() as whatever_happens:
                whatever_happens.callback(self._renew)
                whatever_happens.callback(self._uphold)
                images = self._watched.fresh()
                if images.rows:
                    self._bet_or_again(self._watched, images)
            return images.full

    def answer(self, verdict: str, note_: str, by: str) -> Alarm | None:
        """A person's answer to the alarm that rings; None where nothing rings."""
        with self._lock:
            if self._watched is None:
                return None
            found = self._watched.respond(verdict, note_, by, written(now()))
            self._renew()
            return found

    def _bet_or_again(self, watched: Watched, images: Images) -> None:
        """Where what was heard could not be kept, nothing was heard: the next look begins with the same images."""
        state, unsaved = watched.state, list(watched.unsaved)
        try:
            self._bet(watched, images)
        except Exception:
            watched.state, watched.unsaved = state, unsaved
            raise

    def _bet(self, watched: Watched, images: Images) -> None:
        state, line = watched.state.state, watched.line(self.alpha)
        labels = np.array([one.label for one in images.rows], dtype=np.int64)
        codes = np.stack([one.codes for one in images.rows])
        chances = chances_of([one.sha256 for one in images.rows])
        course = follow(state.monitors, codes, labels, chances)
        after = State(state.period, state.before, course.monitors)
        watched.state = WatchState(after, images.through)
        watched.unsaved += list(
            zip([one.number for one in images.rows], images.answers, strict=True)
        )
        still = watched.rings()  # as it is kept: the status may be older
        if still is not None:
            louder = heard_more(still, line, state, course)
            if louder is not None:
                watched.change_alarm(louder)
            self._save_now_and_then(watched)
            return
        if not ringing(
            course.wealth, image_budgets(line, state.period, len(state.monitors.labels))
        ).any():
            self._save_now_and_then(watched)
            return
        loud = rung(line, state, course, watched.history(), self.album)
        if loud is not None and self.album is not None:
            loud = {**loud, "pictures": _pictures(self.album, loud["facts"])}
        self._save(watched, () if loud is None else (loud,))

    def _save_now_and_then(self, watched: Watched) -> None:
        if time.monotonic() - self._saved >= SAVED:
            self._save(watched, ())

    def _save(self, watched: Watched, loud: Sequence[dict[str, Any]]) -> None:
        at, packed = written(now()), watched.packed()
        self.store.do(lambda db: watched.save(db, packed, loud, at))
        watched.unsaved = []
        self._saved = time.monotonic()

    def _uphold(self) -> None:
        """Withdraw what people's answers refute, whichever version they are about."""
        counted = self.store.reader.execute("SELECT count(*), sum(undone) FROM said").fetchone()
        if counted == self._counted:
            return
        at = written(now())

        def change(db: sqlite3.Connection) -> None:
            for version, model in self._promising.items():
                for one in withdraw(db, model, self.alpha, at):
                    noticed(self.store, db, at, version, "promise_withdrawn", one.facts())
                if version in self._standing:  # here, so that it holds for what is written next
                    self._standing[version] = standing(db, model)

        self.store.do(change)
        self._counted = counted  # after it is kept: what the disk refused is tried again

    def _renew(self) -> None:
        watched = self._watched
        if watched is None:
            return
        every = alarms(self.store.reader, watched.model.version)
        still = every[-1] if every and every[-1].response is None else None
        level, _ = loudest(watched.line(self.alpha), watched.state.state)
        promises = tuple(promised_scopes(self.store.reader, watched.model, self.alpha))
        near = [level, *(one.level for one in promises if one.withdrawn is None)]
        light: Light = "perhaps" if max(near) >= PERHAPS else "quiet"
        if still is not None or any(one.withdrawn for one in promises):
            light = "alarm"
        self.status = Status(
            light, watched.state.state.images, watched.reference, level, still, len(every), promises
        )


def _pictures(album: Album, facts: Mapping[str, Any]) -> dict[str, bytes]:
    """What of them can be had: an alarm rings without its pictures, too."""
    try:
        return album.small(facts)
    except Exception:
        log.exception("an alarm's pictures could not be made")
        return {}
