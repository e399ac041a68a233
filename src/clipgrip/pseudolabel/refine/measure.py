"""Measuring the evidence of a pool; and which classes are absent from it.

A zero-shot model prefers some classes to others, so unequal answers alone prove nothing. Each class is therefore given
one factor that moves its share half the way to equality (``balance.half_way_factors``). A preference gives way to
factors near one, absent classes ask for large ones: the deviation of their logs is the pool's *resistance*.
"""

from __future__ import annotations

import torch

from clipgrip.pseudolabel.refine.answers import RefineInput
from clipgrip.pseudolabel.refine.balance import half_way_factors, logits_of
from clipgrip.pseudolabel.refine.chunks import even_sample
from clipgrip.pseudolabel.refine.evidence import Evidence
from clipgrip.pseudolabel.refine.settings import DEFAULT, Refinement
from clipgrip.types import Logits, Mask, Probs


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
    return float(probs.max(1).values.mean()) if probs.numel() else 0.0


def standard_logits(probs: Probs, settings: Refinement = DEFAULT) -> Logits:
    """(n, C) logits at one spread, whatever scale made the probabilities.

    Of many images an even sample answers. Where no image differs from another there is no spread, and the logits stay
    as they are.
    """
    logits = logits_of(even_sample(probs, settings.numerics.decision_sample))
    return logits * (settings.logit_spread / (_spread(logits) or settings.logit_spread))


def at_fitting_scale(probs: Probs, settings: Refinement = DEFAULT) -> Probs:
    """(N, C) at the standard spread, if their own is more than ``max_spread_ratio`` off; else as they are."""
    spread = _spread(logits_of(even_sample(probs, settings.numerics.decision_sample)))
    most = settings.max_spread_ratio
    if not spread or 1 / most <= spread / settings.logit_spread <= most:
        return probs
    return (logits_of(probs) * (settings.logit_spread / spread)).softmax(1)


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
    counts = torch.bincount(answers.argmax(1), minlength=answers.shape[1])
    return counts >= settings.absent_share * len(answers) / answers.shape[1]


def damp_absent(probs: Probs, present: Mask, settings: Refinement = DEFAULT) -> Probs:
    """The absent classes lose most of their probability; rows still sum to one."""
    weighted = probs * torch.where(present, 1.0, settings.absent_weight).to(probs.dtype)
    return weighted / weighted.sum(1, keepdim=True)


def lost_share(given: RefineInput, now: Probs) -> float:
    """The largest share of the unlabeled images that one class has lost since zero-shot."""
    first = given.probs if given.zero_shot is None else given.zero_shot
    before, after = (given.restricted(p, given.candidates).argmax(1) for p in (first, now))
    lost = torch.bincount(before[before != after], minlength=1)
    return float(lost.max()) / len(before)
