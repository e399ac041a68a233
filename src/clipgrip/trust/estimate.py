"""Accuracy estimated without labels of the images in question, with its uncertainty said aloud."""

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
"""How far under and over `by_refinement` the accuracy lay in nine of ten pools: see docs/decisions/0029."""
ENOUGH_LABELS = 20
"""Labels from which they say more of the accuracy than the pool does."""


@dataclass(frozen=True)
class Estimate:
    """An accuracy between ``low`` and ``high``, by a signal of that name; ``advice`` belongs beside it."""

    accuracy: float
    low: float
    high: float
    signal: str
    needs: str
    advice: str = ADVICE


def by_refinement(probs: Probs, refined: Probs) -> Estimate:
    """By the mean probability that refined answers give to the untouched ones, at most their own mean confidence.

    ``refined`` comes from `clipgrip.pseudolabel.refine`; where it left the answers alone it says nothing of them. Too
    high for answers that were themselves learned from refined ones: give zero-shot's. Nothing here sees texts that
    stand at the wrong classes.
    """
    given = refined.gather(1, probs.argmax(1, keepdim=True)).double().mean().item()
    value = min(given, probs.max(1).values.double().mean().item())
    low, high = max(0.0, value - BELOW), min(1.0, value + ABOVE)
    return Estimate(value, low, high, "refined answers' probability", "untuned answers")


def by_labels(right: int, total: int) -> Estimate:
    """By labels that the answers were not learned from: the share right, with its exact 95% interval."""
    low, high = exact_interval(right, total)
    return Estimate(right / max(1, total), low, high, "labels", f"{total} labels", LABELS_ADVICE)
