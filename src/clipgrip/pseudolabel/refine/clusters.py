"""Balance, mixture and discriminants in turn, with the class shares that they find."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from clipgrip.pseudolabel.refine.answers import Refined, RefineInput
from clipgrip.pseudolabel.refine.balance import overruled, sinkhorn, sure_prior, uniform
from clipgrip.pseudolabel.refine.chunks import chunk_slices, even_sample
from clipgrip.pseudolabel.refine.discriminant import discriminant, tempered
from clipgrip.pseudolabel.refine.measure import damp_absent, mean_confidence
from clipgrip.pseudolabel.refine.mixture import mixture
from clipgrip.pseudolabel.refine.space import Pool
from clipgrip.types import Logits, Mask, Probs, SomeProbs

TINY = 1e-12


def clustered(given: RefineInput, *, text_factor: float = 1.0) -> Refined:
    """Balance, mixture, discriminants; then again with the class shares that came out.

    ``text_factor`` times the weight λ of the text. Classes of which the text expects no image are not modelled.
    """
    images, settings = given.images, given.settings
    labels = torch.where(given.labeled, given.probs.argmax(1), -1)
    pool = Pool(images.projected, images.graph, labels, settings)
    if given.prototype_embeds is not None:
        prototypes = images.subspace.project(given.prototype_embeds)
        given = _rescored_in_subspace(given, pool.images, prototypes)
    modelled, first = _expected(given), _first_prior(given)
    prior_weight = settings.prototype_prior_weight if given.prototypes else 1.0
    prior = _among(first, modelled[given.candidates])
    answers = _cluster_once(given, pool, prior, modelled, text_factor)
    without_overgrown = modelled & ~_overgrown(given, answers, modelled)
    if without_overgrown.sum() not in (0, 1, modelled.sum()):
        modelled, prior = without_overgrown, _among(first, without_overgrown[given.candidates])
        answers = _cluster_once(given, pool, prior, modelled, text_factor)
    for _ in range(settings.cluster_rounds - 1):
        prior = (1 - prior_weight) * prior + prior_weight * answers.mean(0)
        del answers  # as large as all else that a round needs
        answers = _cluster_once(given, pool, prior, modelled, text_factor)
    return Refined(given.with_unlabeled(_with_rare(given, answers, modelled)), "clusters")


def _rescored_in_subspace(given: RefineInput, images: Tensor, prototypes: Tensor) -> RefineInput:
    """The answers of prototypes (C, d) among images (N, d) of the subspace, where they know more."""
    probs, scale = torch.empty_like(given.probs), given.settings.prototype_subspace_scale
    for rows in chunk_slices(len(probs)):
        logits = scale * images[rows].float() @ prototypes.float().T
        answers = logits.masked_fill(~given.candidates, -torch.inf).softmax(1)
        probs[rows] = torch.where(given.labeled[rows, None], given.probs[rows], answers)
    rescored = replace(given, probs=probs, probs_at_given_scale=None)
    if given.present is None:
        return rescored
    present = given.present[given.candidates]
    damped = damp_absent(rescored.unlabeled_probs, present, given.settings)
    return replace(rescored, probs=rescored.with_unlabeled(damped))


def _among(prior: Tensor, classes: Mask) -> Tensor:
    """The prior of some of the classes."""
    return prior[classes] / prior[classes].sum()


def _overgrown(given: RefineInput, answers: SomeProbs, modelled: Mask) -> Mask:
    """Classes (C,) that took far more images than a sure text expects: parts of a neighbour's cluster."""
    grown, settings = torch.zeros_like(modelled), given.settings
    if given.prototypes or mean_confidence(given.confidence_probs) < settings.sure_confidence:
        return grown
    expected = given.confidence_probs.sum(0)[modelled[given.candidates]]
    counts = torch.bincount(answers.argmax(1), minlength=answers.shape[1])
    grown[modelled] = counts > settings.overgrown_factor * expected + settings.overgrown_images
    return grown


def _expected(given: RefineInput) -> Mask:
    """Classes (C,) of which a text expects an image at least; the others have no cluster to find."""
    expected = (given.candidates if given.present is None else given.present).clone()
    if given.prototypes:
        return expected
    sums = given.confidence_probs.sum(0)
    expected[given.candidates] &= sums >= given.settings.min_expected_images
    labeled = given.probs[given.labeled].argmax(1)
    expected[labeled] = given.candidates[labeled]
    return expected if int(expected.sum()) > 1 else given.candidates


def _with_rare(given: RefineInput, answers: Float[Tensor, "n K"], modelled: Mask) -> SomeProbs:
    """Clusters share what the text leaves them; classes without a cluster keep what the text gives them."""
    columns = modelled[given.candidates]
    if bool(columns.all()):
        return answers
    whole = given.unlabeled_probs.clone()
    whole[:, columns] = answers * given.unlabeled_probs[:, columns].sum(1, keepdim=True)
    return whole


def _cluster_once(
    given: RefineInput, pool: Pool, prior: Tensor, modelled: Mask, text_factor: float
) -> SomeProbs:
    """(n, K) over the modelled classes, as sure as the two ways to see the clusters agree."""
    shares = sinkhorn(_unlabeled_among(given, modelled), prior, given.settings)
    balanced = given.with_unlabeled(shares, modelled)
    text = _log(balanced, text_factor * _text_weight(given))
    first = mixture(pool, balanced, text)
    del shares, balanced  # of a million images each of these is 400 MB
    answers = given.restricted(first, modelled).argmax(1)
    logits = given.restricted(discriminant(pool, first, text), modelled)
    del first, text
    agreement = (answers == logits.argmax(1)).float().mean()
    return tempered(logits, float(agreement), given.settings)


def _unlabeled_among(given: RefineInput, modelled: Mask) -> SomeProbs:
    """(n, K) what the text says of the modelled classes alone."""
    columns = modelled[given.candidates]
    if bool(columns.all()):
        return given.unlabeled_probs
    among = given.unlabeled_probs[:, columns]
    return among / among.sum(1, keepdim=True).clamp_min(TINY)


def _log(probs: Probs, weight: float) -> Logits:
    """λ log of the probabilities."""
    logs = torch.empty_like(probs)
    for rows in chunk_slices(len(probs)):
        logs[rows] = weight * probs[rows].clamp_min(TINY).log()
    return logs


def _text_weight(given: RefineInput) -> float:
    """λ from 1 at a mean confidence of 0.75 to 4 near certainty: sure texts are not to be talked over."""
    error, settings = 1 - mean_confidence(given.confidence_probs) + 1e-6, given.settings
    return min(max(settings.text_weight_error / error, 1.0), settings.max_text_weight)


def _uniform_fits(given: RefineInput) -> bool:
    """Whether the uniform prior leaves the sure answers of a text alone."""
    if given.prototypes:
        return False
    settings = given.settings
    before, sure = (
        even_sample(probs, settings.decision_sample)
        for probs in (given.unlabeled_probs, given.confidence_probs)
    )
    even = sinkhorn(before, uniform(int(given.candidates.sum())), settings)
    return overruled(sure, even, settings) <= settings.max_overruled


def _first_prior(given: RefineInput) -> Tensor:
    settings = given.settings
    if _uniform_fits(given):
        return uniform(int(given.candidates.sum()))
    power = settings.prior_confidence_power
    if given.prototypes:
        power = settings.prototype_confidence_power
    return sure_prior(given.confidence_probs, power)
