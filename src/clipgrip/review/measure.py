"""How often the model is wrong, from images drawn at random, and what that proves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from clipgrip.errors import RunError
from clipgrip.metrics import Share
from clipgrip.review.queues import audited
from clipgrip.review.snapshot import ReviewSnapshot
from clipgrip.review.states import ImageState, Ints
from clipgrip.review.view import Numbers, View
from clipgrip.runs.audit_sheet import Audit
from clipgrip.runs.calibrated import AuditedCalibration
from clipgrip.sentences import mark
from clipgrip.trust.draw import Draw
from clipgrip.trust.honesty import AUDITED, honesty
from clipgrip.trust.planning import more_answers
from clipgrip.trust.promise import Promise, promise
from clipgrip.trust.scope import Group, against_all, count_every_error, misses_and_overkill, overall
from clipgrip.trust.terms import Terms

NO_AUDIT = mark(
    "the classes were changed since the last round, so its answers can no longer be audited. Run the next round first."
)
PART = 65_536
"""Images whose answers are calibrated together."""


@dataclass(frozen=True)
class Errors:
    """Wrong answers among the audited images: of all, by answered class, and by true class (class ids)."""

    overall: Share
    answered: dict[int, Share]
    true: dict[int, Share]
    rows: tuple[int, ...]
    """The audited rows, those that could not be told among them."""
    wrong: tuple[int, ...]


def errors(snapshot: ReviewSnapshot) -> Errors:
    """The model's errors on images drawn at random that it has not learned from.

    These are the draw of this round from the top to the first image without an answer, and the draws of earlier
    rounds, which were kept out of learning. An image that people could not tell counts as an error; so does one of an
    earlier draw that waits to be answered again, since leaving it out would favour the model.
    """
    rows = measured_rows(snapshot)
    answers, truth = snapshot.view.label[rows], snapshot.states.klass[rows]
    wrong = answers != truth
    ids = snapshot.classes.ids.tolist()
    return Errors(
        Share(int(wrong.sum()), len(rows)),
        {id_: Share(int(wrong[answers == id_].sum()), int((answers == id_).sum())) for id_ in ids},
        {id_: Share(int(wrong[truth == id_].sum()), int((truth == id_).sum())) for id_ in ids},
        tuple(rows.tolist()),
        tuple(np.array(rows)[wrong].tolist()),
    )


def measured_rows(snapshot: ReviewSnapshot) -> Ints:
    """Rows that the model is measured on."""
    before = snapshot.states.audit & ~snapshot.view.learned
    before[snapshot.round.draw.rows] = False
    return np.concatenate([np.flatnonzero(before), prefix(snapshot)])


def prefix(snapshot: ReviewSnapshot) -> Ints:
    """Rows of this round's draw from the top to the first image without a clear answer."""
    drawn = snapshot.round.draw.rows
    waiting = ~snapshot.states.among(ImageState.DECIDED, ImageState.UNSURE)[drawn]
    return drawn[: int(waiting.argmax())] if waiting.any() else drawn


def gap(snapshot: ReviewSnapshot) -> int:
    """Audit answers that do not count yet, because an earlier image of the draw waits for its answer."""
    answered = audited(snapshot) & snapshot.states.audit[snapshot.round.draw.rows]
    return int(answered[len(prefix(snapshot)) :].sum())


@dataclass(frozen=True)
class ErrorEstimate:
    """What the model's confidence says about errors where nobody looked."""

    by_class: dict[int, float | None]
    overall: float | None
    calibrated: bool
    """Whether the audit set the confidence right; else it is the model's own word."""


@lru_cache(maxsize=2)
def calibration(snapshot: ReviewSnapshot) -> AuditedCalibration | None:
    """By the images that the model is measured on; None below `AUDITED` with a class, or where it brings nothing."""
    return _calibration(snapshot.view, *_measured(snapshot))


def _measured(snapshot: ReviewSnapshot) -> tuple[bytes, bytes]:
    """The measured rows and their classes: most answers leave them, and what follows from them, as they are."""
    rows = measured_rows(snapshot)
    return rows.tobytes(), snapshot.classes.columns(snapshot.states.klass[rows]).tobytes()


