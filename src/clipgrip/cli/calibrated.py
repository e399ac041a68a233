"""Confidence that an audit set right: made after its answers are kept, and said in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clipgrip.words import Sentence, mark

if TYPE_CHECKING:
    from clipgrip.cli.screen import Screen
    from clipgrip.runs.calibrated import AuditedCalibration
    from clipgrip.runs.outcome import Outcome

NO_GAIN = mark(
    "confidence stays as the model says it: {n} audited answers found no temperature that brings it nearer to the truth"
)


def recalibrated(outcome: Outcome, screen: Screen) -> AuditedCalibration | None:
    """Calibrate a run by every audited answer that is kept in it; predictions.csv is written anew.

    What a review calibrated by more answers stays.
    """
    import torch

    from clipgrip.runs.audit_store import uniform_answers
    from clipgrip.runs.calibrated import calibration_before
    from clipgrip.runs.outputs import recalibrate
    from clipgrip.runs.store import open_store
    from clipgrip.trust.honesty import AUDITED

    with open_store(outcome.folder) as store:
        known = uniform_answers(store, outcome.run.id)
    before = calibration_before(outcome.folder)
    if before is not None and before.n > len(known):
        return before
    truth = torch.from_numpy(outcome.embeds.pool_rows.values(known))
    found = recalibrate(outcome, truth, screen.note)
    if found is None and int((truth >= 0).sum()) >= AUDITED:
        screen.note(Sentence(NO_GAIN, n=len(known)))
    return found


def said_of(calibrated: AuditedCalibration | None) -> list[str]:
    """What audited answers made of confidence; nothing where they are too few."""
    if calibrated is None:
        return []
    before, after = (
        f"{100 * calibrated.evidence[when]['ece_equal_mass']:.1f}" for when in ("before", "after")
    )
    return [
        Sentence(
            "confidence is calibrated by {n} answers of a random audit (off by {before} points on average before, "
            "{after} after)",
            n=calibrated.n,
            before=before,
            after=after,
        )
    ]
