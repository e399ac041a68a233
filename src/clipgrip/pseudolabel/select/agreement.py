"""Rules that choose an image if something else agrees with its answer: neighbours, other models, the last round."""

from __future__ import annotations

import torch
from torch import Tensor

from clipgrip.errors import ConfigError
from clipgrip.pseudolabel.nearest import nearest_rows
from clipgrip.pseudolabel.select.chosen import NO_CONTEXT, Chosen, Context
from clipgrip.pseudolabel.select.top import own_best_class, surest
from clipgrip.types import Probs

NEIGHBOURS = 8


def neighbours(
    probs: Probs, k: int, context: Context = NO_CONTEXT, *, nearest: int = NEIGHBOURS
) -> Chosen:
    """Images of which most ``nearest`` images (cosine) have the same answer, ranked by these images' mean probability.

    Source: the k-NN vote on noisy labels (Bahri, Jiang, Gupta, ICML 2020, arXiv 2004.12289). ConfigError: there are no
    image embeddings.
    """
    if context.image_embeds is None:
        raise ConfigError(
            'the selection rule "neighbours" compares image embeddings, and none are given. '
            "Give Context(image_embeds=...), or choose another rule."
        )
    if len(probs) < 2:
        return own_best_class(probs, k)
    labels = probs.argmax(dim=1)
    near = nearest_rows(context.image_embeds, min(nearest, len(probs) - 1))
    agreeing = (labels[near] == labels[:, None]).double().mean(dim=1)
    vote = probs[near, labels[:, None]].mean(dim=1)
    return surest(probs, k, vote, agreeing > 0.5)


def models(probs: Probs, k: int, context: Context = NO_CONTEXT) -> Chosen:
    """Images that all models answer alike, ranked by the geometric mean of their confidence.

    Models that learned from the same images make the same errors, so their agreement proves less than it seems. Source:
    co-training's agreement (Blum and Mitchell, COLT 1998). ConfigError: there is no other model's answer.
    """
    if not context.votes:
        raise ConfigError(
            'the selection rule "models" compares the answers of several models, and only one answered. '
            "Give Context(votes=...), or choose another rule."
        )
    labels = probs.argmax(dim=1)
    alike = torch.ones(len(probs), dtype=torch.bool)
    score = _log_confidence(probs, labels)
    for vote in context.votes:
        alike &= vote.argmax(dim=1) == labels
        score = score + _log_confidence(vote, labels)
    return surest(probs, k, score, alike)


def rounds(probs: Probs, k: int, context: Context = NO_CONTEXT) -> Chosen:
    """Images whose answer is the same as in the round before, ranked by confidence; any image in the first round."""
    if context.previous is None:
        return own_best_class(probs, k)
    confidence, labels = probs.max(dim=1)
    return surest(probs, k, confidence, context.previous.argmax(dim=1) == labels)


def _log_confidence(probs: Probs, labels: Tensor) -> Tensor:
    right = probs.gather(1, labels[:, None]).squeeze(1)
    return right.clamp_min(torch.finfo(probs.dtype).tiny).log()
