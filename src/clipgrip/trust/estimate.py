"""Accuracy estimated without an audit of the images, with an interval and advice that belongs beside it."""

from __future__ import annotations

from dataclasses import dataclass

from clipgrip.metrics import exact_interval
from clipgrip.types import Probs

ADVICE = (
    "An estimate without labels can be further off than its interval says, above all where class names do not fit. "
    "A random audit of 200 images is within ±7 points at any accuracy: prefer it where the figure matters."
)


LABELS_ADVICE = (
    "Labels that were not drawn at random speak for images like the labeled ones. "
    "A random audit of 200 images is within ±7 points at any accuracy: prefer it where the figure matters."
)


BELOW, ABOVE = 0.20, 0.08
"""In nine of ten pools the accuracy lay at most so far below and above `by_refinement` (docs/decisions/0029)."""
ENOUGH_LABELS = 20
"""Labels from which `by_labels` is the better estimate."""


@dataclass(frozen=True)
class Estimate:
    """An estimated accuracy between ``low`` and ``high``, from ``signal``; ``advice`` belongs beside it."""

    accuracy: float
    low: float
    high: float
    signal: str
    needs: str
    advice: str = ADVICE


def by_refinement(probs: Probs, refined: Probs) -> Estimate:
    """The mean probability of zero-shot's answers after refinement, or their mean confidence if that is lower.

    ``probs`` (N, C) must be zero-shot's: answers that were learned from refined ones agree with these too well.
    ``refined`` (N, C) comes from `clipgrip.pseudolabel.refine`; if it left the answers as they were, this is only their
    own confidence. Texts that are interchanged between classes cannot be noticed.
    """
    agreement = refined.gather(1, probs.argmax(1, keepdim=True)).double().mean().item()
    value = min(agreement, probs.max(1).values.double().mean().item())
    low, high = max(0.0, value - BELOW), min(1.0, value + ABOVE)
    return Estimate(value, low, high, "refined answers' probability", "untuned answers")


def by_labels(right: int, total: int) -> Estimate:
    """The share right on labels that the answers were not learned from, with its exact 95% interval."""
    low, high = exact_interval(right, total)
    return Estimate(right / max(1, total), low, high, "labels", f"{total} labels", LABELS_ADVICE)
