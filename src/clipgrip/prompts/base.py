"""What every learned prompt offers to training, whatever it consumes."""

from __future__ import annotations

from typing import Literal, Protocol, Self

from torch import Tensor

from clipgrip.backbone.base import Backbone
from clipgrip.types import ClassEmbeds, ImageEmbeds


class Prompt(Protocol):
    """An immutable prompt on a frozen backbone. Logits are the cosine of its two sides, times ``logit_scale``."""

    @property
    def consumes(self) -> Literal["embeds", "pixels"]:
        """What ``image_embeds`` takes: image embeddings, or preprocessed pixels."""

    @property
    def logit_scale(self) -> float:
        """The factor on the cosine; never tuned."""

    def class_embeds(self) -> ClassEmbeds:
        """(C, D) unit vectors, differentiable in the learned values where the text side is tuned."""

    def image_embeds(self, inputs: Tensor) -> ImageEmbeds:
        """(B, D) unit vectors, differentiable in the learned values where the image side is tuned."""

    def on(self, backbone: Backbone) -> Backbone:
        """The backbone as this prompt sees images: itself, or with the prompt's tokens in its image tower."""

    def learned(self) -> dict[str, Tensor]:
        """Exactly what a checkpoint holds."""

    def with_learned(self, learned: dict[str, Tensor]) -> Self:
        """The same prompt with other learned values; PromptError where names or shapes do not fit."""


def learned_parameters(prompt: Prompt) -> int:
    """How many numbers are tuned."""
    return sum(value.numel() for value in prompt.learned().values())
