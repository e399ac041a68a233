"""The nearest images of an image, by brute force in parts: for samples and pools of a size that can pay for it."""

from __future__ import annotations

import torch
from torch import Tensor

from clipgrip.types import ImageEmbeds

AT_ONCE = 2**26
"""Similarities held in memory at a time."""


def nearest_rows(image_embeds: ImageEmbeds, n: int, of: Tensor | None = None) -> Tensor:
    """(N, n) the other rows with the highest cosine, nearest first; (m, n) where only ``of`` (m,) rows are asked."""
    parts = []
    asked = torch.arange(len(image_embeds)) if of is None else of
    for rows in asked.split(max(1, min(1024, AT_ONCE // max(1, len(image_embeds))))):
        similarity = image_embeds[rows] @ image_embeds.T
        similarity[torch.arange(len(rows)), rows] = -torch.inf
        parts.append(similarity.topk(n, dim=1).indices)
    return torch.cat(parts)
