"""Measure the pool, decide what it bears, apply it: from its size, its answers and what they resist; no truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from clipgrip.pseudolabel.refine.answers import Refined, RefineInput
from clipgrip.pseudolabel.refine.clusters import clustered
from clipgrip.pseudolabel.refine.decide import (
    Attempt,
    absence_is_clear,
    accept,
    has_gone_astray,
    ladder,
)
from clipgrip.pseudolabel.refine.evidence import Evidence, Trial
from clipgrip.pseudolabel.refine.measure import (
    at_fitting_scale,
    cut_links,
    damp_absent,
    lost_share,
    measure,
    present_classes,
)
from clipgrip.pseudolabel.refine.reasons import ABSENT, PER_CLASS, PER_PRESENT, Reason
from clipgrip.pseudolabel.refine.simple import balanced_assignment, half_balanced, untouched
from clipgrip.types import Mask, Probs


def auto(given: RefineInput) -> Refined:
    """The first attempt of the ladder that is accepted, with the evidence and the reasons."""
    settings, lost = given.settings, None
    if given.zero_shot is not None:
        lost = lost_share(given, given.probs)
        if has_gone_astray(lost, int(given.candidates.sum()), settings):
            given = replace(given, probs=given.zero_shot)
    scaled = _at_fitting_scale(given)
    evidence = measure(scaled, lost)
    if absence_is_clear(evidence, settings):
        present = _present(scaled)
        evidence = replace(evidence, n_present=int(present.sum()))
        if evidence.some_absent:
            given = scaled = _damped(scaled, present)
    return _first_accepted(given, scaled, evidence)


def _first_accepted(given: RefineInput, scaled: RefineInput, evidence: Evidence) -> Refined:
    """``given`` are the answers to keep where nothing helps, ``scaled`` those to refine."""
    *attempts, last = ladder(evidence, given.settings)
    for attempt in attempts:
        found = _apply(attempt, given, scaled)
        trial = _trial(attempt, scaled, found.probs)
        evidence = replace(evidence, trials=(*evidence.trials, trial))
        if accept(attempt, trial):
            return replace(found, reasons=_why(attempt, evidence), evidence=evidence)
        del found  # of a million images its answers are as large as all that the next attempt needs
    found = _apply(last, given, scaled)
    return replace(found, reasons=_why(last, evidence), evidence=evidence)


def _apply(attempt: Attempt, given: RefineInput, scaled: RefineInput) -> Refined:
    if attempt.method == "clusters":
        return clustered(scaled, text_factor=attempt.text_factor)
    if attempt.method == "zero-shot":
        return untouched(given)
    methods: dict[str, Callable[[RefineInput], Refined]] = {
        "balance": balanced_assignment,
        "half-balance": half_balanced,
    }
    return methods[attempt.method](scaled)


def _trial(attempt: Attempt, scaled: RefineInput, now: Probs) -> Trial:
    cut = None if attempt.max_cut is None else cut_links(scaled, now)
    return Trial(attempt.method, attempt.text_factor, lost_share(scaled, now), cut)


def _why(attempt: Attempt, evidence: Evidence) -> tuple[Reason, ...]:
    chosen = () if attempt.reason is None else (Reason(attempt.reason),)
    if not evidence.some_absent:
        return (*chosen, Reason(PER_CLASS, n=round(evidence.images_per_class)))
    present, classes = evidence.n_present or 0, evidence.n_classes
    return (
        Reason(ABSENT, absent=classes - present, classes=classes),
        Reason(PER_PRESENT, n=round(evidence.n_unlabeled / present)),
        *chosen,
    )


def _at_fitting_scale(given: RefineInput) -> RefineInput:
    """Answers that are far too sure or far too doubtful are rescaled; confidence is then read from these."""
    probs = given.unlabeled_probs
    answers = at_fitting_scale(probs, given.settings)
    if answers is probs:
        return given
    return replace(given, probs=given.with_unlabeled(answers), probs_at_given_scale=None)


def _present(scaled: RefineInput) -> Mask:
    """Candidates (C,) that the pool holds; labeled classes always."""
    present = scaled.candidates.clone()
    present[scaled.candidates] = present_classes(scaled.unlabeled_probs, scaled.settings)
    present[scaled.probs[scaled.labeled].argmax(1)] = True
    return present & scaled.candidates


def _damped(scaled: RefineInput, present: Mask) -> RefineInput:
    """The input with less probability for absent classes, at both scales."""
    among, settings, at_given = present[scaled.candidates], scaled.settings, None
    if scaled.probs_at_given_scale is not None:
        surer = replace(scaled, probs=scaled.probs_at_given_scale)
        at_given = surer.with_unlabeled(damp_absent(scaled.confidence_probs, among, settings))
    damped = scaled.with_unlabeled(damp_absent(scaled.unlabeled_probs, among, settings))
    return replace(scaled, probs=damped, probs_at_given_scale=at_given, present=present)
