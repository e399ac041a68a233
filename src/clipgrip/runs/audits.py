"""What people answered and what was promised, in runs.db; rows are added, never changed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipgrip.errors import DataError
from clipgrip.runs.store import NAME, RunStore, open_store, parsed

MEASURE = "measure."
"""How the id of an audit begins that was drawn to measure."""


def is_uniform(audit: str) -> bool:
    """Whether an audit drew from all images alike: the id of any other one has a word and a dot before it."""
    return "." not in audit


@dataclass(frozen=True)
class StoredPromise:
    """A promise as it was told: its terms, scopes and counts, by whom and when."""

    audit: str
    said_by: str
    said_at: str
    facts: dict[str, Any]

    @property
    def proves(self) -> bool:
        """Whether it left anything to the model."""
        return any(scope["threshold"] is not None for scope in self.facts["scopes"])


def add_answers(
    store: RunStore, run: str, audit: str, answers: Iterable[tuple[str, int]], *, by: str, at: str
) -> int:
    """Keep answers (content hash, class); how many were new. An answer given before stays as it is.

    DataError: an image is answered otherwise than before.
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
    """(content hash, class) of every answer of an audit."""
    store.seals.check("audit_answer")
    query = "SELECT sha256, label FROM audit_answer WHERE run = ? AND audit = ? ORDER BY sha256"
    return list(store.db.execute(query, (run, audit)))


def uniform_answers(store: RunStore, run: str) -> dict[str, int]:
    """Content hash -> class, of every audit of a run that drew images with equal chances."""
    store.seals.check("audit_answer")
    query = "SELECT audit, sha256, label FROM audit_answer WHERE run = ? ORDER BY said_at, audit"
    rows = store.db.execute(query, (run,))
    return {sha256: label for audit, sha256, label in rows if is_uniform(audit)}


def audited(store: RunStore, run: str) -> set[str]:
    """Content hash of every image that was answered in any audit of a run."""
    store.seals.check("audit_answer")
    query = "SELECT DISTINCT sha256 FROM audit_answer WHERE run = ?"
    return {sha256 for (sha256,) in store.db.execute(query, (run,))}


@dataclass(frozen=True)
class StoredAudit:
    """An audit that people answered: how many answers, the first and the last (ISO time), and who gave them."""

    audit: str
    answers: int
    first: str
    last: str
    by: tuple[str, ...]


def stored_audits(store: RunStore, run: str) -> list[StoredAudit]:
    """Every answered audit of a run, the one answered last at the end."""
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
    """Keep a promise."""
    facts = json.dumps(promise.facts, sort_keys=True, allow_nan=False)
    with store.db:
        store.db.execute(
            "INSERT INTO promise (run, audit, said_by, said_at, facts) VALUES (?, ?, ?, ?, ?)",
            (run, promise.audit, promise.said_by, promise.said_at, facts),
        )
        store.seals.renew("promise")


def earlier_facts(store: RunStore, run: str, audit: str) -> list[dict[str, Any]]:
    """What was promised before by answers of an audit, oldest first."""
    return [one.facts for one in promises(store, run) if one.audit == audit]


def first_plan(earlier: Iterable[dict[str, Any]], planned: int | None = None) -> int | None:
    """The plan with which an audit was read first, else ``planned``: a later sheet does not change it."""
    return next((facts["planned"] for facts in earlier if "planned" in facts), planned)


def promises(store: RunStore, run: str) -> list[StoredPromise]:
    """Every promise of a run, oldest first."""
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
    """Whether a promise ever left anything to the model of a run's folder."""
    return (run / NAME).is_file() and any(one.proves for one in made_promises(run)[0])


def made_promises(run: Path) -> tuple[Sequence[StoredPromise], Sequence[str]]:
    """Every promise of the run in a folder, oldest first, and the classes' names; neither where there is no run."""
    with open_store(run) as store:
        stored = store.run()
        if stored is None:
            return (), ()
        return promises(store, stored.id), store.classes(stored.id).display
