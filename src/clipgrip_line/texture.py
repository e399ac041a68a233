"""What a picture's spectrum, grey levels and colours say of its surface.

CLIP names things and sees scratches, dents and fabrics poorly. Log energies of the spectrum in rings and directions are
the plainest description of a texture; taken in overlapping windows too, their mean, upper decile and maximum tell a
mark in one place from a pattern everywhere (what the second order of a wavelet scattering transform tells at five
times the cost). Beside them stand percentiles of grey and gradient, and a histogram of colour without brightness.
docs/decisions/0038 compares them with local binary patterns, HOG and scattering.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

NAME = "texture"
REVISION = 1
"""To be raised whenever a number that the eye gives changes by more than rounding."""
SIZE = 224
RINGS, DIRECTIONS = 6, 8
WINDOW, STEP, WINDOW_RINGS = 32, 16, 4
QUANTILES = np.linspace(0.02, 0.98, 8)
COLOURS = 8
"""Bins of red against green, and of yellow against blue."""
COLOUR_LIMIT = 0.25
"""Where those axes end; grey lies in their middle, which is divided more finely."""
LUMA = np.array([0.299, 0.587, 0.114], np.float32) / 255
FLOOR = 1e-6
"""Added to an energy before its logarithm: less than the rounding of 8 bits makes."""


Numbers = np.ndarray[Any, np.dtype[np.floating[Any]]]
Picture = np.ndarray[Any, np.dtype[np.uint8]]
WIDTH = RINGS * DIRECTIONS + 3 * WINDOW_RINGS * DIRECTIONS + 2 * len(QUANTILES) + COLOURS**2
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
        (0.5, colours(pixels)),
    )
    return np.concatenate([weight * part for weight, part in parts]).astype(np.float32)


def spectrum(grey: Numbers) -> Numbers:
    """Log energy of the whole picture, by ring and direction."""
    energy = _energies(grey[None], RINGS)[0]
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
    energy = _energies(cut.reshape(-1, WINDOW, WINDOW), WINDOW_RINGS)
    ordered = np.sort(energy, axis=0)
    mean = energy.mean(0)
    found = np.concatenate([mean, ordered[int(0.9 * len(ordered))] - mean, ordered[-1] - mean])
    return (found - np.repeat(WINDOW_TYPICAL.ravel(), DIRECTIONS)) / (1.2 * len(found) ** 0.5)


def levels(grey: Numbers) -> Numbers:
    """Quantiles of grey and of the gradient's length."""
    across = grey[1:-1, 2:] - grey[1:-1, :-2]
    down = grey[2:, 1:-1] - grey[:-2, 1:-1]
    dark, flat = _quantiles(grey), _quantiles(np.hypot(across, down))
    return np.concatenate([(dark - 0.45) / 0.2, (flat**0.5 - 0.25) / 0.12]) / 4


def colours(pixels: Picture) -> Numbers:
    """Square roots of the shares of colours, without their brightness; each pixel counts for its four nearest bins."""
    red, green, blue = np.ascontiguousarray(pixels[::2, ::2].reshape(-1, 3).T, np.float32) / 255
    rows = _place((red - green) / 2**0.5)
    columns = _place((red + green - 2 * blue) / 6**0.5)
    row, column = (np.minimum(axis.astype(int), COLOURS - 2) for axis in (rows, columns))
    along, across = rows - row, columns - column
    shares = np.zeros(COLOURS**2)
    for below, weight in ((0, 1 - along), (1, along)):
        for right, share in ((0, 1 - across), (1, across)):
            place = (row + below) * COLOURS + column + right
            shares += np.bincount(place, weight * share, COLOURS**2)
    return np.sqrt(shares / len(red)) / 0.6


def _place(axis: Numbers) -> Numbers:
    """Where a value lies among the bins, from 0 to COLOURS - 1."""
    bent = np.sign(axis) * np.sqrt(np.abs(axis) / COLOUR_LIMIT)
    return np.clip(bent * 0.5 + 0.5, 0, 1) * (COLOURS - 1)


def _quantiles(values: Numbers) -> Numbers:
    ordered = np.sort(values, axis=None)
    return ordered[(QUANTILES * (len(ordered) - 1)).round().astype(int)]


def _energies(pictures: Numbers, rings: int) -> Numbers:
    """(T, K) log of the mean energy of pictures (T, H, H) in each ring and direction, seen through a Hann window."""
    edge = pictures.shape[1]
    seen = (pictures - pictures.mean((1, 2), keepdims=True)) * _hann(edge)
    power = _power(seen).reshape(len(seen), -1)
    return np.log(FLOOR + power @ _bands(edge, rings))


def _power(pictures: Numbers) -> Numbers:
    """(T, H, H // 2 + 1) squared spectrum, by two matrix products: NumPy's own transform takes four times as long."""
    edge = pictures.shape[1]
    half, whole = _waves(edge)
    width = half.shape[1] // 2
    both = whole @ (pictures @ half)
    top, bottom = both[:, :edge], both[:, edge:]
    real = top[..., :width] - bottom[..., width:]
    imaginary = top[..., width:] + bottom[..., :width]
    return real**2 + imaginary**2


@functools.cache
def _waves(edge: int) -> tuple[Numbers, Numbers]:
    """Cosines beside sines of the frequencies along a row (H, 2 K), and above them along a column (2 H, H)."""
    turns = np.outer(np.arange(edge), np.arange(edge)) % edge
    angle = -2 * np.pi / edge * turns
    along = angle[:, : edge // 2 + 1]
    half = np.concatenate([np.cos(along), np.sin(along)], axis=1)
    whole = np.concatenate([np.cos(angle), np.sin(angle)], axis=0)
    return half.astype(np.float32), whole.astype(np.float32)


@functools.cache
def _hann(edge: int) -> Numbers:
    window = np.hanning(edge).astype(np.float32)
    return window[:, None] * window[None]


@functools.cache
def _bands(edge: int, rings: int) -> Numbers:
    """What each frequency adds to the mean of its ring and direction."""
    down, across = np.fft.fftfreq(edge)[:, None], np.fft.rfftfreq(edge)[None, :]
    radius, angle = np.hypot(down, across), np.arctan2(down, across) % np.pi
    ring = np.digitize(radius, np.geomspace(2 / edge, 0.5, rings + 1)) - 1
    direction = np.floor(angle / np.pi * DIRECTIONS).astype(int) % DIRECTIONS
    inside = ((ring >= 0) & (ring < rings)).ravel()
    band = (ring * DIRECTIONS + direction).ravel()
    table = np.zeros((radius.size, rings * DIRECTIONS), np.float32)
    table[inside.nonzero()[0], band[inside]] = 1.0
    return table / np.maximum(table.sum(0), 1.0) / np.float32(edge**2)
