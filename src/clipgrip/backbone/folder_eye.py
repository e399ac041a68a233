"""What all models that are read from a folder have in common on the image side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from clipgrip.backbone.families import ImageSide
from clipgrip.backbone.folder_checks import as_backbone_error
from clipgrip.backbone.recipe import EyeRecipe, check_same
from clipgrip.types import ImageEmbeds
from clipgrip_line.preprocess import Preprocess


class FolderEye:
    """Encodes images by the preprocessing ``steps`` and the ``image_tower`` of a model's folder."""

    name: str
    folder: Path
    fingerprint: str
    embed_dim: int
    arguments: dict[str, Any]
    """Arguments of its constructor, resolved, with which a worker opens the same model."""
    steps: Preprocess
    image_tower: ImageSide

    @property
    def revision(self) -> str | None:
        """The hub's commit, where the model lies in the Hugging Face cache."""
        return self.folder.name if self.folder.parent.name == "snapshots" else None

    @property
    def image_key(self) -> str:
        """As `Eye.image_key`."""
        raise NotImplementedError

    def recipe(self) -> EyeRecipe:
        """How a worker opens the same folder."""
        made = type(self), self.name, self.folder, self.arguments, self.fingerprint
        return EyeRecipe(self.image_key, _reopen, made)

    def preprocess(self, image: Image.Image) -> UInt8[np.ndarray, "H W 3"]:
        """Resize and crop one RGB image as the model's own image processor does, before rescaling."""
        return self.steps(image)

    def encode_image(self, pixels: UInt8[np.ndarray, "B H W 3"]) -> ImageEmbeds:
        """Unit vectors (B, D), float32, on the model's device."""
        with as_backbone_error(self.folder):
            return self.image_tower(torch.from_numpy(np.ascontiguousarray(pixels)))


def _reopen(
    kind: Any, name: str, folder: Path, arguments: dict[str, Any], fingerprint: str
) -> FolderEye:
    found: FolderEye = kind(name, folder, **arguments)
    check_same(found, fingerprint)
    return found
