"""A promise that is kept in the run's own store, with who and when, and the file that says who decides each image."""

from __future__ import annotations

from typing import Any

import numpy as np

from clipgrip.errors import RunError
from clipgrip.review.desk import DECIDED, Desk, now
from clipgrip.review.measure import promised
from clipgrip.review.store import Change
from clipgrip.runs import audits
from clipgrip.runs.auditing import AUTOMATE, Audit
from clipgrip.runs.promised import automation_csv, promise_facts
from clipgrip.runs.store import open_store
from clipgrip.trust.terms import Terms
from clipgrip.written import write_dated

AUTOMATION = "automation.csv"


def keep_promise(desk: Desk, terms: Terms, ok: tuple[int, ...], person: str) -> dict[str, Any]:
    """Read the audit, keep what it proves, and write automation.csv beside the round.

    Raises:
        RunError: the classes were changed since the round, or people labeled everything.
    """
    with desk.lock:
        told = promised(desk, terms, ok)
        if told is None or desk.audit is None:
            raise RunError(
                "the classes were changed since the last round, so its answers can no longer be audited. "
                "Run the next round first."
            )
        rows, truth = np.array(told.rows, dtype=np.int64), np.array(told.truth, dtype=np.int64)
        facts = promise_facts(told.told, desk.audit, told.more)
        folder = desk.folder / desk.round.folder
        with open_store(folder) as store:  # its answers stand in review.db
            said = audits.StoredPromise(desk.audit.id, person, now(), facts)
            audits.add_promise(store, desk.audit.run, said)
        table = automation_csv(
            desk.audit,
            told.told,
            rows,
            truth,
            told.groups,
            reviewed=_reviewed(desk, desk.audit),
        )
        write_dated(folder / AUTOMATION, table, AUTOMATE)
        change = {"round": desk.round.number, **{k: facts[k] for k in ("max_error", "confidence")}}
        desk.store.record(Change("promise", person, now(), change))
        return facts


def _reviewed(desk: Desk, audit: Audit) -> dict[int, int]:
    """Row of the audit's pool -> class position that people gave it."""
    columns = {one.id: n for n, one in enumerate(desk.view.classes)}
    places = ((n, desk.view.place.get(image)) for n, image in enumerate(audit.hashes))
    found = {n: row for n, row in places if row is not None}
    standing = desk.standing
    return {
        n: columns[int(standing.klass[row])]
        for n, row in found.items()
        if standing.state[row] == DECIDED
    }
