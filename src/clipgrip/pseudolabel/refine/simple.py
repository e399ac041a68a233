"""The refinements without a model of the classes: none, equal shares, half the way there, label propagation."""

from __future__ import annotations

from clipgrip.pseudolabel.refine.answers import Refined, RefineInput
from clipgrip.pseudolabel.refine.balance import half_way, sinkhorn, uniform
from clipgrip.pseudolabel.refine.chunks import chunk_slices, put
from clipgrip.pseudolabel.refine.graph import propagate


def keep(given: RefineInput) -> Refined:
    """The answers as they were given, at the caller's logit scale."""
    at_given = given.probs_at_given_scale
    return Refined(given.probs if at_given is None else at_given, "zero-shot")


def balanced_assignment(given: RefineInput) -> Refined:
    """Each candidate is answered equally often (`balance.sinkhorn`)."""
    prior = uniform(int(given.candidates.sum()))
    answers = sinkhorn(given.unlabeled_probs, prior, given.settings)
    return Refined(given.with_unlabeled(answers), "balance")


def half_balanced(given: RefineInput) -> Refined:
    """The candidates' shares go half the way to equal ones (`balance.half_way`)."""
    answers = half_way(given.unlabeled_probs, given.settings)
    return Refined(given.with_unlabeled(answers), "half-balance")


def propagated(given: RefineInput) -> Refined:
    """Label propagation over the neighbour graph (`graph.propagate`)."""
    answers = propagate(given.images.graph, given.probs, given.labeled, given.settings)
    unlabeled = given.restricted(answers, given.candidates)

    def bring_to_one(rows: slice) -> None:
        part = unlabeled[rows].float()
        unlabeled[rows] = part / part.sum(1, keepdim=True).clamp_min(1e-12)

    put(bring_to_one, chunk_slices(len(unlabeled)), over=(unlabeled,))
    return Refined(given.with_unlabeled(unlabeled), "propagation")
