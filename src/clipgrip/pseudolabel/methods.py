"""The simple refinements: nothing, equal shares or half the way, the model's own sure shares, propagation."""

from __future__ import annotations

from clipgrip.pseudolabel.balance import sinkhorn, sure_prior, uniform
from clipgrip.pseudolabel.presence import half_way
from clipgrip.pseudolabel.propagation import propagate
from clipgrip.pseudolabel.start import Refined, Start


def untouched(start: Start) -> Refined:
    return Refined(start.probs if start.believed is None else start.believed, "zero-shot")


def balanced_assignment(start: Start) -> Refined:
    prior = uniform(int(start.candidates.sum()))
    return Refined(start.with_open(sinkhorn(start.open, prior)), "balance")


def half_balanced(start: Start) -> Refined:
    return Refined(start.with_open(half_way(start.open)), "half-balance")


def own_prior(start: Start) -> Refined:
    answers = sinkhorn(start.open, sure_prior(start.trusted))
    return Refined(start.with_open(answers), "prior")


def propagated(start: Start) -> Refined:
    answers = propagate(start.images.graph, start.probs, start.fixed)
    open_answers = answers[~start.fixed][:, start.candidates]
    open_answers = open_answers / open_answers.sum(1, keepdim=True).clamp_min(1e-12)
    return Refined(start.with_open(open_answers), "propagation")
