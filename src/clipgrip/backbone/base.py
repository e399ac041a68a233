"""What every eye and every two-tower model offer to the rest of the house."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from clipgrip.backbone.image_tower import ImageTower
from clipgrip.errors import PromptError
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
    """L, the most positions a text may take, start and end tokens included."""
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


@runtime_checkable
class Eye(Protocol):
    """What sees images, with words or without: from a picture to a unit vector."""

    @property
    def name(self) -> str:
        """What the user asked for: a hub name, a folder, or one that ships: ``nano``, ``texture``."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 over weights, configuration and preprocessing: equal exactly when embeddings are comparable."""

    @property
    def embed_dim(self) -> int:
        """D, the width of an embedding."""

    @property
    def image_key(self) -> str:
        """Names all that determines an image embedding: fingerprint, preprocessing code, precision."""

    def preprocess(self, image: Image.Image) -> UInt8[np.ndarray, "H W 3"]:
        """Resize and crop one RGB image as the model's own image processor does, before rescaling."""

    def encode_image(self, pixels: UInt8[np.ndarray, "B H W 3"]) -> ImageEmbeds:
        """Unit vectors, float32, of preprocessed images."""


@runtime_checkable
class Backbone(Eye, Protocol):
    """A frozen image tower and text tower with one common embedding space."""

    @property
    def logit_scale(self) -> float:
        """The factor on the cosine, already exponentiated."""

    @property
    def text(self) -> TextTower:
        """The text side; a model may read it only when it is first asked for."""

    @property
    def image_prompts(self) -> ImageTower | None:
        """The image side for prompt tokens; None where the model's tower takes none."""


class Model(Backbone, Protocol):
    """A backbone as a run keeps it: with the numbers it computes with, and which of its editions it is."""

    @property
    def precision(self) -> str:
        """Numbers that it computes with."""

    @property
    def revision(self) -> str | None:
        """Of a model from a hub; None where there is none."""
