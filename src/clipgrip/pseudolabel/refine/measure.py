"""Measuring the evidence of a pool; and which classes are absent from it.

A zero-shot model prefers some classes to others, so unequal answers alone prove nothing. Each class is therefore given
one factor that moves its share half the way to equality (``balance.half_way_factors``). A preference gives way to
factors near one, absent classes ask for large ones: the deviation of their logs is the pool's *resistance*.
"""

from __future__ import annotations

import torch

from clipgrip.pseudolabel.refine.answers import RefineInput
from clipgrip.pseudolabel.refine.balance import HALF, half_way_factors
from clipgrip.pseudolabel.refine.evidence import Evidence
from clipgrip.pseudolabel.refine.scale import standard_logits
from clipgrip.pseudolabel.refine.settings import DEFAULT, Refinement
from clipgrip.types import Mask, Probs


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
        confidence=mean_confidence(probs),
        standard_confidence=mean_confidence(logits.softmax(1)),
        resistance=None if factors is None else float(factors.std()),
        prototypes=given.prototypes,
        undivided=given.undivided,
        lost_before=lost_before,
    )


def mean_confidence(probs: Probs) -> float:
    """Mean of the highest probability; 0 of no image."""
    return float(probs.max(1).values.mean()) if probs.numel() else 0.0


def present_classes(answers: Probs, settings: Refinement = DEFAULT) -> Mask:
    """Classes (C,) that are the answer of at least ``absent_share`` of a fair share of the images (n, C).

    Of answers that neighbours agreed on: a text that no image fits takes single images from many classes, of which
    the neighbours are of another; its soft share may be larger than that of a rare class.
    """
    counts = torch.bincount(answers.argmax(1), minlength=answers.shape[1])
    return counts >= settings.absent_share * len(answers) / answers.shape[1]


def damp_absent(probs: Probs, present: Mask, settings: Refinement = DEFAULT) -> Probs:
    """The absent classes lose half the way (geometric) to the share below which they are absent; rows sum to one."""
    weight = settings.absent_share**HALF
    weighted = probs * torch.where(present, 1.0, weight).to(probs.dtype)
    return weighted / weighted.sum(1, keepdim=True)


def lost_share(given: RefineInput, now: Probs) -> float:
    """The largest share of the unlabeled images that one class has lost since zero-shot."""
    first = given.probs if given.zero_shot is None else given.zero_shot
    before, after = (given.restricted(p, given.candidates).argmax(1) for p in (first, now))
    lost = torch.bincount(before[before != after], minlength=1)
    return float(lost.max()) / len(before)
