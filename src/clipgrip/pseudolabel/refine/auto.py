"""Measure the pool, decide what it bears, apply it: from its size, its answers and what they resist; no truth."""

from __future__ import annotations

from dataclasses import replace

from clipgrip.pseudolabel.refine.answers import Refined, RefineInput
from clipgrip.pseudolabel.refine.clusters import clustered
from clipgrip.pseudolabel.refine.cotraining import cotrained
from clipgrip.pseudolabel.refine.decide import (
    KEEP_WHOLE,
    Choice,
    absence_is_clear,
    accept,
    decide,
    has_gone_astray,
)
from clipgrip.pseudolabel.refine.evidence import Evidence
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

ATTEMPTS = {"joined": (clustered,), "co-training": (cotrained, clustered)}
"""What is tried in turn until no class loses too many images by it."""


def auto(given: RefineInput) -> Refined:
    """What the evidence decides for, unless it splits up a class; with the evidence and the reasons."""
    settings, lost = given.settings, None
    if given.zero_shot is not None:
        lost = lost_share(given, given.probs)
        if has_gone_astray(lost, settings):
            given = replace(given, probs=given.zero_shot)
    scaled = _at_fitting_scale(given)
    evidence = measure(scaled, lost)
    if absence_is_clear(evidence, settings):
        present = _present(scaled)
        evidence = replace(evidence, n_present=int(present.sum()))
        if evidence.some_absent:
            scaled = _damped(scaled, present)
    choice = decide(evidence, settings)
    if choice.method in ATTEMPTS:
        for attempt in ATTEMPTS[choice.method]:
            found = attempt(scaled)
            lost = lost_share(scaled, found.probs)
            evidence = replace(evidence, lost_share=lost)
            if not accept(lost, settings):
                continue
            if found.method == "clusters":
                found = join(scaled, found.probs, evidence.images_per_cluster)
            return replace(found, reasons=_why(choice, evidence), evidence=evidence)
        choice = KEEP_WHOLE
    methods = {"balance": balanced_assignment, "half-balance": half_balanced}
    apply = methods.get(choice.method)
    found = keep(given) if apply is None else apply(scaled)
    return replace(found, reasons=_why(choice, evidence), evidence=evidence)


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
    """Answers that are far too sure or far too doubtful are rescaled."""
    probs = given.unlabeled_probs
    answers = at_fitting_scale(probs, given.settings)
    if answers is probs:
        return given
    return replace(given, probs=given.with_unlabeled(answers))


def _present(scaled: RefineInput) -> Mask:
    """Candidates (C,) that the pool holds; labeled classes always."""
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
