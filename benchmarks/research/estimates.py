"""Other ways to estimate accuracy and temperature without labels, measured by ``python -m benchmarks.trust``."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from benchmarks.research.halves import half_agreement
from clipgrip.errors import DataError
from clipgrip.trust.calibration import Temperature
from clipgrip.trust.estimate import ADVICE, Estimate
from clipgrip.trust.fitting import HIGHEST, LOWEST
from clipgrip.types import ImageEmbeds, Logits, Probs


@dataclass(frozen=True)
class Ratio:
    """``error = ratio * (1 - agreement)``, and the half width of an interval that held nine of ten unseen sets."""

    ratio: float
    half_width: float


HALVES = Ratio(2.2, 0.29)
"""From ``python -m benchmarks.trust``: see docs/decisions/0014."""
IMAGES_PER_CLASS = 10
"""Below it halves disagree for want of images, however right the answers are."""


def by_halves(image_embeds: ImageEmbeds, probs: Probs, *, seed: int = 0) -> Estimate:
    """By the agreement of two halves' classifiers, as it went with the error on other sets.

    Raises:
        DataError: fewer than `IMAGES_PER_CLASS` images a class: halves cannot be compared.
    """
    needed = IMAGES_PER_CLASS * probs.shape[1]
    if len(probs) < needed:
        raise DataError(
            f"{len(probs)} images of {probs.shape[1]} classes are too few to estimate the accuracy by halves: "
            f"{needed} are needed. Label a random sample instead."
        )
    agreement = half_agreement(image_embeds, probs, seed=seed)
    value = 1 - HALVES.ratio * (1 - agreement)
    return _estimate(value, HALVES.half_width, "agreement of halves", "nothing but the images")


def by_confidence(probs: Probs, *, half_width: float = 0.2) -> Estimate:
    """By mean confidence: right on average exactly where the answers are calibrated, and as wrong as they are not."""
    value = probs.max(1).values.mean().item()
    return _estimate(value, half_width, "mean confidence", "calibrated answers")


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


def by_agreement(first: Probs, second: Probs, *, half_width: float = 0.2) -> Estimate:
    """By the share of images that two models or rounds answer alike (Jiang et al., ICLR 2022, arXiv 2106.13799).

    Equal to the accuracy where the two are calibrated together and err apart. Models of one family, and rounds of one
    run even more, err alike: then it is too high.
    """
    value = (first.argmax(1) == second.argmax(1)).double().mean().item()
    return _estimate(value, half_width, "agreement of two answers", "models that err apart")


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
