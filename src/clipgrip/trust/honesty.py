"""How well a model's confidence is calibrated, and how well it would be with one temperature."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from clipgrip.metrics import Reliability, reliability
from clipgrip.trust.calibration import Temperature, logits_of
from clipgrip.trust.fitting import Checked, cross_fitted, figures, fit_temperature
from clipgrip.types import Labels, Probs

ENOUGH = 25
"""Fewest labels: four of five folds are then the 20 that a temperature needs."""
AUDITED = 50
"""Audited answers from which people are shown calibrated confidence."""


@dataclass(frozen=True)
class Honesty:
    """Scores and reliability before a temperature, and cross-fitted after it: each image by other images' labels."""

    temperature: Temperature
    """Fitted to all labels, for other images."""
    checked: Checked
    before: Reliability = field(repr=False)
    after: Reliability = field(repr=False)

    @property
    def gains(self) -> bool:
        """Whether the temperature improves confidence on images that it was not fitted to.

        It must lower the log loss, and must not raise the calibration error that people are shown.
        """
        before, after = self.checked.before, self.checked.after
        nearer = after["ece_equal_mass"] <= before["ece_equal_mass"]
        return nearer and after["nll"] < before["nll"]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; a diagram is (confidence, share right, images) of each bin."""
        return {
            "n": self.checked.n,
            "temperature": self.temperature.value,
            "before": self.checked.before,
            "after": self.checked.after,
            "diagram": {"before": _bins(self.before), "after": _bins(self.after)},
        }


def honesty(probs: Probs, labels: Labels, *, least: int = ENOUGH) -> Honesty | None:
    """The calibration of answers (N, C) by labels (N,), -1 for none; None with fewer than ``least`` of them.

    The labels must be of images that the answers were not learned from.
    """
    known = labels >= 0
    if int(known.sum()) < max(least, ENOUGH):
        return None
    probs, truth = probs[known], labels[known]
    logits = logits_of(probs)
    after = cross_fitted(fit_temperature, logits, truth)
    return Honesty(
        fit_temperature(logits, truth),
        Checked(len(truth), figures(probs, truth), figures(after, truth)),
        reliability(probs, truth),
        reliability(after, truth),
    )


def calibrated(probs: Probs, labels: Labels) -> Probs:
    """(N, C) at the temperature fitted to the labels; labeled rows are cross-fitted, so that they may be scored.

    DataError: fewer labels than a fold needs.
    """
    known = labels >= 0
    logits = logits_of(probs)
    answers = fit_temperature(logits, labels)(logits)
    answers[known] = cross_fitted(fit_temperature, logits, labels)
    return answers


def _bins(curve: Reliability) -> list[list[float]]:
    columns = (curve.confidence.tolist(), curve.accuracy.tolist(), curve.count.tolist())
    return [list(one) for one in zip(*columns, strict=True)]
