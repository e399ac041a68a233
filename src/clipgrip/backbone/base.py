"""What every eye and every two-tower model offer to the rest of the house."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from clipgrip.prompts.towers import TwoTowers
from clipgrip.types import ImageEmbeds


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
class Backbone(Eye, TwoTowers, Protocol):
    """A frozen image tower and text tower with one common embedding space, and what sees pictures by it."""


class Model(Backbone, Protocol):
    """A backbone as a run keeps it: with the numbers it computes with, and which of its editions it is."""

    @property
    def precision(self) -> str:
        """Numbers that it computes with."""

    @property
    def revision(self) -> str | None:
        """Of a model from a hub; None where there is none."""
