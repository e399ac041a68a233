"""A learned shift of each class embedding (TaskRes, Yu et al., CVPR 2023, arXiv 2211.10277): needs no text tower."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from clipgrip.prompts.base import Prompt
from clipgrip.types import ClassEmbeds


@dataclass(frozen=True)
class ResidualPrompt(Prompt):
    """``residual`` (C, D) is added to given class embeddings ``base``, and the sum is normalised."""

    base: ClassEmbeds = field(repr=False)
    residual: Tensor = field(repr=False)
    logit_scale: float

    @classmethod
    def untuned(cls, class_embeds: ClassEmbeds, logit_scale: float) -> ResidualPrompt:
        """A residual of zero: the answers are zero-shot's."""
        return cls(class_embeds, torch.zeros_like(class_embeds), logit_scale)

    def class_embeds(self) -> ClassEmbeds:
        """(C, D) unit vectors, differentiable in ``residual``."""
        return F.normalize(self.base + self.residual, dim=-1)

    def learned(self) -> dict[str, Tensor]:
        return {"residual": self.residual}

    def with_learned(self, learned: dict[str, Tensor]) -> ResidualPrompt:
        self.check_fit("residual", learned)
        return replace(self, residual=learned["residual"])


def renumbered(learned: dict[str, Tensor], positions: Sequence[int | None]) -> dict[str, Tensor]:
    """Learned values for a changed list of classes; ``positions`` in the old one of each, None for a new class.

    A new class gets a residual of zero. Values of other kinds of prompt belong to no class and stay as they are.
    """
    if "residual" not in learned:
        return learned
    rows = learned["residual"]
    zero = torch.zeros_like(rows[0])
    return {"residual": torch.stack([zero if n is None else rows[n] for n in positions])}
