"""What every learned prompt offers to training, whatever it consumes."""

from __future__ import annotations

from typing import Literal, Protocol, Self

from torch import Tensor

from clipgrip.types import Logits


class Prompt(Protocol):
    """An immutable prompt on a frozen backbone."""

    @property
    def consumes(self) -> Literal["embeds", "pixels"]:
        """What ``logits`` takes: image embeddings, or preprocessed pixels."""

    def logits(self, inputs: Tensor) -> Logits:
        """(B, C), differentiable in the learned values."""

    def learned(self) -> dict[str, Tensor]:
        """Exactly what a checkpoint holds."""

    def with_learned(self, learned: dict[str, Tensor]) -> Self:
        """The same prompt with other learned values; PromptError where names or shapes do not fit."""
