"""Promises at work: each has a bet of its own on the answers of the daily audit, and falls when that is won."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from clipgrip.data.classes import ClassNames
from clipgrip.metrics import Share
from clipgrip.runs.audits import StoredPromise, made_promises
from clipgrip.runs.store import open_store, parsed
from clipgrip.runs.watch.daily import DailyAnswer, daily_answers
from clipgrip.runs.watch.store import WatchStore
from clipgrip.words import Words
from clipgrip_line.trust.drift import period_budget
from clipgrip_line.trust.ringing import OF_IMAGES
from clipgrip_line.trust.scope import ALL, WatchedScope
from clipgrip_line.trust.upheld import against, since
from clipgrip_line.trust.watch_words import corrected_words, promise_words


@dataclass(frozen=True)
class Upheld:
    """A scope of a promise, and what the daily answers say of it."""

    scope: WatchedScope
    alpha: float
    answers: int
    wrong: int
    level: float
    """How near the bet is to winning: 1 withdraws it."""
    withdrawn: dict[str, Any] | None
    place: int
    """Its promise's among all that were made, from 1."""
    corrected: int = 0
    """Answers within it that were put right after they had counted."""
    renewed: bool = False
    """Whether it was withdrawn, and an audit has promised anew since."""

    def words(self, say: Words) -> str:
        """How it fares, in the reader's language."""
        wrong = Share(self.wrong, self.answers)
        scope, fallen = self.scope, self.withdrawn
        text = promise_words(scope.name, scope.max_error, wrong, fallen, say, renewed=self.renewed)
        return text + corrected_words(self.corrected, say)


def classes_of(run: Path) -> ClassNames:
    """The classes of the run in a folder."""
    with open_store(run) as store:
        return store.classes(store.begun_run(run).id)


def scopes_of(promises: Sequence[StoredPromise], names: Sequence[str]) -> list[WatchedScope]:
    """The scopes of each audit's newest promise, audits in the order of their first one.

    A scope whose classes are not known (misses and overkill of version 0.2 and before) is left out.
    """
    newest = {one.audit: one for one in promises}
    return [
        scope
        for one in newest.values()
        for facts in one.facts["scopes"]
        if (scope := _scope(one, facts, names)) is not None
    ]


def _scope(
    promise: StoredPromise, facts: Mapping[str, Any], names: Sequence[str]
) -> WatchedScope | None:
    group = facts["group"]
    called = facts.get("classes", names if group == ALL else [group])
    known = frozenset(names.index(name) for name in called if name in names)
    if facts["threshold"] is None or not known:
        return None
    return WatchedScope(
        promise.audit,
        group,
        known,
        float(facts["threshold"]),
        float(promise.facts["max_error"]),
        promise.said_by,
        promise.said_at,
        1 / len(promise.facts["scopes"]),
    )


def run_scopes(run: Path) -> list[WatchedScope]:
    """The scopes that are promised of the run in a folder."""
    return scopes_of(*made_promises(run))


def upheld(store: WatchStore, scopes: Sequence[WatchedScope]) -> list[Upheld]:
    """Every scope with its bet, as it stands."""
    alpha, answers = store.begun().alpha, daily_answers(store)
    noted, fallen = _noted(store), _withdrawn(store)
    known = noted | _fresh(noted, scopes, len(answers))
    every = [_upheld(one, alpha, known[_key(one)], answers, fallen) for one in scopes]
    newest = max((one.place for one in every if one.withdrawn is None), default=0)
    return [
        replace(one, renewed=one.withdrawn is not None and one.withdrawn["places"] < newest)
        for one in every
    ]


def note_scopes(store: WatchStore, scopes: Sequence[WatchedScope]) -> None:
    """Write down scopes that are new: the place of their promise among all, and the answers given before it.

    Promised anew by other terms or groups is another promise: it takes a new place, so that none is spent twice.
    """
    fresh = _fresh(_noted(store), scopes, len(daily_answers(store)))
    if not fresh:
        return
    with store.db:
        store.db.executemany(
            "INSERT INTO scope VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(*key, *facts) for key, facts in fresh.items()],
        )
        store.seals.renew("scope")


def withdraw_broken(store: WatchStore, scopes: Sequence[WatchedScope], now: str) -> list[Upheld]:
    """Withdraw each promise whose bet is won by now; those that fell now. What fell never stands again."""
    note_scopes(store, scopes)
    fresh = [one for one in upheld(store, scopes) if one.withdrawn is None and one.level >= 1]
    answers, noted = daily_answers(store), _noted(store)
    with store.db:
        for one in fresh:
            mine = _within(one.scope, answers, noted[_key(one.scope)][2])
            wrong = np.array([one.scope.is_wrong(a.predicted, a.label) for a in mine])
            first = mine[since(wrong, one.scope.max_error)]
            counts = {"wrong": one.wrong, "answers": one.answers}
            facts = {**counts, "since": first.at, "places": _last_place(noted)}
            store.db.execute(
                "INSERT OR IGNORE INTO withdrawal VALUES (?, ?, ?, ?)",
                (one.scope.audit, one.scope.name, now, json.dumps(facts, sort_keys=True)),
            )
        store.seals.renew("withdrawal")
    names = {(one.scope.audit, one.scope.name) for one in fresh}
    return [one for one in upheld(store, scopes) if (one.scope.audit, one.scope.name) in names]


def _upheld(
    scope: WatchedScope,
    alpha: float,
    noted: tuple[int, float, int],
    answers: Sequence[DailyAnswer],
    fallen: dict[tuple[str, str], dict[str, Any]],
) -> Upheld:
    place, share, after = noted
    mine = _within(scope, answers, after)
    wrong = np.array([scope.is_wrong(one.predicted, one.label) for one in mine], dtype=bool)
    own = share * period_budget((1 - OF_IMAGES) * alpha, place)
    path = against(wrong, scope.max_error, own)
    level = float(path.max() * own) if len(path) else 0.0
    withdrawn = fallen.get((scope.audit, scope.name))
    corrected = sum(one.corrected for one in mine)
    return Upheld(scope, own, len(mine), int(wrong.sum()), level, withdrawn, place, corrected)


def _within(scope: WatchedScope, answers: Sequence[DailyAnswer], after: int) -> list[DailyAnswer]:
    return [
        one for one in answers if one.number > after and scope.holds(one.predicted, one.confidence)
    ]


Noted = dict[tuple[str, str, float, float], tuple[int, float, int]]


def _key(scope: WatchedScope) -> tuple[str, str, float, float]:
    return scope.audit, scope.name, scope.threshold, scope.max_error


def _fresh(noted: Noted, scopes: Sequence[WatchedScope], after: int) -> Noted:
    """What is to be noted of the scopes that are new."""
    places: dict[str, int] = {}
    found: Noted = {}
    for one in scopes:
        if _key(one) not in noted:
            place = places.setdefault(one.audit, _last_place(noted) + len(places) + 1)
            found[_key(one)] = (place, one.share, after)
    return found


def _last_place(noted: Noted) -> int:
    return max((place for place, _, _ in noted.values()), default=0)


def _noted(store: WatchStore) -> Noted:
    store.seals.check("scope")
    rows = store.db.execute(
        "SELECT audit, name, threshold, max_error, position, share, after FROM scope"
    )
    return {row[:4]: row[4:] for row in rows}


def _withdrawn(store: WatchStore) -> dict[tuple[str, str], dict[str, Any]]:
    store.seals.check("withdrawal")
    rows = store.db.execute("SELECT audit, scope, at, facts FROM withdrawal")
    return {(audit, name): {"at": at, **parsed(facts)} for audit, name, at, facts in rows}
