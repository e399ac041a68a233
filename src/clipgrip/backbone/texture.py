"""An eye that ships and needs no weights: what a picture's spectrum, grey levels and colours say of its surface."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import UInt8
from PIL import Image

from clipgrip.types import ImageEmbeds
from clipgrip_line.preprocess import MODE
from clipgrip_line.texture import NAME as NAME
from clipgrip_line.texture import REVISION, WIDTH, described, squared


class Texture:
    """Deterministic, a few ms an image on one core; no picture ever changes what another one gets."""

    name = NAME
    fingerprint = hashlib.sha256(f"{NAME} {REVISION}".encode()).hexdigest()
    image_key = f"{NAME}-{REVISION}-{MODE}"
    embed_dim = WIDTH

    def preprocess(self, image: Image.Image) -> UInt8[np.ndarray, "H W 3"]:
        """The whole picture, made square."""
        return squared(image)

    def encode_image(self, pixels: UInt8[np.ndarray, "B H W 3"]) -> ImageEmbeds:
        """Unit vectors (B, D) in float32."""
        rows = [described(picture) for picture in pixels]
        if not rows:
            return torch.zeros(0, self.embed_dim)
        return F.normalize(torch.from_numpy(np.stack(rows)), dim=1)
