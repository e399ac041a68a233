"""CLIP's contrastive loss, where a caption may be true of several pictures and the reverse."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional
from transformers import CLIPModel

SHORT = 16
"""Token count up to which captions are encoded apart from the long ones, to save padding."""


def image_embeds(model: CLIPModel, pixels: Tensor) -> Tensor:
    """Unit vectors (B, D)."""
    pooled = model.vision_model(pixel_values=pixels).pooler_output
    return functional.normalize(model.visual_projection(pooled).float(), dim=1)


def text_embeds(model: CLIPModel, tokens: Tensor, end: int) -> Tensor:
    """Unit vectors (T, D); short and long captions are encoded in two groups."""
    length = (tokens == end).int().argmax(dim=1) + 1
    order = length.argsort()
    groups = order.split([int((length <= SHORT).sum()), int((length > SHORT).sum())])
    pooled = [
        model.text_model(input_ids=tokens[rows, : int(length[rows].max())]).pooler_output
        for rows in groups
        if len(rows)
    ]
    back = order.argsort()
    return functional.normalize(model.text_projection(torch.cat(pooled)).float(), dim=1)[back]


def contrastive(logits: Tensor, true: Tensor) -> Tensor:
    """Cross entropy in both directions; the target is spread evenly over what is true."""
    return (_spread(logits, true) + _spread(logits.T, true.T)) / 2


def _spread(logits: Tensor, true: Tensor) -> Tensor:
    counts = true.sum(dim=1)
    rows = counts > 0
    target = true[rows].float() / counts[rows, None]
    return functional.cross_entropy(logits[rows], target)
