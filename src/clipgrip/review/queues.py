"""Which images are shown next, and in which order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from clipgrip.review.acquire import helpful
from clipgrip.review.desk import ASKED, DECIDED, DISAGREE, OPEN, UNSURE, Desk

Rows = NDArray[np.int64]
HELPFUL = 100
"""How many images are suggested at a time."""


def doubtful(desk: Desk, klass: int | None = None, _person: str = "") -> Rows:
    """Images that nobody has answered, the smallest margin first; of one answered class or of all."""
    rows = _open(desk, klass)
    return rows[np.argsort(desk.view.margin[rows], kind="stable")]


def surest(desk: Desk, klass: int | None = None, _person: str = "") -> Rows:
    """The same images, the most confident first."""
    rows = _open(desk, klass)
    return rows[np.argsort(-desk.view.confidence[rows], kind="stable")]


def audit(desk: Desk, _klass: int | None = None, _person: str = "") -> Rows:
    """Images drawn at random that wait for an answer: those of earlier draws first, then this draw in its order."""
    waiting = ~np.isin(desk.standing.state, (DECIDED, DISAGREE, UNSURE))
    before = np.flatnonzero(desk.standing.audit & waiting)
    return np.concatenate([before, desk.drawn[(waiting & ~desk.standing.audit)[desk.drawn]]])


def audited(desk: Desk) -> NDArray[np.bool_]:
    """For each image of the draw, whether it has its answer, or people's answers that cannot be counted yet."""
    return np.isin(desk.standing.state[desk.drawn], (DECIDED, DISAGREE, UNSURE))


def disagreements(desk: Desk, _klass: int | None = None, _person: str = "") -> Rows:
    """Images that people answered differently."""
    return np.flatnonzero(desk.standing.state == DISAGREE)


def asked(desk: Desk, _klass: int | None = None, _person: str = "") -> Rows:
    """Images for which somebody wishes a second opinion, and those that could not be told."""
    return np.flatnonzero(np.isin(desk.standing.state, (ASKED, UNSURE)) & ~desk.standing.audit)


def second(desk: Desk, klass: int | None = None, person: str = "") -> Rows:
    """Images that one person decided, another one than ``person``: for a second opinion.

    First come those whose label is not what the model said before it had learned from it.
    """
    wanted = (desk.standing.state == DECIDED) & ~desk.standing.audit
    if klass is not None:
        wanted &= desk.standing.klass == klass
    rows = np.flatnonzero(wanted).tolist()
    people = {row: desk.opinions[desk.view.rows[row].sha256].people for row in rows}
    found = [r for r in rows if len(people[r]) == 1 and person not in people[r]]
    labels = desk.view.outcome.run.facts.get("labels") or {}
    contradicted = {sha256 for sha256, _ in labels.get("contradicted", ())}
    found.sort(key=lambda r: desk.view.rows[r].sha256 not in contradicted)
    return np.array(found, dtype=np.int64)


def answered(desk: Desk, klass: int | None = None, _person: str = "") -> Rows:
    """Images that people decided, the latest first; of one class or of all."""
    wanted = desk.standing.state == DECIDED
    if klass is not None:
        wanted &= desk.standing.klass == klass
    rows = np.flatnonzero(wanted)
    latest = {}
    for answer in desk.answers():
        latest[answer.image] = answer.number
    order = [-latest.get(desk.view.rows[row].sha256, 0) for row in rows.tolist()]
    return rows[np.argsort(order, kind="stable")]


def most_helpful(desk: Desk, klass: int | None = None, _person: str = "") -> Rows:
    """Images whose answer helps the model most: doubtful, typical, and unlike each other.

    Takes seconds for 100,000 images; the desk is asked only for what it holds at this moment.
    """
    with desk.lock:
        state, kept = desk.standing.state.copy(), desk.standing.audit.copy()
        images, probs, label = desk.answerer.embeds, desk.view.probs, desk.view.label
        kept |= False if klass is None else label != klass
    labeled, excluded = (np.flatnonzero(which).tolist() for which in ((state != OPEN), kept))
    return helpful(images, probs, HELPFUL, labeled=labeled, excluded=excluded).numpy()


def _open(desk: Desk, klass: int | None) -> Rows:
    """Neither answered nor kept for the audit."""
    wanted = (desk.standing.state == OPEN) & ~desk.standing.audit
    if klass is not None:
        wanted &= desk.view.label == klass
    return np.flatnonzero(wanted)


QUEUES: dict[str, Callable[[Desk, int | None, str], Rows]] = {
    "doubtful": doubtful,
    "surest": surest,
    "helpful": most_helpful,
    "audit": audit,
    "disagree": disagreements,
    "asked": asked,
    "second": second,
    "answered": answered,
}
