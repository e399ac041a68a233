"""A promise that is kept in the run's own store, with who and when, and the file that says who decides each image."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from clipgrip.clock import precisely
from clipgrip.errors import RunError
from clipgrip.review.draws import apart_proof, audit_of, chosen_draw
from clipgrip.review.measure import NO_AUDIT, audit_proof
from clipgrip.review.session import ReviewSession
from clipgrip.review.snapshot import ReviewSnapshot
from clipgrip.review.states import ImageState
from clipgrip.review.store import Change
from clipgrip.runs import audit_store
from clipgrip.runs.audit_sheet import AUTOMATE
from clipgrip.runs.promised import AUTOMATION, automation_csv, promise_facts, with_classes
from clipgrip.runs.store import open_store
from clipgrip.runs.watch.standing import check_stands
from clipgrip.trust.terms import Terms
from clipgrip.words import ENGLISH, Words
from clipgrip.written import write_dated


def keep_promise(
    session: ReviewSession, terms: Terms, ok: tuple[int, ...], person: str, say: Words = ENGLISH
) -> dict[str, Any]:
    """Read the audit, keep what it proves, and write automation.csv beside the round.

    Where groups are drawn apart the promise is one for each; ``ok`` parts a draw from all images alike. RunError: the
    classes were changed since the round, or people labeled everything.
    """
    with session.lock:
        snapshot = session.snapshot
        chosen = replace(chosen_draw(snapshot, session.store), terms=terms)
        audit = audit_of(snapshot, chosen)
        proof = (apart_proof(snapshot, chosen) if chosen.apart else None) or audit_proof(
            snapshot, terms, ok, chosen.plan
        )
        if proof is None or audit is None:
            raise RunError(NO_AUDIT)
        folder = session.folder / snapshot.round.stored.folder
        check_stands(folder, audit.id)
        with open_store(folder) as store:  # its answers stand in review.db
            earlier = audit_store.earlier_facts(store, audit.run, audit.id)
            facts = promise_facts(proof.promise, audit, proof.more, earlier)
            facts = with_classes(facts, proof.groups, audit.classes.display)
            stored = audit_store.StoredPromise(audit.id, person, precisely(), facts)
            audit_store.add_promise(store, audit.run, stored)
        table = automation_csv(
            audit,
            proof.promise,
            np.array(proof.rows, dtype=np.int64),
            np.array(proof.truth, dtype=np.int64),
            proof.groups,
            reviewed=_reviewed(snapshot),
            say=say,
        )
        write_dated(folder / AUTOMATION, table, AUTOMATE)
        terms_of_it = {k: facts[k] for k in ("max_error", "confidence")}
        every = {"every_error": proof.of_every_error}
        change = {"round": snapshot.round.number, **terms_of_it, **every}
        session.store.record(Change("promise", person, precisely(), change))
        return facts


def _reviewed(snapshot: ReviewSnapshot) -> dict[int, int]:
    """Row of the audit's pool -> class position that people gave it."""
    states, column = snapshot.states, snapshot.classes.column
    rows = snapshot.round.draw.pool_rows
    decided = (rows >= 0) & (states.state[rows] == ImageState.DECIDED)
    return {n: column[int(states.klass[rows[n]])] for n in np.flatnonzero(decided).tolist()}
