"""Pictures for tests: smooth noise, and a few real handwritten digits as nano sees them."""

from __future__ import annotations

import functools

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from clipgrip.backbone.registry import load_backbone

DIGITS = [str(number) for number in range(10)]


def random_image(seed: int, width: int, height: int) -> Image.Image:
    """Smooth noise, so that resampling has something to do."""
    noise = np.random.default_rng(seed).integers(
        0, 256, (max(2, height // 4), max(2, width // 4), 3), np.uint8
    )
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


@functools.cache
def digits(count: int = 100) -> np.ndarray:
    """(count, H, W, 3) preprocessed."""
    nano, raw = load_backbone("nano"), load_digits().images[:count]
    pictures = [Image.fromarray((15.9 * image).astype(np.uint8)).convert("RGB") for image in raw]
    return np.stack([nano.preprocess(picture) for picture in pictures])
