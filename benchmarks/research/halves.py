"""How well two classifiers agree that were learned from the answers for two halves of the images."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from clipgrip.seeds import generator
from clipgrip.types import ImageEmbeds, Labels, Probs

SHRINKAGE = 0.2


def half_agreement(
    image_embeds: ImageEmbeds, probs: Probs, *, splits: int = 3, seed: int = 0
) -> float:
    """Share of all images to which both halves' Gaussian classifiers give the same class; mean over random splits.

    Each half's classifier learns from that half's answers alone (soft, so that doubt counts). Answers that follow the
    images' own structure come back from either half; arbitrary ones do not. NaN with fewer than 4 images.
    """
    if len(probs) < 4:
        return float("nan")
    draw = generator(seed, "halves")
    shares = []
    for _ in range(splits):
        order = torch.randperm(len(probs), generator=draw)
        first, second = (
            gaussian_answers(image_embeds, image_embeds[rows], probs[rows])
            for rows in order.tensor_split(2)
        )
        shares.append((first == second).double().mean().item())
    return sum(shares) / len(shares)


def gaussian_answers(
    images: ImageEmbeds, known: Float[Tensor, "n D"], probs: Float[Tensor, "n C"]
) -> Labels:
    """Classes (N,) of images by Gaussians of one covariance, learned from the answers (n, C) for other images.

    The covariance is shrunk to a multiple of the identity; classes without images are never the answer.
    Source: Wang et al., ICLR 2024 (arXiv 2402.04087), eqs. 2 to 5, without the text logits.
    """
    known, probs = known.double(), probs.double()
    mass = probs.sum(0)
    means = (probs.T @ known) / mass.clamp_min(1e-9)[:, None]
    precision = torch.linalg.inv(_covariance(known, probs, means))
    weight = means @ precision
    bias = -(weight * means).sum(1) / 2
    bias[mass < 0.5] = -torch.inf
    return (images.double() @ weight.T + bias).argmax(1)


def _covariance(known: Tensor, probs: Tensor, means: Tensor) -> Tensor:
    """Within classes: the second moment of the images less the one of the class means."""
    mass = probs.sum(0)
    within = (known.T @ known - (means.T * mass) @ means) / len(known)
    size = within.diagonal().mean().clamp_min(1e-9)
    return (1 - SHRINKAGE) * within + SHRINKAGE * size * torch.eye(len(within), dtype=within.dtype)
