"""Answers and promises of audits in runs.db; rows are added, never changed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipgrip.errors import DataError
from clipgrip.runs.store import NAME, RunStore, open_store, parsed

MEASURE = "measure."
"""How ids of measuring audits begin."""


def is_uniform(audit: str) -> bool:
    """Whether an audit drew all images with equal chances: ids of others begin with a word and a dot."""
    return "." not in audit


@dataclass(frozen=True)
class StoredPromise:
    """A promise as it was given: terms, scopes and counts in ``facts``, by whom and when."""

    audit: str
    said_by: str
    said_at: str
    facts: dict[str, Any]

    @property
    def proves(self) -> bool:
        """Whether it lets the model decide any images."""
        return any(scope["threshold"] is not None for scope in self.facts["scopes"])


def add_answers(
    store: RunStore, run: str, audit: str, answers: Iterable[tuple[str, int]], *, by: str, at: str
) -> int:
    """Store answers (content hash, class); returns how many were new.

    DataError: an image has another answer already.
    """
    known = dict(stored_answers(store, run, audit))
    fresh = []
    for sha256, label in answers:
        if known.setdefault(sha256, label) != label:
            raise DataError(
                "the image {sha256} was answered otherwise before, and answers of an audit are not "
                "changed once they are counted. Give the answer as it was, or begin another audit "
                "(clipgrip audit draw --seed).",
                sha256=sha256[:12],
            )
        fresh.append((run, audit, sha256, label, by, at))
    with store.db:
        before = store.db.total_changes
        store.db.executemany("INSERT OR IGNORE INTO audit_answer VALUES (?, ?, ?, ?, ?, ?)", fresh)
        new = store.db.total_changes - before
        store.seals.renew("audit_answer")
    return new


def stored_answers(store: RunStore, run: str, audit: str) -> list[tuple[str, int]]:
    """(content hash, class) of each answer of an audit."""
    store.seals.check("audit_answer")
    query = "SELECT sha256, label FROM audit_answer WHERE run = ? AND audit = ? ORDER BY sha256"
    return list(store.db.execute(query, (run, audit)))


def uniform_answers(store: RunStore, run: str) -> dict[str, int]:
    """Content hash -> class, from all audits of a run that drew images with equal chances."""
    store.seals.check("audit_answer")
    query = "SELECT audit, sha256, label FROM audit_answer WHERE run = ? ORDER BY said_at, audit"
    rows = store.db.execute(query, (run,))
    return {sha256: label for audit, sha256, label in rows if is_uniform(audit)}


def audited(store: RunStore, run: str) -> set[str]:
    """Content hashes of the images that were answered in any audit of a run."""
    store.seals.check("audit_answer")
    query = "SELECT DISTINCT sha256 FROM audit_answer WHERE run = ?"
    return {sha256 for (sha256,) in store.db.execute(query, (run,))}


@dataclass(frozen=True)
class StoredAudit:
    """An audit with answers: their number, the times of the first and last (ISO), and who gave them."""

    audit: str
    answers: int
    first: str
    last: str
    by: tuple[str, ...]


def stored_audits(store: RunStore, run: str) -> list[StoredAudit]:
    """The answered audits of a run, by the time of their last answer."""
    store.seals.check("audit_answer")
    query = (
        "SELECT audit, count(*), min(said_at), max(said_at), json_group_array(DISTINCT said_by) "
        "FROM audit_answer WHERE run = ? GROUP BY audit ORDER BY max(said_at), audit"
    )
    return [
        StoredAudit(audit, n, first, last, tuple(sorted(filter(None, json.loads(by)))))
        for audit, n, first, last, by in store.db.execute(query, (run,))
    ]


def add_promise(store: RunStore, run: str, promise: StoredPromise) -> None:
    """Store a promise."""
    facts = json.dumps(promise.facts, sort_keys=True, allow_nan=False)
    with store.db:
        store.db.execute(
            "INSERT INTO promise (run, audit, said_by, said_at, facts) VALUES (?, ?, ?, ?, ?)",
            (run, promise.audit, promise.said_by, promise.said_at, facts),
        )
        store.seals.renew("promise")


def earlier_facts(store: RunStore, run: str, audit: str) -> list[dict[str, Any]]:
    """The facts of earlier promises by an audit, oldest first."""
    return [one.facts for one in promises(store, run) if one.audit == audit]


def first_plan(earlier: Iterable[dict[str, Any]], planned: int | None = None) -> int | None:
    """The planned number of answers of the first promise, else ``planned``: later sheets cannot change it."""
    return next((facts["planned"] for facts in earlier if "planned" in facts), planned)


def promises(store: RunStore, run: str) -> list[StoredPromise]:
    """The promises of a run, oldest first."""
    store.seals.check("promise")
    query = "SELECT audit, said_by, said_at, facts FROM promise WHERE run = ? ORDER BY number"
    return [
        StoredPromise(audit, by, at, parsed(facts))
        for audit, by, at, facts in store.db.execute(query, (run,))
    ]


def was_read(run: Path) -> bool:
    """Whether an audit of a run's folder was ever read for a promise, whatever it proved."""
    return (run / NAME).is_file() and bool(made_promises(run)[0])


def was_promised(run: Path) -> bool:
    """Whether any promise of the run in a folder lets the model decide images."""
    return (run / NAME).is_file() and any(one.proves for one in made_promises(run)[0])


def made_promises(run: Path) -> tuple[Sequence[StoredPromise], Sequence[str], Sequence[str]]:
    """The promises of the run in a folder, oldest first, its class names, and those that are absent; else empty."""
    with open_store(run) as store:
        stored = store.run()
        if stored is None:
            return (), (), ()
        absent = stored.facts.get("data", {}).get("absent", ())
        return promises(store, stored.id), store.classes(stored.id).display, absent
