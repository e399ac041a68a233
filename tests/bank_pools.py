"""A pool that CLIP sees dimly and an eye clearly, and a bank that sees nothing."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from clipgrip.prompts.classifier import predict_proba

CLASSES, EACH, SCALE = 5, 60, 30.0


@dataclass(frozen=True)
class Pool:
    """What CLIP sees dimly and an eye clearly."""

    clip: Tensor
    eye: Tensor
    texts: Tensor
    truth: Tensor

    @property
    def probs(self) -> Tensor:
        return predict_proba(self.clip, self.texts, SCALE)


def pool(each: int = EACH, seed: int = 0) -> Pool:
    draw = torch.Generator().manual_seed(seed)
    truth = torch.arange(CLASSES).repeat_interleave(each)
    centres, seen = torch.randn(2, CLASSES, 24, generator=draw)
    noise = torch.randn(2, len(truth), 24, generator=draw)
    clip = centres[truth] + 1.6 * noise[0]
    clip = F.normalize(torch.cat([clip, torch.full((len(clip), 1), 8.0)], 1), dim=1)
    eye = 7 * (5 + seen[truth] + 0.6 * noise[1])
    texts = centres + 0.5 * torch.randn(CLASSES, 24, generator=draw)
    texts = F.normalize(torch.cat([texts, torch.zeros(CLASSES, 1)], 1), dim=1)
    return Pool(clip, eye, texts, truth)


def noise(rows: int, seed: int = 0) -> Tensor:
    return torch.randn(rows, 64, generator=torch.Generator().manual_seed(seed))
