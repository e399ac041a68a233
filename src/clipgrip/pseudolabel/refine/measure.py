"""Measuring the evidence of a pool; and which classes are absent from it.

A zero-shot model prefers some classes to others, so unequal answers alone prove nothing. Each class is therefore given
one factor that moves its share half the way to equality (``balance.half_way_factors``). A preference gives way to
factors near one, absent classes ask for large ones: the deviation of their logs is the pool's *resistance*.
"""

from __future__ import annotations

import torch

from clipgrip.mapped import like
from clipgrip.pseudolabel.refine.answers import RefineInput
from clipgrip.pseudolabel.refine.balance import half_way_factors, logits_of
from clipgrip.pseudolabel.refine.chunks import chunk_slices, even_sample
from clipgrip.pseudolabel.refine.evidence import Evidence
from clipgrip.pseudolabel.refine.settings import DEFAULT, Refinement
from clipgrip.types import Labels, Logits, Mask, Probs


def measure(given: RefineInput, lost_before: float | None = None) -> Evidence:
    """The evidence before any attempt."""
    probs, settings = given.unlabeled_probs, given.settings
    n_classes = int(given.candidates.sum())
    logits = standard_logits(probs, settings)
    factors = half_way_factors(logits, settings)
    labeled = int(given.candidates[given.probs[given.labeled].argmax(1)].sum())
    return Evidence(
        n_unlabeled=len(probs),
        n_classes=n_classes,
        images_per_class=(len(probs) + labeled) / n_classes,
        confidence=mean_confidence(given.confidence_probs),
        standard_confidence=mean_confidence(logits.softmax(1)),
        resistance=None if factors is None else float(factors.std()),
        prototypes=given.prototypes,
        undivided=given.undivided,
        lost_before=lost_before,
    )


def mean_confidence(probs: Probs) -> float:
    """Mean of the highest probability; 0 of no image."""
    if not probs.numel():
        return 0.0
    parts = [probs[rows].max(1).values.float() for rows in chunk_slices(len(probs), over=(probs,))]
    return float(torch.cat(parts).mean())


def standard_logits(probs: Probs, settings: Refinement = DEFAULT) -> Logits:
    """(n, C) logits at one spread, whatever scale made the probabilities.

    Of many images an even sample answers. Where no image differs from another there is no spread, and the logits stay
    as they are.
    """
    logits = logits_of(even_sample(probs, settings.decision_sample))
    return logits * (settings.logit_spread / (_spread(logits) or settings.logit_spread))


def at_fitting_scale(probs: Probs, settings: Refinement = DEFAULT) -> Probs:
    """(N, C) at the standard spread, if their own is more than ``max_spread_ratio`` off; else as they are."""
    spread = _spread(logits_of(even_sample(probs, settings.decision_sample)))
    most = settings.max_spread_ratio
    if not spread or 1 / most <= spread / settings.logit_spread <= most:
        return probs
    scaled = like(probs)
    for rows in chunk_slices(len(probs), over=(probs, scaled)):
        scaled[rows] = (logits_of(probs[rows]) * (settings.logit_spread / spread)).softmax(1)
    return scaled


def _spread(logits: Logits) -> float:
    """Deviation over the classes, apart from what all images share; 0 where there is none to speak of."""
    if logits.shape[1] < 2 or len(logits) < 2:
        return 0.0
    spread = float((logits - logits.mean(0)).std(1).mean())
    return spread if spread > 1e-3 else 0.0


def present_classes(answers: Probs, settings: Refinement = DEFAULT) -> Mask:
    """Classes (C,) that are the answer of at least ``absent_share`` of a fair share of the images (n, C).

    Of answers that neighbours agreed on: a text that no image fits takes single images from many classes, of which
    the neighbours are of another; its soft share may be larger than that of a rare class.
    """
    counts = torch.bincount(best_of(answers), minlength=answers.shape[1])
    return counts >= settings.absent_share * len(answers) / answers.shape[1]


def damp_absent(probs: Probs, present: Mask, settings: Refinement = DEFAULT) -> Probs:
    """The absent classes lose most of their probability; rows still sum to one."""
    weights, damped = torch.where(present, 1.0, settings.absent_weight), like(probs)
    for rows in chunk_slices(len(probs), over=(probs, damped)):
        weighted = probs[rows].float() * weights
        damped[rows] = weighted / weighted.sum(1, keepdim=True)
    return damped


def best_of(probs: Probs) -> Labels:
    """(n,) the class of each row."""
    parts = [probs[rows].argmax(1) for rows in chunk_slices(len(probs), over=(probs,))]
    return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.long)


def lost_share(given: RefineInput, now: Probs) -> float:
    """The largest share of the unlabeled images that one class has lost since zero-shot."""
    first = given.probs if given.zero_shot is None else given.zero_shot
    before, after = (best_of(given.restricted(p, given.candidates)) for p in (first, now))
    lost = torch.bincount(before[before != after], minlength=1)
    return float(lost.max()) / len(before)
