"""Several models or prompts answer the same images: one answer from all of them, and how far they disagree."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipgrip.errors import DataError
from clipgrip.pseudolabel.refine.balance import sinkhorn, sure_prior
from clipgrip.sentences import mark
from clipgrip.types import Probs

Ballots = Float[Tensor, "M N C"]
"""Each model's probabilities."""
Votes = Int[Tensor, "M N"]
"""Each model's class for each image; -1 where it gave none."""
Weights = Float[Tensor, " M"]
"""How much each model counts; they sum to one."""
SMOOTHING = 0.01
"""Added to each cell of a confusion matrix, so that one odd vote cannot rule a class out."""
STEPS, TOLERANCE = 100, 1e-6
"""Steps of EM at most; it ends where no probability changes by as much."""


def family_weights(families: Sequence[str]) -> Weights:
    """One vote per family of encoders, shared by its members, because these make the same errors."""
    votes = torch.tensor([1 / families.count(family) for family in families], dtype=torch.double)
    return votes / votes.sum()


def pooled(ballots: Ballots, weights: Weights) -> Probs:
    """(N, C) weighted geometric mean of the probabilities, which must be calibrated: overconfident models dominate."""
    logs = ballots.double().clamp_min(1e-30).log()
    return torch.einsum("m,mnc->nc", weights.double(), logs).softmax(1).to(ballots.dtype)


def averaged(ballots: Ballots, weights: Weights) -> Probs:
    """(N, C) weighted arithmetic mean of the probabilities, in which no single model can rule out a class."""
    return torch.einsum("m,mnc->nc", weights.double(), ballots.double()).to(ballots.dtype)


def agreement_weights(ballots: Ballots, families: Sequence[str]) -> Weights:
    """Family weights times each model's agreement, beyond chance, with the pooled answer.

    The pooled answer is balanced to `sure_prior`, so that a class which all models neglect still occurs in it. A model
    that agrees no better than chance gets 0; if all do, the family weights stay.
    """
    even = family_weights(families)
    answer = pooled(ballots, even)
    reference = sinkhorn(answer, sure_prior(answer)).argmax(1)
    share = (ballots.argmax(2) == reference).double().mean(1)
    chance = 1 / ballots.shape[2]
    skill = ((share - chance) / (1 - chance)).clamp_min(0)
    weights = skill * even
    return weights / weights.sum() if weights.sum() > 0 else even


def disagreement(ballots: Ballots, weights: Weights) -> Float[Tensor, " N"]:
    """(N,) Jensen–Shannon divergence of the models' distributions over its largest value, the entropy of the weights.

    0 where all models give the same probabilities, 1 where each is certain of another class.
    """
    most = _entropy(weights.double()[None, :])[0]
    if most <= 0:
        return torch.zeros(ballots.shape[1])
    each = torch.stack([_entropy(probs) for probs in ballots.double()])
    gap = _entropy(averaged(ballots.double(), weights)) - weights.double() @ each
    return (gap / most).clamp(0, 1).float()


def dawid_skene(votes: Votes, classes: int, *, weights: Weights | None = None) -> Probs:
    """Class probabilities (N, C) by EM over votes with a confusion matrix for each model.

    Source: Dawid & Skene, Applied Statistics 1979, eqs. 2.3 to 2.5, started from the shares of votes. ``weights``, over
    the largest of them, are exponents of the models' likelihoods: two models with half a vote each count as one.
    DataError: an image has no vote.
    """
    onehot = torch.nn.functional.one_hot(votes.clamp_min(0), classes).double()
    onehot = onehot * (votes >= 0)[..., None]
    if (onehot.sum((0, 2)) == 0).any():
        raise DataError(
            mark(
                "an image has no vote of any model. Leave it out, or let at least one model answer it."
            )
        )
    share = torch.ones(len(votes)) if weights is None else weights / weights.max()
    probs = torch.einsum("m,mnc->nc", share.double(), onehot)
    probs = probs / probs.sum(1, keepdim=True)
    for _ in range(STEPS):
        prior, confusions = _maximised(onehot, probs)
        found = _expected(onehot, share.double(), prior, confusions)
        change = (found - probs).abs().max().item()
        probs = found
        if change < TOLERANCE:
            break
    return probs


def _maximised(onehot: Tensor, probs: Tensor) -> tuple[Tensor, Tensor]:
    confusions = torch.einsum("nj,mnl->mjl", probs, onehot) + SMOOTHING
    return probs.mean(0), confusions / confusions.sum(2, keepdim=True)


def _expected(onehot: Tensor, share: Tensor, prior: Tensor, confusions: Tensor) -> Tensor:
    logs = confusions.clamp_min(1e-30).log()
    likelihood = torch.einsum("m,mnl,mjl->nj", share, onehot, logs)
    return (likelihood + prior.clamp_min(1e-30).log()).softmax(1)


def _entropy(probs: Tensor) -> Tensor:
    return -torch.xlogy(probs, probs).sum(-1)
