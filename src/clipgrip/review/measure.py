"""How often the model is wrong, from images drawn at random, and what that proves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from clipgrip.metrics import Share
from clipgrip.review.desk import DECIDED, OPEN, UNSURE, Desk, Whole
from clipgrip.review.queues import audited
from clipgrip.trust.calibration import Temperature, logits_of
from clipgrip.trust.fitting import fit_temperature, labels_needed
from clipgrip.trust.planning import more_answers
from clipgrip.trust.promise import Promise, promise
from clipgrip.trust.scope import Group, misses_and_overkill, overall
from clipgrip.trust.terms import Terms


@dataclass(frozen=True)
class Errors:
    """Wrong answers among the audited images: of all, by answered class, and by true class (class ids)."""

    overall: Share
    answered: dict[int, Share]
    true: dict[int, Share]
    rows: tuple[int, ...]
    """The audited rows, those that could not be told among them."""
    wrong: tuple[int, ...]


def errors(desk: Desk) -> Errors:
    """The model's errors on images drawn at random that it has not learned from.

    These are the draw of this round from the top to the first image without an answer, and the draws of earlier
    rounds, which were kept out of learning. An image that people could not tell counts as an error; so does one of an
    earlier draw that waits to be answered again, since leaving it out would favour the model.
    """
    rows = measured_rows(desk)
    answers, truth = desk.view.label[rows], desk.standing.klass[rows]
    wrong = answers != truth
    ids = [one.id for one in desk.view.classes]
    return Errors(
        Share(int(wrong.sum()), len(rows)),
        {id_: Share(int(wrong[answers == id_].sum()), int((answers == id_).sum())) for id_ in ids},
        {id_: Share(int(wrong[truth == id_].sum()), int((truth == id_).sum())) for id_ in ids},
        tuple(rows.tolist()),
        tuple(np.array(rows)[wrong].tolist()),
    )


def measured_rows(desk: Desk) -> np.ndarray:
    """Rows that the model is measured on."""
    before = desk.standing.audit & ~desk.view.learned
    before[desk.drawn] = False
    return np.concatenate([np.flatnonzero(before), prefix(desk)])


def prefix(desk: Desk) -> Whole:
    """Rows of this round's draw from the top to the first image without a clear answer."""
    waiting = ~np.isin(desk.standing.state[desk.drawn], (DECIDED, UNSURE))
    return desk.drawn[: int(waiting.argmax())] if waiting.any() else desk.drawn


def gap(desk: Desk) -> int:
    """Audit answers that do not count yet, because an earlier image of the draw waits for its answer."""
    answered = audited(desk) & desk.standing.audit[desk.drawn]
    return int(answered[len(prefix(desk)) :].sum())


@dataclass(frozen=True)
class Estimate:
    """What the model's confidence says about errors where nobody looked."""

    by_class: dict[int, float | None]
    overall: float | None
    calibrated: bool
    """Whether the audit set the confidence right; else it is the model's own word."""


def estimate(desk: Desk) -> Estimate:
    """Expected share of errors among the answers that nobody checked, overall and by answered class."""
    rows = measured_rows(desk)
    rows = rows[desk.standing.klass[rows] >= 0]
    open_rows = np.flatnonzero(desk.standing.state == OPEN)
    logits = logits_of(desk.view.probs)
    fit = Temperature(1.0)
    enough = len(rows) >= labels_needed("temperature", len(desk.view.classes))
    if enough:
        columns = {one.id: n for n, one in enumerate(desk.view.classes)}
        truth = torch.tensor([columns[id_] for id_ in desk.standing.klass[rows].tolist()])
        fit = fit_temperature(logits[rows], truth)
    doubt = 1 - fit(logits[open_rows]).amax(1).numpy()
    answers = desk.view.label[open_rows]
    by_class = {one.id: _mean(doubt[answers == one.id]) for one in desk.view.classes}
    return Estimate(by_class, _mean(doubt), enough)


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None


@dataclass(frozen=True)
class Promised:
    """What the audit proves, and how many more answers would prove all of it."""

    told: Promise
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


def promised(desk: Desk, terms: Terms, ok: Sequence[int] = ()) -> Promised | None:
    """The promise for this round's answers; None where there is no draw, or the classes are no longer the run's.

    Args:
        ok: class ids that mean "OK part": misses and overkill are then promised apart.
    """
    audit, view = desk.audit, desk.view
    if audit is None or not view.as_run:
        return None
    columns = {one.id: n for n, one in enumerate(view.classes)}
    shown = prefix(desk)
    place = np.full(
        len(view.rows) + 1, -1
    )  # one more for -1: an image of the pool that is not under review
    place[desk.audit_rows] = np.arange(len(desk.audit_rows))
    rows = place[shown]
    truth = [columns.get(int(desk.standing.klass[row]), -1) for row in shown]
    said = audit.pool.labels[rows].tolist()
    n = len(view.classes)
    # an image that nobody can tell counts against the model
    known = [t if t >= 0 else (answer + 1) % n for t, answer in zip(truth, said, strict=True)]
    places = [columns[id_] for id_ in ok if id_ in columns]
    apart = 0 < len(places) < n
    groups: tuple[Group, ...] = misses_and_overkill(n, places) if apart else overall(n)
    truths = np.array(known, dtype=np.int64)
    told = promise(audit.pool, rows, truths, groups, terms)
    more = more_answers(told, audit.pool, rows, truths, groups)
    return Promised(told, dict(more), groups, tuple(rows.tolist()), tuple(truth))
