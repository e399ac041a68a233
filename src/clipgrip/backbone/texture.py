"""An eye that ships and needs no weights: what a picture's spectrum, grey levels and colours say of its surface."""

from __future__ import annotations

import hashlib
import threading
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import UInt8
from PIL import Image
from threadpoolctl import ThreadpoolController

from clipgrip.backbone.names import TEXTURE
from clipgrip.types import ImageEmbeds
from clipgrip_line.preprocess import MODE
from clipgrip_line.texture import REVISION, WIDTH, described, squared

_ALONE = threading.Lock()
"""The limit below is the process's: two that set and lift it in turn would undo each other's."""


@cache
def _products() -> ThreadpoolController:
    """NumPy's products of matrices: how many threads they take moves their last bit."""
    return ThreadpoolController()


class Texture:
    """Deterministic, a few ms an image on one core; no picture ever changes what another one gets."""

    name = TEXTURE
    fingerprint = hashlib.sha256(f"{TEXTURE} {REVISION}".encode()).hexdigest()
    image_key = f"{TEXTURE}-{REVISION}-{MODE}"
    embed_dim = WIDTH

    def preprocess(self, image: Image.Image) -> UInt8[np.ndarray, "H W 3"]:
        """The whole picture, made square."""
        return squared(image)

    def encode_image(self, pixels: UInt8[np.ndarray, "B H W 3"]) -> ImageEmbeds:
        """Unit vectors (B, D) in float32."""
        with _ALONE, _products().limit(limits=1, user_api="blas"):
            rows = [described(picture) for picture in pixels]
        if not rows:
            return torch.zeros(0, self.embed_dim)
        return F.normalize(torch.from_numpy(np.stack(rows)), dim=1)
