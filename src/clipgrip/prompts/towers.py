"""What a prompt needs of a backbone: its text side, and where its image side takes prompt tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from clipgrip.errors import BackboneError, PromptError
from clipgrip.types import ClassEmbeds, ImageEmbeds


@dataclass(frozen=True)
class Tails:
    """Token embeddings of C texts after their common prefix, packed without padding.

    ``embeds`` holds the texts one after another, each ending with its end token; ``lengths`` says where each ends.
    """

    embeds: Float[Tensor, "T E"]
    lengths: tuple[int, ...]

    def check_length(self, prefix: int, max_tokens: int) -> None:
        """PromptError where the longest text, after ``prefix`` tokens, has no room in a model of ``max_tokens``."""
        longest = prefix + max(self.lengths)
        if longest > max_tokens:
            raise PromptError(
                "the longest class prompt takes {longest} tokens with its context, the model has "
                "{max_tokens} positions. Shorten its text.",
                longest=longest,
                max_tokens=max_tokens,
            )


class TextTower(Protocol):
    """The text side from token ids or token embeddings to unit vectors."""

    token_width: int
    """E, the width of a token embedding."""
    max_tokens: int
    """L, the most positions a text may take, start and end tokens included; 0 where only whole texts have vectors."""
    start_tokens: int
    """How many tokens stand before a text's first word: 1, or 0 where texts have no start token."""

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids with start and end tokens, unpadded; a text over ``max_tokens`` is a PromptError."""

    def embed_tokens(self, ids: Sequence[int]) -> Float[Tensor, "L E"]:
        """Token embeddings without positions."""

    def encode(self, prefix: Float[Tensor, "P E"], tails: Tails) -> ClassEmbeds:
        """Unit vectors of the texts ``prefix + tail``, differentiable in both."""

    def encode_texts(self, texts: Sequence[str]) -> ClassEmbeds:
        """Unit vectors of whole texts, without gradient."""


class PromptTower(Protocol):
    """An image side that takes prompt tokens among the patches."""

    width: int
    """E, the width of a token."""
    depth: int
    """How many blocks may get tokens of their own."""
    device: torch.device
    class_token: Tensor
    """(E,) the first token of every image."""

    def encode(
        self, pixels: UInt8[Tensor, "B H W 3"], prompts: Float[Tensor, "K P E"]
    ) -> ImageEmbeds:
        """Unit vectors of preprocessed images, differentiable in ``prompts``."""


class TwoTowers(Protocol):
    """A backbone, as far as a prompt needs it: frozen, with one embedding space for images and texts."""

    @property
    def name(self) -> str:
        """What the user asked for."""

    @property
    def logit_scale(self) -> float:
        """The factor on the cosine, already exponentiated."""

    @property
    def text(self) -> TextTower:
        """The text side; a model may read it only when it is first asked for."""

    @property
    def image_prompts(self) -> PromptTower | None:
        """The image side for prompt tokens; None where the model's tower takes none."""


def prompt_tower(backbone: TwoTowers) -> PromptTower:
    """The image side for prompt tokens. BackboneError: the model's tower takes none."""
    tower = backbone.image_prompts
    if tower is None:
        raise BackboneError(
            'the image tower of the model "{name}" takes no prompt tokens. Choose --prompt '
            "textual, or a model of the CLIP family.",
            name=backbone.name,
        )
    return tower
