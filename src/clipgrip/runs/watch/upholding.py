"""Promises in use: each is tested by a bet on the daily audit's answers, and withdrawn when the bet is won."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from clipgrip.data.classes import ClassNames
from clipgrip.metrics import Share
from clipgrip.runs.audit_store import StoredPromise, made_promises
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
    """A scope of a promise, and its test by the daily answers."""

    scope: WatchedScope
    alpha: float
    answers: int
    wrong: int
    level: float
    """Level of the bet; at 1 it is won and the promise is withdrawn."""
    withdrawn: dict[str, Any] | None
    promise_number: int
    """Number of its promise among all of the run, from 1."""
    corrected: int = 0
    """How many of its answers were corrected later."""
    renewed: bool = False
    """Whether it was withdrawn, and a later audit has made a new promise."""

    def words(self, say: Words) -> str:
        """The state of the promise, in words."""
        wrong = Share(self.wrong, self.answers)
        scope, fallen = self.scope, self.withdrawn
        text = promise_words(scope.name, scope.max_error, wrong, fallen, say, renewed=self.renewed)
        return text + corrected_words(self.corrected, say)


def classes_of(run: Path) -> ClassNames:
    """The classes of the run in a folder."""
    with open_store(run) as store:
        return store.classes(store.begun_run(run).id)


def scopes_of(
    promises: Sequence[StoredPromise], names: Sequence[str], absent: Sequence[str]
) -> list[WatchedScope]:
    """The scopes of the newest promise of each audit, in the order of the audits' first promises.

    Scopes without stored classes (misses and overkill up to version 0.2) are left out. ``absent`` classes are in none:
    the audited images could be of no such class, so nothing is proven of answers with one.
    """
    newest = {one.audit: one for one in promises}
    return [
        scope
        for one in newest.values()
        for facts in one.facts["scopes"]
        if (scope := _scope(one, facts, names, absent)) is not None
    ]


def _scope(
    promise: StoredPromise, facts: Mapping[str, Any], names: Sequence[str], absent: Sequence[str]
) -> WatchedScope | None:
    group = facts["group"]
    called = set(facts.get("classes", names if group == ALL else [group])) - set(absent)
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
    """The promised scopes of the run in a folder."""
    return scopes_of(*made_promises(run))


def upheld(store: WatchStore, scopes: Sequence[WatchedScope]) -> list[Upheld]:
    """The current state of each scope's test."""
    alpha, answers = store.begun().alpha, daily_answers(store)
    noted, fallen = _stored_scopes(store), _withdrawals(store)
    known = noted | _new_scopes(noted, scopes, len(answers))
    every = [_upheld(one, alpha, known[_key(one)], answers, fallen) for one in scopes]
    newest = max((one.promise_number for one in every if one.withdrawn is None), default=0)
    return [
        replace(one, renewed=one.withdrawn is not None and one.withdrawn["places"] < newest)
        for one in every
    ]


def note_scopes(store: WatchStore, scopes: Sequence[WatchedScope]) -> None:
    """Store new scopes with the number of their promise and how many answers were given before it.

    A promise on other terms or groups is a new one and gets a new number, so that no part of alpha is spent twice.
    """
    fresh = _new_scopes(_stored_scopes(store), scopes, len(daily_answers(store)))
    if not fresh:
        return
    with store.db:
        store.db.executemany(
            "INSERT INTO scope VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(*key, *facts) for key, facts in fresh.items()],
        )
        store.seals.renew("scope")


def withdraw_broken(store: WatchStore, scopes: Sequence[WatchedScope], now: str) -> list[Upheld]:
    """Withdraw each promise whose bet is won, for good; returns those that were withdrawn now."""
    note_scopes(store, scopes)
    fresh = [one for one in upheld(store, scopes) if one.withdrawn is None and one.level >= 1]
    answers, noted = daily_answers(store), _stored_scopes(store)
    with store.db:
        for one in fresh:
            mine = _within(one.scope, answers, noted[_key(one.scope)][2])
            wrong = np.array([one.scope.is_wrong(a.predicted, a.label) for a in mine])
            first = mine[since(wrong, one.scope.max_error)]
            counts = {"wrong": one.wrong, "answers": one.answers}
            facts = {**counts, "since": first.at, "places": _last_number(noted)}
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
    promise_number, share, after = noted
    mine = _within(scope, answers, after)
    wrong = np.array([scope.is_wrong(one.predicted, one.label) for one in mine], dtype=bool)
    own = share * period_budget((1 - OF_IMAGES) * alpha, promise_number)
    path = against(wrong, scope.max_error, own)
    level = float(path.max() * own) if len(path) else 0.0
    withdrawn = fallen.get((scope.audit, scope.name))
    corrected = sum(one.corrected for one in mine)
    return Upheld(
        scope, own, len(mine), int(wrong.sum()), level, withdrawn, promise_number, corrected
    )


def _within(scope: WatchedScope, answers: Sequence[DailyAnswer], after: int) -> list[DailyAnswer]:
    return [
        one for one in answers if one.number > after and scope.holds(one.predicted, one.confidence)
    ]


StoredScopes = dict[tuple[str, str, float, float], tuple[int, float, int]]
"""`_key` of a scope -> number of its promise, share of alpha, and answers given before it."""


def _key(scope: WatchedScope) -> tuple[str, str, float, float]:
    return scope.audit, scope.name, scope.threshold, scope.max_error


def _new_scopes(noted: StoredScopes, scopes: Sequence[WatchedScope], after: int) -> StoredScopes:
    """The entries for scopes that are not stored yet."""
    numbers: dict[str, int] = {}
    found: StoredScopes = {}
    for one in scopes:
        if _key(one) not in noted:
            promise_number = numbers.setdefault(one.audit, _last_number(noted) + len(numbers) + 1)
            found[_key(one)] = (promise_number, one.share, after)
    return found


def _last_number(noted: StoredScopes) -> int:
    return max((promise_number for promise_number, _, _ in noted.values()), default=0)


def _stored_scopes(store: WatchStore) -> StoredScopes:
    store.seals.check("scope")
    rows = store.db.execute(
        "SELECT audit, name, threshold, max_error, position, share, after FROM scope"
    )
    return {row[:4]: row[4:] for row in rows}


def _withdrawals(store: WatchStore) -> dict[tuple[str, str], dict[str, Any]]:
    store.seals.check("withdrawal")
    rows = store.db.execute("SELECT audit, scope, at, facts FROM withdrawal")
    return {(audit, name): {"at": at, **parsed(facts)} for audit, name, at, facts in rows}
