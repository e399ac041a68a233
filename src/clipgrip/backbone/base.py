"""The protocols of image encoders: `Eye`, and `Backbone` for models that also encode texts."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from clipgrip.prompts.towers import TwoTowers
from clipgrip.types import ImageEmbeds


@runtime_checkable
class Eye(Protocol):
    """An image encoder, with or without a text tower: from a picture to a unit vector."""

    @property
    def name(self) -> str:
        """The name that the user gave: a hub name, a folder, or one of the package (``nano``, ``texture``)."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 over weights, configuration and preprocessing: equal exactly when embeddings are comparable."""

    @property
    def embed_dim(self) -> int:
        """D, the width of an embedding."""

    @property
    def image_key(self) -> str:
        """Identifies everything that determines an image embedding: fingerprint, preprocessing code, precision."""

    def preprocess(self, image: Image.Image) -> UInt8[np.ndarray, "H W 3"]:
        """Resize and crop one RGB image as the model's own image processor does, before rescaling."""

    def encode_image(self, pixels: UInt8[np.ndarray, "B H W 3"]) -> ImageEmbeds:
        """Unit vectors, float32, of preprocessed images."""


@runtime_checkable
class Backbone(Eye, TwoTowers, Protocol):
    """A frozen image tower and text tower with one common embedding space."""


class Model(Backbone, Protocol):
    """A backbone with the facts about it that a run stores."""

    @property
    def precision(self) -> str:
        """The numbers it computes with: float32 or bfloat16."""

    @property
    def revision(self) -> str | None:
        """The commit of a model from a hub; None for others."""
