"""The scale of answers: logits brought to one spread over the classes, whatever logit scale made them."""

from __future__ import annotations

from clipgrip.mapped import like
from clipgrip.pseudolabel.refine.balance import logits_of
from clipgrip.pseudolabel.refine.chunks import chunk_slices, even_sample, put
from clipgrip.pseudolabel.refine.settings import DEFAULT, Refinement
from clipgrip.types import Logits, Probs


def standard_logits(probs: Probs, settings: Refinement = DEFAULT) -> Logits:
    """(n, C) logits at the spread ``logit_spread``, of an even sample of many images.

    Where all images have the same answer there is no spread, and the logits stay as they are.
    """
    logits = logits_of(even_sample(probs, settings.numerics.decision_sample))
    return logits * (settings.logit_spread / (spread(logits) or settings.logit_spread))


def at_fitting_scale(probs: Probs, settings: Refinement = DEFAULT) -> Probs:
    """(N, C) rescaled to ``logit_spread``, if their own spread is off by more than a factor ``spread_tolerance``."""
    own = spread(logits_of(even_sample(probs, settings.numerics.decision_sample)))
    most = settings.numerics.spread_tolerance
    if not own or 1 / most <= own / settings.logit_spread <= most:
        return probs
    scaled = like(probs)

    def rescale(rows: slice) -> None:
        scaled[rows] = (logits_of(probs[rows]) * (settings.logit_spread / own)).softmax(1)

    put(rescale, chunk_slices(len(probs)), over=(probs, scaled))
    return scaled


def spread(logits: Logits) -> float:
    """Mean over images of the standard deviation over classes, each class centred first; 0 if it is rounding."""
    if logits.shape[1] < 2 or len(logits) < 2:
        return 0.0
    found = float((logits - logits.mean(0)).std(1).mean())
    return found if found > 1e-3 else 0.0
