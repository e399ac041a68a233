"""Energies of the spectra of pictures, by ring and direction."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

Numbers = np.ndarray[Any, np.dtype[np.floating[Any]]]


def band_energies(pictures: Numbers, rings: int, directions: int, floor: float) -> Numbers:
    """(T, K) log of the mean energy of pictures (T, H, H) in each ring and direction, seen through a Hann window.

    ``floor`` is added to an energy before its logarithm.
    """
    edge = pictures.shape[1]
    seen = (pictures - pictures.mean((1, 2), keepdims=True)) * _hann(edge)
    energy = power(seen).reshape(len(seen), -1) @ _bands(edge, rings, directions)
    return np.log(floor + energy)


def power(pictures: Numbers) -> Numbers:
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
def _bands(edge: int, rings: int, directions: int) -> Numbers:
    """What each frequency adds to the mean of its ring and direction."""
    down, across = np.fft.fftfreq(edge)[:, None], np.fft.rfftfreq(edge)[None, :]
    radius, angle = np.hypot(down, across), np.arctan2(down, across) % np.pi
    ring = np.digitize(radius, np.geomspace(2 / edge, 0.5, rings + 1)) - 1
    direction = np.floor(angle / np.pi * directions).astype(int) % directions
    inside = ((ring >= 0) & (ring < rings)).ravel()
    band = (ring * directions + direction).ravel()
    table = np.zeros((radius.size, rings * directions), np.float32)
    table[inside.nonzero()[0], band[inside]] = 1.0
    return table / np.maximum(table.sum(0), 1.0) / np.float32(edge**2)
