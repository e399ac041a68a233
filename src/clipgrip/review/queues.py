"""Which images are shown next, and in which order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from clipgrip.labeling.acquire import helpful, representative
from clipgrip.review.snapshot import ReviewSnapshot
from clipgrip.review.states import ImageState, Ints, Mask
from clipgrip.runs.knowledge import doubts
from clipgrip.trust.knowledge import knows_nothing

ANSWERED = (ImageState.DECIDED, ImageState.DISAGREE, ImageState.UNSURE)
"""People said something; the audit does not ask again."""
HELPFUL = 100
"""How many images are suggested at a time."""


def doubtful(snapshot: ReviewSnapshot, klass: int | None = None, _person: str = "") -> Ints:
    """Images that nobody has answered, the smallest margin first; of one answered class or of all."""
    rows = snapshot.view.by_margin.among(klass)
    return rows[snapshot.states.waiting[rows]]


def surest(snapshot: ReviewSnapshot, klass: int | None = None, _person: str = "") -> Ints:
    """The same images, the most confident first."""
    rows = snapshot.view.by_confidence.among(klass)
    return rows[snapshot.states.waiting[rows]]


def most_doubtful(snapshot: ReviewSnapshot, n: int) -> Ints:
    """The first ``n`` of `doubtful`."""
    return snapshot.view.by_margin.first(snapshot.states.waiting, n)


def surest_of(snapshot: ReviewSnapshot, klass: int, n: int) -> Ints:
    """The first ``n`` of `surest` of one class."""
    return snapshot.view.by_confidence.first(snapshot.states.waiting, n, klass)


def count_waiting(snapshot: ReviewSnapshot) -> int:
    """How many images nobody has answered, those of the audit left out."""
    return int(np.count_nonzero(snapshot.states.waiting))


def audit(snapshot: ReviewSnapshot, _klass: int | None = None, _person: str = "") -> Ints:
    """Images drawn at random that wait for an answer: those of earlier draws first, then this draw in its order."""
    waiting = ~snapshot.states.among(*ANSWERED)
    before = np.flatnonzero(snapshot.states.audit & waiting)
    drawn = snapshot.round.draw.rows
    return np.concatenate([before, drawn[(waiting & ~snapshot.states.audit)[drawn]]])


def audited(snapshot: ReviewSnapshot) -> Mask:
    """For each image of the draw, whether it has its answer, or people's answers that cannot be counted yet."""
    return snapshot.states.among(*ANSWERED)[snapshot.round.draw.rows]


def disagreements(snapshot: ReviewSnapshot, _klass: int | None = None, _person: str = "") -> Ints:
    """Images that people answered differently."""
    return np.flatnonzero(snapshot.states.state == ImageState.DISAGREE)


def asked(snapshot: ReviewSnapshot, _klass: int | None = None, _person: str = "") -> Ints:
    """Images for which somebody wishes a second opinion, and those that could not be told."""
    return np.flatnonzero(
        snapshot.states.among(ImageState.ASKED, ImageState.UNSURE) & ~snapshot.states.audit
    )


def second(snapshot: ReviewSnapshot, klass: int | None = None, person: str = "") -> Ints:
    """Images that one person decided, another one than ``person``: for a second opinion.

    First come those whose label is not what the model said before it had learned from it.
    """
    wanted = (snapshot.states.state == ImageState.DECIDED) & ~snapshot.states.audit
    if klass is not None:
        wanted &= snapshot.states.klass == klass
    rows = np.flatnonzero(wanted).tolist()
    people = {row: snapshot.opinions[snapshot.view.rows[row].sha256].people for row in rows}
    found = [r for r in rows if len(people[r]) == 1 and person not in people[r]]
    labels = snapshot.view.outcome.run.facts.get("labels") or {}
    contradicted = {sha256 for sha256, _ in labels.get("contradicted", ())}
    found.sort(key=lambda r: snapshot.view.rows[r].sha256 not in contradicted)
    return np.array(found, dtype=np.int64)


def answered(snapshot: ReviewSnapshot, klass: int | None = None, _person: str = "") -> Ints:
    """Images that people decided, the latest first; of one class or of all."""
    wanted = snapshot.states.state == ImageState.DECIDED
    if klass is not None:
        wanted &= snapshot.states.klass == klass
    rows = np.flatnonzero(wanted)
    latest = {}
    for answer in snapshot.answers:
        latest[answer.image] = answer.number
    order = [-latest.get(snapshot.view.rows[row].sha256, 0) for row in rows.tolist()]
    return rows[np.argsort(order, kind="stable")]


def most_helpful(snapshot: ReviewSnapshot, klass: int | None = None, _person: str = "") -> Ints:
    """Images whose answer helps the model most: doubtful, typical, and unlike each other; typical where it guesses.

    Takes seconds for 100,000 images.
    """
    states, view = snapshot.states, snapshot.view
    barred = states.audit if klass is None else states.audit | (view.label != klass)
    labeled = np.flatnonzero(states.state != ImageState.OPEN).tolist()
    excluded = np.flatnonzero(barred).tolist()
    images = snapshot.round.classifier.embeds
    if knows_nothing(doubts(view.outcome.run.facts)):
        return representative(images, HELPFUL, labeled=labeled, excluded=excluded).numpy()
    return helpful(images, view.probs, HELPFUL, labeled=labeled, excluded=excluded).numpy()


QUEUES: dict[str, Callable[[ReviewSnapshot, int | None, str], Ints]] = {
    "doubtful": doubtful,
    "surest": surest,
    "helpful": most_helpful,
    "audit": audit,
    "disagree": disagreements,
    "asked": asked,
    "second": second,
    "answered": answered,
}
