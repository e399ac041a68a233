"""What a picture's spectrum, grey levels and colours say of its surface.

CLIP names things and sees scratches, dents and fabrics poorly. Log energies of the spectrum in rings and directions are
the plainest description of a texture; taken in overlapping windows too, their mean, upper decile and maximum tell a
mark in one place from a pattern everywhere (what the second order of a wavelet scattering transform tells at five
times the cost). Beside them stand percentiles of grey and gradient, and what colours say (`colours`).
docs/decisions/0038 and 0057 compare them with local binary patterns, HOG, scattering and other colours.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

from clipgrip_line import colours
from clipgrip_line.colours import Numbers
from clipgrip_line.spectra import band_energies

NAME = "texture"
REVISION = 2
"""To be raised whenever a number that the eye gives changes by more than rounding."""
SIZE = 224
RINGS, DIRECTIONS = 6, 8
WINDOW, STEP, WINDOW_RINGS = 32, 16, 4
QUANTILES = np.linspace(0.02, 0.98, 8)
LUMA = np.array([0.299, 0.587, 0.114], np.float32) / 255
FLOOR = 1e-6
"""Added to an energy before its logarithm: less than the rounding of 8 bits makes."""

Picture = np.ndarray[Any, np.dtype[np.uint8]]
WIDTH = (RINGS + 3 * WINDOW_RINGS) * DIRECTIONS + 2 * len(QUANTILES) + colours.WIDTH
"""How many numbers there are of a picture."""


def squared(image: Image.Image) -> Picture:
    """The whole picture, made square: a mark at its edge counts as well."""
    image = image if image.mode == "RGB" else image.convert("RGB")
    return np.array(image.resize((SIZE, SIZE), Image.Resampling.BILINEAR, reducing_gap=2.0))


def described(pixels: Picture) -> Numbers:
    """All numbers of one picture, each part around zero and of a length near one."""
    grey = pixels.astype(np.float32) @ LUMA
    half = (grey[::2, ::2] + grey[1::2, ::2] + grey[::2, 1::2] + grey[1::2, 1::2]) / 4
    parts = (
        (1.0, spectrum(grey)),
        (1.0, windows(grey)),
        (0.6, levels(half)),
        (1.0, colours.colours(_sampled(pixels))),
    )
    return np.concatenate([weight * part for weight, part in parts]).astype(np.float32)


def _sampled(pixels: Picture) -> Numbers:
    """(H / 4, W / 4, 3) means of the first four of sixteen pixels, from 0 to 1: enough to count colours."""
    rows = pixels[::4].astype(np.uint16) + pixels[1::4]
    return (rows[:, ::4] + rows[:, 1::4]).astype(np.float32) / 1020


def spectrum(grey: Numbers) -> Numbers:
    """Log energy of the whole picture, by ring and direction."""
    energy = band_energies(grey[None], RINGS, DIRECTIONS, FLOOR)[0]
    return (energy - np.repeat(TYPICAL, DIRECTIONS)) / (SPREAD * len(energy) ** 0.5)


TYPICAL = np.array([-1.1, -2.9, -4.4, -5.9, -7.8, -10.2])
"""Log energy of a ring in an ordinary picture, from coarse to fine: only what keeps all numbers around zero."""
WINDOW_TYPICAL = np.array([[-6.6, -8.1, -9.3, -11.1], [2.5, 2.0, 1.4, 1.1], [4.5, 4.0, 3.0, 2.3]])
"""The same of windows: of the mean, and of what lies above it."""
SPREAD = 1.7
"""How far log energies differ from picture to picture."""


def windows(grey: Numbers) -> Numbers:
    """Log energies in overlapping windows: their mean, and how far the upper decile and the maximum lie above it."""
    cut = sliding_window_view(grey, (WINDOW, WINDOW))[::STEP, ::STEP]
    energy = band_energies(cut.reshape(-1, WINDOW, WINDOW), WINDOW_RINGS, DIRECTIONS, FLOOR)
    mean, decile = energy.mean(0), int(0.9 * len(energy))
    upper = np.partition(energy, decile, axis=0)[decile]
    found = np.concatenate([mean, upper - mean, energy.max(0) - mean])
    return (found - np.repeat(WINDOW_TYPICAL.ravel(), DIRECTIONS)) / (1.2 * len(found) ** 0.5)


def levels(grey: Numbers) -> Numbers:
    """Quantiles of grey and of the gradient's length."""
    across = grey[1:-1, 2:] - grey[1:-1, :-2]
    down = grey[2:, 1:-1] - grey[:-2, 1:-1]
    dark, flat = _quantiles(grey), _quantiles(np.hypot(across, down))
    return np.concatenate([(dark - 0.45) / 0.2, (flat**0.5 - 0.25) / 0.12]) / 4


def _quantiles(values: Numbers) -> Numbers:
    ordered = np.sort(values, axis=None)
    return ordered[(QUANTILES * (len(ordered) - 1)).round().astype(int)]
