"""Measure the evidence that `decide` reads, and find out which classes are absent from the pool.

A zero-shot model prefers some classes to others, so unequal answers alone do not prove that the classes are unequally
frequent. Each class is therefore given one factor that moves its share half the way to equality
(``balance.half_way_factors``). A mere preference is undone by factors near one; a class that is rare or absent needs a
large one. The standard deviation of the factors' logs is the pool's *resistance* to equal shares.
"""

from __future__ import annotations

import torch

from clipgrip.mapped import like
from clipgrip.pseudolabel.refine.answers import RefineInput
from clipgrip.pseudolabel.refine.balance import HALF, half_way_factors
from clipgrip.pseudolabel.refine.chunks import chunk_slices, computed, put
from clipgrip.pseudolabel.refine.decide import Evidence
from clipgrip.pseudolabel.refine.scale import standard_logits
from clipgrip.pseudolabel.refine.settings import DEFAULT, Refinement
from clipgrip.types import Labels, Mask, Probs


def measure(given: RefineInput, lost_before: float | None = None) -> Evidence:
    """The evidence before any refinement is tried; ``lost_before`` as in `Evidence`."""
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
    """Mean highest probability of a row; 0 without rows."""
    if not probs.numel():
        return 0.0
    parts = chunk_slices(len(probs))
    highest = computed(lambda rows: probs[rows].max(1).values.float(), parts, over=(probs,))
    return float(torch.cat(list(highest)).mean())


def present_classes(answers: Probs, settings: Refinement = DEFAULT) -> Mask:
    """(C,) the classes that at least ``absent_share`` / C of the images have as their answer, by ``answers`` (n, C).

    The answers must have been propagated among neighbours. The text of an absent class attracts single images of many
    classes, and their neighbours outvote it; by its raw probability mass it could pass for a rare class.
    """
    counts = torch.bincount(best_of(answers), minlength=answers.shape[1])
    return counts >= settings.absent_share * len(answers) / answers.shape[1]


def damp_absent(probs: Probs, present: Mask, settings: Refinement = DEFAULT) -> Probs:
    """(N, C) with absent classes multiplied by ``absent_share ** HALF``, and rows summing to one again.

    That is half the way, geometrically, down to the share below which a class counts as absent: which classes are is
    only an estimate.
    """
    weights, damped = torch.where(present, 1.0, settings.absent_share**HALF), like(probs)

    def damp(rows: slice) -> None:
        weighted = probs[rows].float() * weights
        damped[rows] = weighted / weighted.sum(1, keepdim=True)

    put(damp, chunk_slices(len(probs)), over=(probs, damped))
    return damped


def best_of(probs: Probs) -> Labels:
    """(n,) the most probable class of each row, a chunk at a time."""
    every = chunk_slices(len(probs))
    parts = list(computed(lambda rows: probs[rows].argmax(1), every, over=(probs,)))
    return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.long)


def lost_share(given: RefineInput, now: Probs) -> float:
    """The largest share of the unlabeled images that left one class between zero-shot's answers and ``now`` (N, C)."""
    zero_shot = given.probs if given.zero_shot is None else given.zero_shot
    before, after = (best_of(given.restricted(p, given.candidates)) for p in (zero_shot, now))
    lost = torch.bincount(before[before != after], minlength=1)
    return float(lost.max()) / len(before)
