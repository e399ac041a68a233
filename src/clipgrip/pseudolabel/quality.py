"""What can be said of pseudolabels without knowing the truth."""

from __future__ import annotations

import torch
from torch import Tensor

from clipgrip.types import Labels, Probs


def per_class_counts(labels: Labels, n_classes: int) -> list[int]:
    """How many pseudolabels each class got."""
    return torch.bincount(labels[labels >= 0], minlength=n_classes).tolist()


def changed_share(before: Probs, after: Probs) -> float:
    """Share of rows whose most probable class differs."""
    if len(before) == 0:
        return 0.0
    return (before.argmax(1) != after.argmax(1)).double().mean().item()


def class_coverage(probs: Probs) -> float:
    """Share of classes that are the answer for at least one row."""
    return len(probs.argmax(1).unique()) / probs.shape[1]


def neighbour_agreement(image_embeds: Tensor, labels: Labels, k: int = 5) -> float:
    """Share of each image's ``k`` nearest images (cosine) that have its label; high where labels follow clusters."""
    if len(labels) < 2:
        return 1.0
    k = min(k, len(labels) - 1)
    agreeing = torch.zeros((), dtype=torch.double)
    for start in range(0, len(labels), 1024):
        rows = torch.arange(start, min(start + 1024, len(labels)))
        similarity = image_embeds[rows] @ image_embeds.T
        similarity[torch.arange(len(rows)), rows] = -torch.inf
        near = similarity.topk(k, dim=1).indices
        agreeing += (labels[near] == labels[rows, None]).double().sum()
    return (agreeing / (len(labels) * k)).item()
