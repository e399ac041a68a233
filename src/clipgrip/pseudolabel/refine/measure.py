"""Measuring the evidence of a pool; and which classes are absent from it.

A zero-shot model prefers some classes to others, so unequal answers alone prove nothing. Each class is therefore given
one factor that moves its share half the way to equality (``balance.half_way_factors``). A preference gives way to
factors near one, absent classes ask for large ones: the deviation of their logs is the pool's *resistance*.
"""

from __future__ import annotations

import torch

from clipgrip.mapped import like
from clipgrip.pseudolabel.refine.answers import RefineInput
from clipgrip.pseudolabel.refine.balance import HALF, half_way_factors
from clipgrip.pseudolabel.refine.chunks import chunk_slices, computed, put
from clipgrip.pseudolabel.refine.evidence import Evidence
from clipgrip.pseudolabel.refine.scale import standard_logits
from clipgrip.pseudolabel.refine.settings import DEFAULT, Refinement
from clipgrip.types import Labels, Mask, Probs


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
        untaught_eyes=given.images.eye_columns > 0 and not bool(given.labeled.any()),
        undivided=given.undivided,
        lost_before=lost_before,
    )


def mean_confidence(probs: Probs) -> float:
    """Mean of the highest probability; 0 of no image."""
    if not probs.numel():
        return 0.0
    parts = chunk_slices(len(probs))
    highest = computed(lambda rows: probs[rows].max(1).values.float(), parts, over=(probs,))
    return float(torch.cat(list(highest)).mean())


def present_classes(answers: Probs, settings: Refinement = DEFAULT) -> Mask:
    """Classes (C,) that are the answer of at least ``absent_share`` of a fair share of the images (n, C).

    Of answers that neighbours agreed on: a text that no image fits takes single images from many classes, of which
    the neighbours are of another; its soft share may be larger than that of a rare class.
    """
    counts = torch.bincount(best_of(answers), minlength=answers.shape[1])
    return counts >= settings.absent_share * len(answers) / answers.shape[1]


def damp_absent(probs: Probs, present: Mask, settings: Refinement = DEFAULT) -> Probs:
    """The absent classes lose half the way (geometric) to the share below which they are absent; rows sum to one."""
    weights, damped = torch.where(present, 1.0, settings.absent_share**HALF), like(probs)

    def damp(rows: slice) -> None:
        weighted = probs[rows].float() * weights
        damped[rows] = weighted / weighted.sum(1, keepdim=True)

    put(damp, chunk_slices(len(probs)), over=(probs, damped))
    return damped


def best_of(probs: Probs) -> Labels:
    """(n,) the class of each row."""
    every = chunk_slices(len(probs))
    parts = list(computed(lambda rows: probs[rows].argmax(1), every, over=(probs,)))
    return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.long)


def lost_share(given: RefineInput, now: Probs) -> float:
    """The largest share of the unlabeled images that one class has lost since zero-shot."""
    first = given.probs if given.zero_shot is None else given.zero_shot
    before, after = (best_of(given.restricted(p, given.candidates)) for p in (first, now))
    lost = torch.bincount(before[before != after], minlength=1)
    return float(lost.max()) / len(before)
