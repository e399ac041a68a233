"""What every two-tower model offers to the rest of the house."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from clipgrip.types import ClassEmbeds, ImageEmbeds


@dataclass(frozen=True)
class Tails:
    """Token embeddings of C texts after their common prefix, packed without padding.

    ``embeds`` holds the texts one after another, each ending with its end token; ``lengths`` says where each ends.
    """

    embeds: Float[Tensor, "T E"]
    lengths: tuple[int, ...]


class TextTower(Protocol):
    """The text side from token ids or token embeddings to unit vectors."""

    token_width: int
    """E, the width of a token embedding."""
    max_tokens: int
    """L, the most positions a text may take, start and end tokens included."""

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids with start and end tokens, unpadded; a text over ``max_tokens`` is a PromptError."""

    def embed_tokens(self, ids: Sequence[int]) -> Float[Tensor, "L E"]:
        """Token embeddings without positions."""

    def encode(self, prefix: Float[Tensor, "P E"], tails: Tails) -> ClassEmbeds:
        """Unit vectors of the texts ``prefix + tail``, differentiable in both."""

    def encode_texts(self, texts: Sequence[str]) -> ClassEmbeds:
        """Unit vectors of whole texts, without gradient."""


@runtime_checkable
class Backbone(Protocol):
    """A frozen image tower and text tower with one common embedding space."""

    name: str
    """What the user asked for: a hub name, a folder or ``nano``."""
    fingerprint: str
    """SHA-256 over weights, configuration and preprocessing: equal exactly when embeddings are comparable."""
    embed_dim: int
    """D, the width of the common space."""
    logit_scale: float
    """The factor on the cosine, already exponentiated."""

    @property
    def text(self) -> TextTower:
        """The text side; a model may read it only when it is first asked for."""

    @property
    def image_key(self) -> str:
        """Names all that determines an image embedding: fingerprint, preprocessing code, precision."""

    def preprocess(self, image: Image.Image) -> UInt8[np.ndarray, "H W 3"]:
        """Resize and crop one RGB image as the model's own image processor does, before rescaling."""

    def encode_image(self, pixels: UInt8[np.ndarray, "B H W 3"]) -> ImageEmbeds:
        """Unit vectors, float32, of preprocessed images."""
