"""Confidence calibrated by the audit of a review: on its pages at once, in the newest round's files now and then."""

from __future__ import annotations

import logging

import torch

from clipgrip.review.measure import calibration, measured_rows
from clipgrip.review.snapshot import ReviewSnapshot
from clipgrip.runs.calibrated import NAME, calibration_before
from clipgrip.runs.outputs import recalibrate
from clipgrip.trust.honesty import AUDITED

GROWTH = 1.1
"""The files are rewritten when the audit's answers have grown by this factor, not after each answer."""

log = logging.getLogger(__name__)


def shown_confidence(snapshot: ReviewSnapshot, row: int) -> float:
    """Probability of an image's answer as pages show it: calibrated as soon as the audit allows it."""
    found, view = calibration(snapshot), snapshot.view
    if found is None:
        return float(view.confidence[row])
    return float(found(view.probs[row : row + 1]).amax())


def keep_calibration(snapshot: ReviewSnapshot, *, corrected: bool = False) -> None:
    """Bring calibration.json and predictions.csv of the newest round up to the audit, where it has grown enough.

    ``corrected``: an answer that counted is another one now, which no number of answers shows.

    A folder that may not be written keeps its files; the answers are safe in the review.
    """
    if not snapshot.view.as_run:
        return
    outcome = snapshot.view.outcome
    rows = measured_rows(snapshot)
    rows = rows[snapshot.states.klass[rows] >= 0]
    try:
        before = calibration_before(outcome.folder)
        again = corrected and len(rows) >= AUDITED
        if not (again or _due(0 if before is None else before.n, len(rows))):
            return
        if calibration(snapshot) is None and not (outcome.folder / NAME).exists():
            return  # nothing to write, and nothing to take away
        classes = snapshot.classes.columns(snapshot.states.klass[rows]).tolist()
        known = {
            snapshot.view.rows[row].sha256: c for row, c in zip(rows.tolist(), classes, strict=True)
        }
        recalibrate(outcome, torch.from_numpy(outcome.embeds.pool_rows.values(known)))
    except OSError as error:
        log.warning(
            "%s: confidence in its files is not brought up to date: %s", outcome.folder, error
        )


def _due(before: int, n: int) -> bool:
    if n < AUDITED:
        return before > 0
    return n < before or n >= GROWTH * max(before, 1)
