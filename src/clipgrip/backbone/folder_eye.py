"""What every model that is read from a folder does with pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from clipgrip.backbone.families import ImageSide
from clipgrip.backbone.recipe import EyeRecipe, check_same
from clipgrip.backbone.sound import one_sentence
from clipgrip.types import ImageEmbeds
from clipgrip_line.preprocess import Preprocess


class FolderEye:
    """One that has read ``folder``: its steps, then its tower."""

    name: str
    folder: Path
    fingerprint: str
    embed_dim: int
    asked: dict[str, Any]
    """How it was asked for, by the names of its arguments."""
    steps: Preprocess
    """What is done to a picture first."""
    image_tower: ImageSide
    """What computes the embeddings."""

    @property
    def revision(self) -> str | None:
        """The hub's commit, where the model lies in the Hugging Face cache."""
        return self.folder.name if self.folder.parent.name == "snapshots" else None

    @property
    def image_key(self) -> str:
        """Names everything but the picture that determines an image embedding."""
        raise NotImplementedError

    def recipe(self) -> EyeRecipe:
        """How a worker reads the same folder."""
        made = type(self), self.name, self.folder, self.asked, self.fingerprint
        return EyeRecipe(self.image_key, _reopened, made)

    def preprocess(self, image: Image.Image) -> UInt8[np.ndarray, "H W 3"]:
        """Resize and crop one RGB image as the model's own image processor does, before rescaling."""
        return self.steps(image)

    def encode_image(self, pixels: UInt8[np.ndarray, "B H W 3"]) -> ImageEmbeds:
        """Unit vectors (B, D), float32, on the model's device."""
        with one_sentence(self.folder):
            return self.image_tower(torch.from_numpy(np.ascontiguousarray(pixels)))


def _reopened(
    kind: Any, name: str, folder: Path, asked: dict[str, Any], fingerprint: str
) -> FolderEye:
    found: FolderEye = kind(name, folder, **asked)
    check_same(found, fingerprint)
    return found
