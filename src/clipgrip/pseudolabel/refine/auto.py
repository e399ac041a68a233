"""Measure the pool, decide what it bears, apply that: nothing here or below looks at a true label.

The whole walk of an answer: `measure.measure` makes the `Evidence`, `decide.decide` chooses from it, and `auto` calls
what was chosen: clusters or co-training (`ATTEMPTS`), equal class shares, or nothing (`simple`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from clipgrip.pseudolabel.refine.answers import Refined, RefineInput
from clipgrip.pseudolabel.refine.clusters import clustered
from clipgrip.pseudolabel.refine.cotraining import cotrained
from clipgrip.pseudolabel.refine.decide import (
    KEEP_WHOLE,
    Choice,
    Evidence,
    absence_is_clear,
    accept,
    decide,
    has_gone_astray,
)
from clipgrip.pseudolabel.refine.joined import join
from clipgrip.pseudolabel.refine.measure import damp_absent, lost_share, measure, present_classes
from clipgrip.pseudolabel.refine.reasons import ABSENT, PER_CLASS, PER_PRESENT, Reason
from clipgrip.pseudolabel.refine.scale import at_fitting_scale
from clipgrip.pseudolabel.refine.simple import (
    balanced_assignment,
    half_balanced,
    keep,
    propagated,
)
from clipgrip.types import Mask

Apply = Callable[[RefineInput], Refined]
ATTEMPTS: dict[str, tuple[Apply, ...]] = {
    "joined": (clustered,),
    "co-training": (cotrained, clustered),
}
"""What is tried in turn until no class loses too many images by it."""


def auto(given: RefineInput) -> Refined:
    """The refinement that the evidence speaks for, with the evidence and the reasons.

    Where clusters are rejected, or nothing is chosen, the answers come back as they were given, not rescaled.
    """
    lost_before = None if given.zero_shot is None else lost_share(given, given.probs)
    if given.zero_shot is not None and has_gone_astray(lost_before, given.settings):
        given = replace(given, probs=given.zero_shot)
    scaled, evidence = _measured(given, lost_before)
    choice = decide(evidence, given.settings)
    found = None
    if choice.method in ATTEMPTS:
        found, evidence = _first_accepted(ATTEMPTS[choice.method], scaled, evidence)
        choice = KEEP_WHOLE if found is None else choice
    elif choice.method == "balance":
        found = balanced_assignment(scaled)
    elif choice.method == "half-balance":
        found = half_balanced(scaled)
    return replace(found or keep(given), reasons=_why(choice, evidence), evidence=evidence)


def _measured(given: RefineInput, lost_before: float | None) -> tuple[RefineInput, Evidence]:
    """The evidence, and the input it is about: at a fitting scale, and less of classes that are clearly absent."""
    scaled = _at_fitting_scale(given)
    evidence = measure(scaled, lost_before)
    if not absence_is_clear(evidence, given.settings):
        return scaled, evidence
    present = _present(scaled)
    evidence = replace(evidence, n_present=int(present.sum()))
    return (_damped(scaled, present) if evidence.some_absent else scaled), evidence


def _first_accepted(
    attempts: tuple[Apply, ...], scaled: RefineInput, evidence: Evidence
) -> tuple[Refined | None, Evidence]:
    """The first attempt that splits up no class, or None; and what the last one tried took from a class."""
    for attempt in attempts:
        found = attempt(scaled)
        lost = lost_share(scaled, found.probs)
        evidence = replace(evidence, lost_share=lost)
        if accept(lost, scaled.settings):
            if found.method == "clusters":
                found = join(scaled, found.probs, evidence.images_per_cluster)
            return found, evidence
    return None, evidence


def _why(choice: Choice, evidence: Evidence) -> tuple[Reason, ...]:
    chosen = () if choice.reason is None else (Reason(choice.reason),)
    if not evidence.some_absent:
        return (*chosen, Reason(PER_CLASS, n=round(evidence.images_per_class)))
    present, classes = evidence.n_present or 0, evidence.n_classes
    return (
        Reason(ABSENT, absent=classes - present, classes=classes),
        Reason(PER_PRESENT, n=round(evidence.n_unlabeled / present)),
        *chosen,
    )


def _at_fitting_scale(given: RefineInput) -> RefineInput:
    """The input, its answers rescaled if they are far too confident or far too flat."""
    probs = given.unlabeled_probs
    answers = at_fitting_scale(probs, given.settings)
    if answers is probs:
        return given
    return replace(given, probs=given.with_unlabeled(answers))


def _present(scaled: RefineInput) -> Mask:
    """Candidates (C,) that the pool seems to hold; labeled classes always."""
    present = scaled.candidates.clone()
    near = scaled.restricted(propagated(scaled).probs, scaled.candidates)
    present[scaled.candidates] = present_classes(near, scaled.settings)
    present[scaled.probs[scaled.labeled].argmax(1)] = True
    return present & scaled.candidates


def _damped(scaled: RefineInput, present: Mask) -> RefineInput:
    """The input with less probability for absent classes."""
    among = present[scaled.candidates]
    damped = damp_absent(scaled.unlabeled_probs, among, scaled.settings)
    return replace(scaled, probs=scaled.with_unlabeled(damped), present=present)
