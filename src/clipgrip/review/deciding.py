"""Who decides the images under review: what is kept and stands; before anything is kept, what the audit proves."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from clipgrip.review import store as reviews
from clipgrip.review.draws import ChosenDraw, audit_of, proof_now
from clipgrip.review.measure import AuditProof
from clipgrip.review.snapshot import ReviewSnapshot
from clipgrip.review.states import ImageState, Mask
from clipgrip.runs.audit_store import audited, was_read
from clipgrip.runs.store import open_store
from clipgrip.runs.watch.standing import Standing, standing


@dataclass(frozen=True, eq=False)
class Deciders:
    """Of N images, in the order of the view, those that the model decides."""

    by_model: Mask = field(repr=False)
    """(N,) open, and within a promise that stands."""
    proof: AuditProof | None
    """What the answers prove now, at the terms of the draw."""
    has_promise: bool
    """Whether a promise was ever read and kept, of this round or an earlier one: then only what is kept counts."""
    stands: bool
    """Whether a kept promise stands."""
    withdrawn: tuple[str, ...]
    """Groups of this draw's promise that were withdrawn at work: its answers bring them back no more."""
    more: int
    """Open images beyond them that the answers prove, and that nobody has kept a promise for."""


def deciders(snapshot: ReviewSnapshot, chosen: ChosenDraw) -> Deciders:
    """As `clipgrip predict` and the line decide them, from the same promises."""
    proof, audit, found = proof_now(snapshot, chosen), audit_of(snapshot, chosen), _stands(snapshot)
    by_model = np.zeros(len(snapshot.view.rows), dtype=bool)
    if audit is None or proof is None:
        return Deciders(by_model, proof, found is not None, False, (), 0)
    rows = snapshot.round.draw.pool_rows
    open_ones = np.where(rows >= 0, snapshot.states.state[rows] == ImageState.OPEN, False)
    inside = proven = open_ones & proof.promise.decided
    if found is not None:
        inside = open_ones & found.holds(audit.pool.labels, audit.pool.confidence)
        with open_store(_place(snapshot)) as store:  # what a sheet has asked is a person's
            inside &= ~audit.images.among(audited(store, audit.run))
    by_model[rows[inside]] = True
    withdrawn = () if found is None else found.fallen_of(audit.id)
    more = 0 if withdrawn else int((proven & ~inside).sum())
    stands = found is not None and bool(found.scopes)
    return Deciders(by_model, proof, found is not None, stands, withdrawn, more)


def standing_at_work(folder: Path) -> Standing | None:
    """What stands for the model that a run's review works with; None where no audit of any round was ever read."""
    folders = reviews.round_folders(folder)
    return standing(folders[-1], before=any(map(was_read, folders)))


def _stands(snapshot: ReviewSnapshot) -> Standing | None:
    place = snapshot.round
    before = any(was_read(place.folder / one.folder) for one in place.rounds)
    return standing(_place(snapshot), before=before)


def _place(snapshot: ReviewSnapshot) -> Path:
    return snapshot.round.folder / snapshot.round.stored.folder
