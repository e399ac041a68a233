"""An eye without weights: features of an image's spectrum, grey levels and colours, which describe its surface."""

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

_BLAS_LOCK = threading.Lock()
"""The limit of BLAS threads counts for the process: two threads that set and reset it would undo each other."""


@cache
def _blas() -> ThreadpoolController:
    """Controls BLAS, whose number of threads changes the last bit of matrix products."""
    return ThreadpoolController()


class Texture:
    """Deterministic, a few ms an image on one core, and independent of the other images of a batch."""

    name = TEXTURE
    fingerprint = hashlib.sha256(f"{TEXTURE} {REVISION}".encode()).hexdigest()
    image_key = f"{TEXTURE}-{REVISION}-{MODE}"
    embed_dim = WIDTH

    def preprocess(self, image: Image.Image) -> UInt8[np.ndarray, "H W 3"]:
        """The whole picture, made square."""
        return squared(image)

    def encode_image(self, pixels: UInt8[np.ndarray, "B H W 3"]) -> ImageEmbeds:
        """Unit vectors (B, D) in float32."""
        with _BLAS_LOCK, _blas().limit(limits=1, user_api="blas"):
            rows = [described(picture) for picture in pixels]
        if not rows:
            return torch.zeros(0, self.embed_dim)
        return F.normalize(torch.from_numpy(np.stack(rows)), dim=1)
