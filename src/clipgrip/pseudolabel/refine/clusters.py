"""Clusters of similar images that start from the text's answers: balance, then a mixture, then discriminants."""

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
"""Answers of the unlabeled images over the K candidates that have a cluster."""


def clustered(given: RefineInput) -> Refined:
    """The cluster models twice: first with the text's class shares, then with the shares of the first pass's answers.

    Classes taken to be absent get no cluster; they keep the probability that the text gives them.
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
    """The input with the answers of prototypes (C, d) among images (N, d), both projected into the subspace.

    There a few images of a class say more than in the full space, because what differs within classes is left out.
    """
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
    """The logit scale at which logits spread as before: in the subspace, cosines spread wider."""
    rows = even_sample(
        (~given.labeled).nonzero().squeeze(1), given.settings.numerics.decision_sample
    )
    texts = prototypes[given.candidates].float().T
    cosines = torch.cat([images[part].float() @ texts for part in rows.split(CHUNK)])
    before = spread(logits_of(given.probs[rows][:, given.candidates]))
    now = spread(cosines)
    return before / now if before and now else given.settings.prototype_logit_scale


def _present(given: RefineInput) -> Mask:
    """(C,) the classes that get a cluster: those present, unless that would be fewer than two."""
    present = given.present
    return given.candidates if present is None or int(present.sum()) < 2 else present


def _with_absent(given: RefineInput, answers: ClusterProbs, present: Mask) -> SomeProbs:
    """(n, C') over all candidates: absent classes keep the text's probability, the clusters share what is left."""
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
    """(n, K) over the classes that have a cluster, from a class ``prior`` (K,).

    The mixture's and the discriminants' answers agree on a share of the images; that is what the mean confidence is set
    to, since neither model's own confidence means anything in so many dimensions.
    """
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
    """(n, K) the text's answers over the classes that have a cluster, summing to one."""
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
    """(K,) the mean of the rows: each class's share of the answers."""
    sums = torch.zeros(probs.shape[1], dtype=torch.float64)
    parts = chunk_slices(len(probs))
    for some in computed(lambda rows: probs[rows].float().sum(0), parts, over=(probs,)):
        sums += some
    return (sums / len(probs)).float()
