"""Other ways to estimate accuracy and temperature without labels, measured by ``python -m benchmarks.trust``."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipgrip.errors import DataError
from clipgrip.trust.calibration import Temperature
from clipgrip.trust.estimate import ADVICE, Estimate
from clipgrip.trust.fitting import HIGHEST, LOWEST
from clipgrip.types import Logits, Probs

IMAGES_PER_CLASS = 10
"""Below it halves disagree for want of images, however right the answers are."""


def by_threshold(probs: Probs, source: Float[Tensor, "n C"], labels: Int[Tensor, " n"]) -> Estimate:
    """Average thresholded confidence: the share of images over the threshold that explains the source's accuracy.

    Source: Garg et al., ICLR 2022 (arXiv 2201.04234), eqs. 1 and 2, by maximum confidence. Needs a labeled source that
    went through the same model; its sampling error is in the interval, a source of another kind is not.

    Raises:
        DataError: the source has no labels.
    """
    known = labels >= 0
    n = int(known.sum())
    if n == 0:
        raise DataError(
            "average thresholded confidence needs labeled images of the same model's making, and there are none. "
            "Label a random sample, or estimate by halves."
        )
    confidence, called = source[known].max(1)
    wrong = int((called != labels[known]).sum())
    ordered = confidence.sort().values
    threshold = ordered[wrong] if wrong < n else torch.tensor(torch.inf)
    value = (probs.max(1).values >= threshold).double().mean().item()
    width = 1.645 * math.sqrt(max(value * (1 - value), 0.25 / n) * (1 / n + 1 / len(probs)))
    return _estimate(value, width, "average thresholded confidence", "a labeled source")


@dataclass(frozen=True)
class TemperatureRange:
    """A temperature without labels, and those of the ends of the accuracy it was made from."""

    calibration: Temperature
    low: Temperature
    high: Temperature
    advice: str = ADVICE


def temperature_without_labels(logits: Logits, accuracy: Estimate) -> TemperatureRange:
    """The temperature at which mean confidence equals the estimated accuracy, and at the ends of its interval.

    ``low`` belongs to the higher accuracy: the surer the answers, the lower the temperature.
    """
    middle, low, high = (
        matching_temperature(logits, target)
        for target in (accuracy.accuracy, accuracy.high, accuracy.low)
    )
    return TemperatureRange(middle, low, high)


def matching_temperature(logits: Logits, target: float) -> Temperature:
    """The temperature at which mean confidence is ``target``, by bisection; the nearest end where none reaches it."""
    low, high = math.log(LOWEST), math.log(HIGHEST)
    for _ in range(50):
        middle = (low + high) / 2
        confidence = (logits / math.exp(middle)).softmax(1).max(1).values.mean().item()
        low, high = (middle, high) if confidence > target else (low, middle)
    return Temperature(math.exp((low + high) / 2))


def _estimate(value: float, width: float, signal: str, needs: str) -> Estimate:
    low, high = max(0.0, value - width), min(1.0, value + width)
    return Estimate(min(1.0, max(0.0, value)), low, high, signal, needs)
