"""What can be measured of answers and pseudolabels without knowing the truth."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from clipgrip.pseudolabel.nearest import nearest_rows
from clipgrip.types import Labels, Probs


def per_class_counts(labels: Labels, n_classes: int) -> list[int]:
    """(C,) how many of the labels each class has; -1 counts nowhere."""
    return torch.bincount(labels[labels >= 0], minlength=n_classes).tolist()


def changed_share(before: Probs, after: Probs) -> float:
    """Share of rows whose most probable class differs."""
    if len(before) == 0:
        return 0.0
    return (before.argmax(1) != after.argmax(1)).double().mean().item()


def class_coverage(probs: Probs, absent: int = 0) -> float:
    """Share of classes, but for the ``absent``, that are the answer for at least one row."""
    return len(probs.argmax(1).unique()) / (probs.shape[1] - absent)


SAMPLE = 2000
"""Images whose neighbours are looked up at most, so that the time grows with N and not with its square."""


@dataclass(frozen=True)
class Neighbours:
    """Some rows (m,) of N images and the nearest other rows (m, k) of each; k is 0 for a single image."""

    rows: Tensor = field(repr=False)
    near: Tensor = field(repr=False)

    @classmethod
    def of(cls, image_embeds: Tensor, k: int = 5) -> Neighbours:
        """By cosine, for at most `SAMPLE` rows, evenly spread: in the order of content hashes these are random."""
        n = len(image_embeds)
        rows = torch.arange(n) if n <= SAMPLE else torch.arange(SAMPLE) * n // SAMPLE
        return cls(rows, nearest_rows(image_embeds, max(0, min(k, n - 1)), rows))

    def agreement(self, labels: Labels) -> float:
        """Share of the nearest images that have their image's label (N,); 1 where there are none."""
        if self.near.numel() == 0:
            return 1.0
        return (labels[self.near] == labels[self.rows, None]).double().mean().item()

    def beyond_chance(self, labels: Labels) -> float:
        """Scott's pi: (agreement - chance) / (1 - chance), chance being Σ share²; 0 where one class has all images.

        The plain agreement rises when a class swallows others. Source: Scott, Public Opinion Quarterly 1955.
        """
        shares = torch.bincount(labels).double() / max(1, len(labels))
        chance = shares.square().sum().item()
        return 0.0 if chance >= 1 else (self.agreement(labels) - chance) / (1 - chance)
