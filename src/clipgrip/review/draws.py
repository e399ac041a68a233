"""How a round's random audit draws: from all images alike, each group apart, or to measure; and whom it asks next.

Answers of a draw from all images alike measure the model and are never learned from. Those of the other two are no even
sample of all images: they count for their own purpose in this round, and the next one learns from them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal

import numpy as np

from clipgrip.errors import RunError
from clipgrip.review.measure import NO_AUDIT, AuditProof, audit_proof, proof_of, whole_draw
from clipgrip.review.snapshot import ReviewSnapshot
from clipgrip.review.states import ImageState, Ints
from clipgrip.review.store import ReviewStore
from clipgrip.runs.audit_sheet import Audit
from clipgrip.runs.measuring import USUAL, MeasuringAudit
from clipgrip.trust.further import further
from clipgrip.trust.measured import MeasuredAccuracy
from clipgrip.trust.measuring import first_phase
from clipgrip.trust.terms import Terms

Kind = Literal["alike", "class", "ok", "measure"]
ACTION = "draw"
"""The change that says how it is drawn from now on."""


@dataclass(frozen=True)
class ChosenDraw:
    """How the audit of a round draws."""

    kind: Kind = "alike"
    apart: str = ""
    """Which groups are drawn apart, as `runs.audit_sheet.apart_of` writes it."""
    terms: Terms = field(default_factory=Terms)
    planned: int = USUAL
    """Answers that measuring plans."""
    plan: int | None = None
    """Answers at which a promise by a draw from all images alike is read, if that was fixed before the first."""


def chosen_draw(snapshot: ReviewSnapshot, store: ReviewStore) -> ChosenDraw:
    """What was chosen last in this round; from all images alike before, and where the classes were changed since."""
    if snapshot.round.draw.audit is None or not snapshot.view.as_run:
        return ChosenDraw()
    for change in reversed(store.changes()):
        facts = change.facts
        if change.action == ACTION and facts["round"] == snapshot.round.number:
            terms = Terms(facts["max_error"], facts["confidence"])
            kind, apart, planned = facts["kind"], facts["apart"], facts["planned"]
            return ChosenDraw(kind, apart, terms, planned, facts.get("plan"))
    return ChosenDraw()


def asked_for(store: ReviewStore) -> Terms:
    """The terms that a promise or a draw was asked for with last; at most 2% at 95% before there is one."""
    for change in reversed(store.changes()):
        if change.action in ("promise", ACTION):
            return Terms(change.facts["max_error"], change.facts["confidence"])
    return Terms()


def proof_now(snapshot: ReviewSnapshot, chosen: ChosenDraw) -> AuditProof | None:
    """What the answers prove by the way in which the audit draws, at its terms; None where it cannot be audited."""
    if chosen.apart:
        return apart_proof(snapshot, chosen)
    return audit_proof(snapshot, chosen.terms, plan=chosen.plan)


def audit_of(snapshot: ReviewSnapshot, chosen: ChosenDraw) -> Audit | None:
    """The audit with an id of its own for each way to draw apart; None where there is none."""
    audit = snapshot.round.draw.audit
    return None if audit is None else replace(audit, apart=chosen.apart)


@lru_cache(maxsize=2)
def apart_proof(snapshot: ReviewSnapshot, chosen: ChosenDraw) -> AuditProof | None:
    """What the answers prove of each group: of each its draw from the top to the first image without an answer."""
    audit = audit_of(snapshot, chosen)
    if audit is None or not snapshot.view.as_run:
        return None
    draw = whole_draw(snapshot, audit)
    orders = [draw.within(group.members(audit.pool.labels)) for group in audit.groups]
    return proof_of(snapshot, chosen.terms, audit.groups, _beginnings(snapshot, orders), draw)


@lru_cache(maxsize=2)
def measured_so_far(snapshot: ReviewSnapshot) -> MeasuredAccuracy | None:
    """Accuracy on the images without a label, by a measuring draw; None below 20 answers."""
    asked = _measuring(snapshot)
    rows = _beginnings(snapshot, asked.strata_of_pool.order)
    return asked.read(rows, _judged(snapshot, rows))


def to_ask(snapshot: ReviewSnapshot, chosen: ChosenDraw) -> Ints:
    """Rows that wait for an answer: those that pay, of each group; or what measuring plans."""
    rows = _measured_next(snapshot, chosen) if chosen.kind == "measure" else _pay(snapshot, chosen)
    found = snapshot.round.draw.pool_rows[rows]
    return found[(found >= 0) & ~_known(snapshot)[rows]]


def _pay(snapshot: ReviewSnapshot, chosen: ChosenDraw) -> Ints:
    audit, proof = audit_of(snapshot, chosen), apart_proof(snapshot, chosen)
    if audit is None or proof is None:
        return np.zeros(0, dtype=np.int64)
    answered = np.array(proof.rows, dtype=np.int64)
    order = whole_draw(snapshot, audit).order
    return further(proof.promise, audit.pool, answered, audit.groups, order).rows


def _measured_next(snapshot: ReviewSnapshot, chosen: ChosenDraw) -> Ints:
    """The first phase until it is answered, then where its answers say that it pays."""
    asked = _measuring(snapshot)
    planned, known = min(chosen.planned, len(asked.audit.pool)), _known(snapshot)
    first = first_phase(asked.strata_of_pool, planned)
    if not known[first].all():
        return first
    rows = _beginnings(snapshot, asked.strata_of_pool.order)
    return asked.next_rows(max(planned, len(rows)), rows, _judged(snapshot, rows))


def _measuring(snapshot: ReviewSnapshot) -> MeasuringAudit:
    audit = snapshot.round.draw.audit
    if audit is None:
        raise RunError(NO_AUDIT)
    return MeasuringAudit(audit)


def answered(snapshot: ReviewSnapshot, chosen: ChosenDraw) -> int:
    """Answers that count for the groups."""
    proof = apart_proof(snapshot, chosen)
    return 0 if proof is None else proof.answers


def _known(snapshot: ReviewSnapshot) -> np.ndarray:
    """(pool,) whether an image has its answer, or people cannot tell."""
    rows = snapshot.round.draw.pool_rows
    done = snapshot.states.among(ImageState.DECIDED, ImageState.UNSURE)
    return np.where(rows >= 0, done[rows], False)


def _beginnings(snapshot: ReviewSnapshot, orders: Iterable[Ints]) -> Ints:
    """Of each order its rows up to the first one without an answer."""
    known, found = _known(snapshot), [np.zeros(0, dtype=np.int64)]
    for order in orders:
        waiting = ~known[order]
        found.append(order[: int(waiting.argmax())] if waiting.any() else order)
    return np.concatenate(found)


def _judged(snapshot: ReviewSnapshot, rows: Ints) -> Ints:
    """(n,) class position that people gave to rows of the pool, -1 where nobody can tell."""
    return snapshot.classes.columns(snapshot.states.klass[snapshot.round.draw.pool_rows[rows]])
