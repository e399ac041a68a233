"""Balance, mixture and discriminants in turn, with the class shares that they find."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from clipgrip.mapped import like, logits_like
from clipgrip.pseudolabel.refine.answers import Refined, RefineInput
from clipgrip.pseudolabel.refine.balance import logits_of, sinkhorn, sure_prior
from clipgrip.pseudolabel.refine.chunks import CHUNK, chunk_slices, computed, even_sample, put
from clipgrip.pseudolabel.refine.discriminant import discriminant, tempered
from clipgrip.pseudolabel.refine.measure import best_of, damp_absent
from clipgrip.pseudolabel.refine.mixture import mixture
from clipgrip.pseudolabel.refine.scale import spread
from clipgrip.pseudolabel.refine.space import Pool
from clipgrip.types import Logits, Mask, Probs, SomeProbs

TINY = 1e-12
ClusterPrior = Float[Tensor, " K"]
ClusterProbs = Float[Tensor, "n K"]
"""Of the unlabeled images, over the K candidates that have a cluster."""


def clustered(given: RefineInput) -> Refined:
    """Balance, mixture, discriminants; then again with the class shares that came out.

    Classes that are not there have no cluster; they keep what the text gives them.
    """
    images = given.images
    labels = torch.where(given.labeled, given.probs.argmax(1), -1)
    pool = Pool(images.projected, images.graph, labels, images.settings)
    if given.prototype_embeds is not None:
        own = given.text_images or images
        prototypes = own.subspace.project(given.prototype_embeds)
        projected = pool.images if own is images else own.projected
        given = _rescored_in_subspace(given, projected, prototypes)
    present = _present(given)
    prior = sure_prior(given.unlabeled_probs)[present[given.candidates]]
    shares = mean_answer(_cluster_once(given, pool, prior / prior.sum(), present))
    answers = _cluster_once(given, pool, shares, present)
    return Refined(given.with_unlabeled(_with_absent(given, answers, present)), "clusters")


def _rescored_in_subspace(given: RefineInput, images: Tensor, prototypes: Tensor) -> RefineInput:
    """The answers of prototypes (C, d) among images (N, d) of the subspace, where they know more."""
    probs, scale = like(given.probs), _scale_in_subspace(given, images, prototypes)

    def rescore(rows: slice) -> None:
        logits = images[rows].float() @ (scale * prototypes.float()).T
        answers = logits.masked_fill(~given.candidates, -torch.inf).softmax(1)
        before = given.probs[rows].float()
        probs[rows] = torch.where(given.labeled[rows, None], before, answers)

    put(rescore, chunk_slices(len(probs)), over=(probs, images, given.probs))
    rescored = replace(given, probs=probs)
    if given.present is None:
        return rescored
    present = given.present[given.candidates]
    damped = damp_absent(rescored.unlabeled_probs, present, given.settings)
    return replace(rescored, probs=rescored.with_unlabeled(damped))


def _scale_in_subspace(given: RefineInput, images: Tensor, prototypes: Tensor) -> float:
    """The logit scale at which prototypes answer as they did: cosines spread wider in the subspace."""
    rows = even_sample(
        (~given.labeled).nonzero().squeeze(1), given.settings.numerics.decision_sample
    )
    texts = prototypes[given.candidates].float().T
    cosines = torch.cat([images[part].float() @ texts for part in rows.split(CHUNK)])
    before = spread(logits_of(given.probs[rows][:, given.candidates]))
    now = spread(cosines)
    return before / now if before and now else given.settings.prototype_logit_scale


def _present(given: RefineInput) -> Mask:
    """Classes (C,) that have a cluster."""
    present = given.present
    return given.candidates if present is None or int(present.sum()) < 2 else present


def _with_absent(given: RefineInput, answers: ClusterProbs, present: Mask) -> SomeProbs:
    """Clusters share what the text leaves them; classes without a cluster keep what the text gives them."""
    columns = present[given.candidates]
    if bool(columns.all()):
        return answers
    text = given.unlabeled_probs
    whole, positions = like(text), columns.nonzero().squeeze(1)

    def share(rows: slice) -> None:
        part = text[rows].float()
        left = part[:, columns].sum(1, keepdim=True)
        whole[rows] = part.index_copy(1, positions, answers[rows].float() * left)

    put(share, chunk_slices(len(text)), over=(text, answers, whole))
    return whole


def _cluster_once(
    given: RefineInput, pool: Pool, prior: ClusterPrior, present: Mask
) -> ClusterProbs:
    """(n, K) over the classes that are there, as sure as the two ways to see the clusters agree."""
    shares = sinkhorn(_among(given, present), prior, given.settings)
    balanced = given.with_unlabeled(shares, present)
    text = _log(balanced)
    first = mixture(pool, balanced, text)
    del shares, balanced  # of a million images each of these is 400 MB
    answers = best_of(given.restricted(first, present))
    logits = given.restricted(discriminant(pool, first, text), present)
    del first, text
    agreement = (answers == best_of(logits)).float().mean()
    return tempered(logits, float(agreement), given.settings)


def _among(given: RefineInput, present: Mask) -> ClusterProbs:
    """(n, K) what the text says of these classes alone."""
    columns = present[given.candidates]
    if bool(columns.all()):
        return given.unlabeled_probs
    text, shape = given.unlabeled_probs, (len(given.unlabeled_probs), int(columns.sum()))
    among = like(text, shape)

    def pick(rows: slice) -> None:
        part = text[rows][:, columns].float()
        among[rows] = part / part.sum(1, keepdim=True).clamp_min(TINY)

    put(pick, chunk_slices(len(text)), over=(text, among))
    return among


def _log(probs: Probs) -> Logits:
    logs = logits_like(probs)

    def take(rows: slice) -> None:
        logs[rows] = probs[rows].float().clamp_min(TINY).log()

    put(take, chunk_slices(len(probs)), over=(probs, logs))
    return logs


def mean_answer(probs: SomeProbs) -> ClusterPrior:
    """(K,) how often each class is answered."""
    sums = torch.zeros(probs.shape[1], dtype=torch.float64)
    parts = chunk_slices(len(probs))
    for some in computed(lambda rows: probs[rows].float().sum(0), parts, over=(probs,)):
        sums += some
    return (sums / len(probs)).float()
