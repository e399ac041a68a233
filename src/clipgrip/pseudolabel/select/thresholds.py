"""Rules that trust what is surer than a threshold, at most ``k`` of each class."""

from __future__ import annotations

from clipgrip.pseudolabel.select.chosen import ALONE, Chosen, Context, at_temperature
from clipgrip.pseudolabel.select.top import surest
from clipgrip.types import Probs

FIXMATCH = 0.95


def threshold(
    probs: Probs, k: int, context: Context = ALONE, *, at_least: float = FIXMATCH
) -> Chosen:
    """One threshold on the calibrated confidence for all classes.

    Source: Sohn et al., FixMatch, NeurIPS 2020 (arXiv 2001.07685), whose constant is 0.95; calibrated by the context's
    temperature, so that the constant means what it says. Without labels there is nothing to calibrate by: the
    temperature is then 1 and the threshold is on CLIP's own confidence.
    """
    confidence, _ = at_temperature(probs, context.temperature).max(dim=1)
    return surest(probs, k, confidence, confidence >= at_least)


def class_threshold(probs: Probs, k: int, context: Context = ALONE) -> Chosen:
    """A threshold for each class that follows how far the class has been learned.

    τ(c) = p̃(c) / max p̃ · τ, with τ the mean confidence of all rows and p̃ their mean probabilities: a class that is
    answered with little confidence gets a lower bar.
    Source: Wang et al., FreeMatch, ICLR 2023 (arXiv 2205.07246), self-adaptive thresholds; exact means over the pool
    stand in the place of its moving averages over batches. FlexMatch (arXiv 2110.08263) has the same aim by counting.
    """
    honest = at_temperature(probs, context.temperature)
    confidence, labels = honest.max(dim=1)
    if not len(probs):
        return surest(probs, k, confidence)
    mean = honest.mean(dim=0)
    bars = mean / mean.max() * confidence.mean()
    return surest(probs, k, confidence, confidence >= bars[labels])
