"""What a picture looks like in seven numbers: light, sharpness, colour, size."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from PIL import Image

SMALL, CROP = 256, 320
"""Longest side on which light and colour are measured; side of the middle part on which sharpness is."""


class Looks(NamedTuple):
    """Each number is a function of one picture alone, fixed before any other was seen."""

    brightness: float
    """Mean luminance, 0 to 1."""
    highlights: float
    """Luminance that 5% of the picture exceed: what a lamp changes, and the ground hardly."""
    sharpness: float
    """Log ratio of the energies of second and first differences: it falls with blur, and hardly with light."""
    red: float
    """Log ratio of mean red to mean green."""
    blue: float
    """Log ratio of mean blue to mean green."""
    size: float
    """Log of the number of pixels."""
    shape: float
    """Log of width / height."""


def looks_of(picture: Image.Image) -> Looks:
    """The numbers of an upright RGB picture; its middle at full resolution says how sharp it is."""
    width, height = picture.size
    share = min(1.0, SMALL / max(width, height))
    sides = (max(1, round(width * share)), max(1, round(height * share)))
    some = picture.resize(
        sides, Image.Resampling.NEAREST
    )  # every n-th pixel: a fraction of the time
    small = np.asarray(some, dtype=np.float32) / 255
    red, green, blue = (float(value) for value in small.mean((0, 1)))
    light = small @ np.array([0.299, 0.587, 0.114], np.float32)
    return Looks(
        float(light.mean()),
        float(np.percentile(light, 95)),
        _sharpness(picture),
        math.log((red + 0.01) / (green + 0.01)),
        math.log((blue + 0.01) / (green + 0.01)),
        math.log(width * height),
        math.log(width / height),
    )


def _sharpness(picture: Image.Image) -> float:
    width, height = picture.size
    left, top = max(0, (width - CROP) // 2), max(0, (height - CROP) // 2)
    middle = picture.crop((left, top, min(width, left + CROP), min(height, top + CROP)))
    grey = np.asarray(middle.convert("L"), dtype=np.float32)
    first, second = (_energy(grey, order) for order in (1, 2))
    return math.log((second + 1e-3) / (first + 1e-3))


def _energy(grey: np.ndarray[tuple[int, int], np.dtype[np.float32]], order: int) -> float:
    """Mean square of differences along both axes; 0 of a picture too small to have any."""
    found = [np.diff(grey, order, axis) for axis in (0, 1)]
    return sum(float(np.square(one).mean()) for one in found if one.size)
