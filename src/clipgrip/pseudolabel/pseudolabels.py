"""Pseudolabels as selection gives them to training."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clipgrip.types import Labels


@dataclass(frozen=True)
class PseudoLabels:
    """Rows (n,) of the pool, each with a target distribution (n, C) and the confidence (n,) of its class."""

    rows: Tensor
    targets: Tensor
    confidence: Tensor

    @property
    def labels(self) -> Labels:
        """(n,) most probable class of each target."""
        return self.targets.argmax(1)

    @classmethod
    def hard(cls, rows: Tensor, labels: Labels, confidence: Tensor, n_classes: int) -> PseudoLabels:
        """One-hot targets."""
        targets = confidence.new_zeros(len(labels), n_classes)  # one_hot makes whole numbers first
        return cls(rows, targets.scatter_(1, labels[:, None], 1), confidence)

    @classmethod
    def none(cls, n_classes: int) -> PseudoLabels:
        """No pseudolabel: plain supervised tuning."""
        nothing = torch.zeros(0, dtype=torch.long)
        return cls(nothing, torch.zeros(0, n_classes), torch.zeros(0))