@lru_cache(maxsize=2)
def _calibration(view: View, rows: bytes, truth: bytes) -> AuditedCalibration | None:
    classes = torch.from_numpy(np.frombuffer(truth, np.int64).copy())
    found = honesty(view.probs[np.frombuffer(rows, np.int64).copy()], classes, least=AUDITED)
    return AuditedCalibration.of(found) if found is not None and found.gains else None


@lru_cache(maxsize=2)
def _doubt(view: View, rows: bytes, truth: bytes) -> Numbers:
    """(N,) expected share of errors of each answer."""
    found = _calibration(view, rows, truth)
    if found is None:
        return 1 - view.confidence
    parts = [found(part).amax(1) for part in view.probs.split(PART)]
    return (1 - torch.cat(parts)).numpy()


def estimate(snapshot: ReviewSnapshot) -> ErrorEstimate:
    """Expected share of errors among the answers that nobody checked, overall and by answered class."""
    open_rows = np.flatnonzero(snapshot.states.state == ImageState.OPEN)
    found, doubt = calibration(snapshot), _doubt(snapshot.view, *_measured(snapshot))[open_rows]
    answers = snapshot.view.label[open_rows]
    by_class = {one.id: _mean(doubt[answers == one.id]) for one in snapshot.classes.active}
    return ErrorEstimate(by_class, _mean(doubt), found is not None)


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None


@dataclass(frozen=True)
class AuditProof:
    """What the audit proves, and how many more answers would prove all of it."""

    promise: Promise
    more: dict[str, int | None]
    groups: tuple[Group, ...]
    rows: tuple[int, ...]
    """Rows of the audit's pool that were answered, in the order of the draw."""
    truth: tuple[int, ...]
    """Class position of each, -1 where nobody can tell."""

    @property
    def answers(self) -> int:
        """How many."""
        return len(self.rows)

    @property
    def of_every_error(self) -> bool:
        """Whether it speaks of every wrong label, or of misses and overkill alone."""
        return count_every_error(self.groups)


def audit_proof(
    snapshot: ReviewSnapshot, terms: Terms, ok: Sequence[int] = (), plan: int | None = None
) -> AuditProof | None:
    """The promise for this round's answers; None where there is no draw, or the classes are no longer the run's.

    Args:
        ok: class ids that mean "OK part": misses and overkill are then promised apart.
        plan: answers at which an exact test is read, if that was fixed before the first of them.
    """
    draw, view, column = snapshot.round.draw, snapshot.view, snapshot.classes.column
    if draw.audit is None or not view.as_run:
        return None
    n = len(column)
    # one more for -1: an image of the pool that is not under review
    position = np.full(len(view.rows) + 1, -1)
    position[draw.pool_rows] = np.arange(len(draw.pool_rows))
    ok_columns = [column[id_] for id_ in ok if id_ in column]
    apart = 0 < len(ok_columns) < n
    groups: tuple[Group, ...] = misses_and_overkill(n, ok_columns) if apart else overall(n)
    whole = None if plan is None else whole_draw(snapshot, draw.audit, plan)
    return proof_of(snapshot, terms, groups, position[prefix(snapshot)], whole)


def whole_draw(snapshot: ReviewSnapshot, audit: Audit, plan: int | None = None) -> Draw:
    """All of a draw; an image whose file is gone is asked last, which is never."""
    order = np.array(audit.order, dtype=np.int64)
    there = snapshot.round.draw.pool_rows[order] >= 0
    return Draw(np.concatenate([order[there], order[~there]]), plan, bool(audit.apart))


def proof_of(
    snapshot: ReviewSnapshot,
    terms: Terms,
    groups: tuple[Group, ...],
    rows: Ints,
    draw: Draw | None = None,
) -> AuditProof:
    """What the answered ``rows`` of the audit's pool prove, in the order in which they were drawn."""
    audit = snapshot.round.draw.audit
    if audit is None:
        raise RunError(NO_AUDIT)
    pool, shown = audit.pool, snapshot.round.draw.pool_rows[rows]
    truth = snapshot.classes.columns(snapshot.states.klass[shown])
    # an image that nobody can tell counts against the model
    judged = np.where(truth >= 0, truth, against_all(pool.labels[rows], groups))
    found = promise(pool, rows, judged, groups, terms, draw=draw)
    more = more_answers(found, pool, rows, judged, groups)
    return AuditProof(found, dict(more), groups, tuple(rows.tolist()), tuple(truth.tolist()))
