"""What a picture looks like in seven numbers: light, sharpness, colour, size."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
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
    small = np.asarray(some, dtype=np.float32)
    sums = np.ones(small.size // 3, np.float32) @ small.reshape(-1, 3)  # below 2**24, so exact
    red, green, blue = (float(value) / (255 * small.size // 3) for value in sums)
    light = (small / 255) @ np.array([0.299, 0.587, 0.114], np.float32)
    return Looks(
        float(light.mean()),
        _exceeded(light.ravel(), 0.95),
        _sharpness(picture),
        math.log((red + 0.01) / (green + 0.01)),
        math.log((blue + 0.01) / (green + 0.01)),
        math.log(width * height),
        math.log(width / height),
    )


def _exceeded(values: NDArray[np.floating[Any]], share: float) -> float:
    """What a share of them does not exceed, as np.percentile says it at four times the cost."""
    place = share * (values.size - 1)
    low, high = math.floor(place), math.ceil(place)
    ordered = np.partition(values, (low, high))
    below, above = float(ordered[low]), float(ordered[high])
    return below + (above - below) * (place - low)


def _sharpness(picture: Image.Image) -> float:
    width, height = picture.size
    left, top = max(0, (width - CROP) // 2), max(0, (height - CROP) // 2)
    middle = picture.crop((left, top, min(width, left + CROP), min(height, top + CROP)))
    grey = np.asarray(middle.convert("L"), dtype=np.float32)
    energies = [0.0, 0.0]
    for axis in (0, 1):
        differences = grey
        for order in (0, 1):
            differences = np.diff(differences, axis=axis)
            if differences.size:  # a picture may be too small to have any
                flat = differences.ravel()
                energies[order] += float(flat @ flat) / flat.size
    first, second = energies
    return math.log((second + 1e-3) / (first + 1e-3))
