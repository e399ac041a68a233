"""Active learning: which images a person should label so that few labels help most. Audits are drawn independently."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipgrip.errors import ConfigError, DataError
from clipgrip.labeling.coverage import Rows, covering
from clipgrip.seeds import generator
from clipgrip.types import ImageEmbeds, Probs

RowsLike = Tensor | Sequence[int]


def representative(
    image_embeds: ImageEmbeds,
    n: int,
    *,
    labeled: RowsLike = (),
    excluded: RowsLike = (),
    seed: int = 0,
) -> Rows:
    """At most ``n`` typical and diverse images, best first: each is near many images that no other chosen one is near.

    Needs no class names. A larger ``n`` begins with the same rows, and ``labeled`` rows count as chosen already, so a
    budget can be spent in parts. Of images that look the same only one is chosen, so there may be fewer than ``n``.

    Args:
        image_embeds: (N, D) unit vectors, any floating type.
        n: how many answers a person will give.
        labeled: rows already answered.
        excluded: rows never to suggest, those drawn for an audit; they are still looked at.
        seed: of the sample that stands for more than 8,192 images; below, nothing is random.

    Raises:
        ConfigError: ``n`` is negative.
        DataError: a row is out of range.
    """
    known, barred = _checked(image_embeds, n, labeled, excluded)
    draw = generator(seed, "representative")
    weights = torch.ones(len(image_embeds))
    return covering(image_embeds, weights, n, known=known, barred=barred, draw=draw)


def helpful(
    image_embeds: ImageEmbeds,
    probs: Probs,
    n: int,
    *,
    labeled: RowsLike = (),
    votes: Sequence[Probs] | None = None,
    excluded: RowsLike = (),
    seed: int = 0,
) -> Rows:
    """At most ``n`` images whose labels help the present model most, best first: near many doubtful ones, and diverse.

    They maximise the coverage of the images, each weighted by its doubt, as in Uncertainty Herding (ICLR 2025, arXiv
    2412.20644). If nothing is doubtful, all images weigh the same.

    Args:
        image_embeds: (N, D) unit vectors, any floating type.
        probs: (N, C) present answers; rows sum to one.
        n: how many answers a person will give.
        labeled: rows already answered.
        votes: answers (N, C) of other models, each as good as ``probs``.
        excluded: rows never to suggest, those drawn for an audit.
        seed: of the sample that stands for more than 8,192 images; below, nothing is random.

    Raises:
        ConfigError: ``n`` is negative.
        DataError: a row is out of range, or the shapes do not belong together.
    """
    known, barred = _checked(image_embeds, n, labeled, excluded)
    ballots = [probs, *(votes or ())]
    for ballot in ballots:
        if ballot.shape != (len(image_embeds), probs.shape[1]):
            raise DataError(
                "answers {shape} do not belong to {images} images and {classes} classes: each must be (N, C).",
                shape=tuple(ballot.shape),
                images=len(image_embeds),
                classes=probs.shape[1],
            )
    weights = torch.ones(len(image_embeds))
    weights[known] = 0
    doubtful = weights * doubt(ballots)
    weights = doubtful if bool(doubtful.any()) else weights
    draw = generator(seed, "helpful")
    return covering(image_embeds, weights, n, known=known, barred=barred, draw=draw)


def doubt(ballots: Sequence[Probs]) -> Float[Tensor, " N"]:
    """(N,) 1 - the confidence of the models' mean probabilities.

    It is high where each model is in doubt, and where confident models contradict each other.
    """
    mean = torch.zeros_like(ballots[0], dtype=torch.float32)
    for ballot in ballots:
        mean += ballot.float() / len(ballots)
    return (1 - mean.max(1).values).clamp(0, 1)


def _checked(
    image_embeds: ImageEmbeds, n: int, labeled: RowsLike, excluded: RowsLike
) -> tuple[Rows, Int[Tensor, " m"]]:
    if n < 0:
        raise ConfigError("n = {n} images cannot be suggested. Give 0 or more.", n=n)
    known, barred = (torch.as_tensor(rows, dtype=torch.long) for rows in (labeled, excluded))
    for rows in (known, barred):
        if len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < len(image_embeds):
            raise DataError(
                "row {last} or {first} is not one of the {images} images. Rows are positions, from 0.",
                last=int(rows.max()),
                first=int(rows.min()),
                images=len(image_embeds),
            )
    return known, barred
