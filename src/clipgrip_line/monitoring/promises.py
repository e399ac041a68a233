"""Promises at work: each is bet against on people's answers to drawn images, and withdrawn when the bet is won."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from clipgrip_line.bundle import Bundle
from clipgrip_line.errors import LineError
from clipgrip_line.parts import MODEL
from clipgrip_line.promises import Promise, Scope
from clipgrip_line.trust.drift import period_budget
from clipgrip_line.trust.ringing import OF_IMAGES
from clipgrip_line.trust.scope import WatchedScope
from clipgrip_line.trust.upheld import against, since


class Promising(Protocol):
    """What of a version its promise is about; `clipgrip_line.model.Model` is one."""

    @property
    def version(self) -> str:
        """The bundle's."""

    @property
    def classes(self) -> tuple[str, ...]:
        """In the order of the columns."""

    @property
    def promise(self) -> Promise | None:
        """What was promised when the bundle was made."""


@dataclass(frozen=True)
class Earlier:
    """A version that answered before this process began."""

    version: str
    classes: tuple[str, ...]
    promise: Promise | None


def earlier(db: sqlite3.Connection, place: Callable[[str], Path]) -> list[Earlier]:
    """The versions that ever promised something here, as far as their bundles are still there."""
    found = []
    for (version,) in db.execute("SELECT DISTINCT version FROM scope ORDER BY version"):
        try:
            bundle = Bundle(place(version))
            facts = bundle.json(MODEL)
        except (LineError, OSError):
            continue
        classes = tuple(map(str, facts["classes"]))
        found.append(Earlier(bundle.version, classes, Promise.from_dict(facts["promise"])))
    return found


@dataclass(frozen=True)
class ScopeStanding:
    """A scope of the version's promise, and what people's answers say of it."""

    name: str
    rate: float
    answers: int
    wrong: int
    level: float
    """How near the bet is to winning: 1 withdraws it."""
    withdrawn: dict[str, Any] | None
    first_at: str = ""
    """Since when it is probably broken."""

    def facts(self) -> dict[str, Any]:
        """For programs."""
        return {
            "group": self.name,
            "max_error": self.rate,
            "answers": self.answers,
            "wrong": self.wrong,
            "level": round(min(self.level, 1e9), 6),
            "withdrawn": self.withdrawn,
        }


def note(db: sqlite3.Connection, model: Promising) -> None:
    """Write down the scopes of a version that begins: each takes its place in the line's lifetime budget."""
    if model.promise is None:
        return
    known = {
        name for (name,) in db.execute("SELECT name FROM scope WHERE version = ?", (model.version,))
    }
    if known:
        return
    (last,) = db.execute("SELECT coalesce(max(place), 0) FROM scope").fetchone()
    (after,) = db.execute("SELECT coalesce(max(number), 0) FROM said").fetchone()
    for one in model.promise.scopes:
        db.execute(
            "INSERT INTO scope VALUES (?, ?, ?, ?)", (model.version, one.name, last + 1, after)
        )


def promised_scopes(db: sqlite3.Connection, model: Promising, alpha: float) -> list[ScopeStanding]:
    """Every scope of the version with its bet, as it stands."""
    if model.promise is None:
        return []
    fallen = {
        name: {"at": at, **json.loads(facts)}
        for name, at, facts in db.execute(
            "SELECT scope, at, facts FROM withdrawal WHERE version = ?", (model.version,)
        )
    }
    noted = {
        name: (place, after)
        for name, place, after in db.execute(
            "SELECT name, place, after FROM scope WHERE version = ?", (model.version,)
        )
    }
    answers = _answers(db, model)
    share = 1 / max(1, len(model.promise.scopes))
    return [
        _standing_of(one, answers, noted.get(one.name, (1, 0)), share * alpha, fallen.get(one.name))
        for one in model.promise.scopes
    ]


def _answers(db: sqlite3.Connection, model: Promising) -> list[tuple[int, int, int, float, str]]:
    """(number, predicted, truth, sure, at) of every answer to an image that was drawn while this version answered."""
    place = {name: n for n, name in enumerate(model.classes)}
    rows = db.execute(
        "SELECT number, predicted, class, confidence, at FROM said WHERE version = ? AND why = 'audit' "
        "AND undone = 0 AND class <> '' ORDER BY number",
        (model.version,),
    )
    return [
        (number, place[predicted], place[truth], sure, at)
        for number, predicted, truth, sure, at in rows
        if predicted in place and truth in place
    ]


def _standing_of(
    scope: Scope,
    answers: Sequence[tuple[int, int, int, float, str]],
    noted: tuple[int, int],
    share_of_alpha: float,
    withdrawn: dict[str, Any] | None,
) -> ScopeStanding:
    place, after = noted
    watched = WatchedScope("", scope.name, scope.classes, scope.threshold, scope.rate, "", "", 1.0)
    mine = [one for one in answers if one[0] > after and scope.holds(one[1], one[3])]
    wrong = np.array([watched.is_wrong(one[1], one[2]) for one in mine], dtype=bool)
    own = period_budget((1 - OF_IMAGES) * share_of_alpha, place)
    path = against(wrong, scope.rate, own)
    level = float(path.max() * own) if len(path) else 0.0
    first = mine[since(wrong, scope.rate)][4] if len(mine) else ""
    return ScopeStanding(
        scope.name, scope.rate, len(mine), int(wrong.sum()), level, withdrawn, first
    )


def withdraw(
    db: sqlite3.Connection, model: Promising, alpha: float, now: str
) -> list[ScopeStanding]:
    """Withdraw each scope whose bet is won; those that fell now. What fell never stands again."""
    fresh = [
        one for one in promised_scopes(db, model, alpha) if one.withdrawn is None and one.level >= 1
    ]
    for one in fresh:
        facts = {"wrong": one.wrong, "answers": one.answers, "since": one.first_at}
        db.execute(
            "INSERT OR IGNORE INTO withdrawal VALUES (?, ?, ?, ?)",
            (model.version, one.name, now, json.dumps(facts)),
        )
    return fresh


def standing(db: sqlite3.Connection, model: Promising) -> tuple[Scope, ...] | None:
    """The scopes that stand; None where nothing was ever promised, and the model decides everything."""
    if model.promise is None:
        return None
    rows = db.execute("SELECT scope FROM withdrawal WHERE version = ?", (model.version,))
    fallen = {name for (name,) in rows}
    return tuple(one for one in model.promise.scopes if one.name not in fallen)
