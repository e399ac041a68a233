"""Monitors and anchors as bytes, without code in them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np

from clipgrip_line.trust.drift import MIXED, Monitors

FORMER = {
    2: np.full(2, 0.5),
    8: np.repeat([0.25, 0.15, 0.05], [2, 2, 4]),
    16: np.repeat([0.1, 0.05], [4, 12]),
}
"""Weights of the bets that were mixed before, by how many they were; together 1."""


def monitors_bytes(monitors: Monitors) -> bytes:
    """Small: nearly all counts are nothing."""
    file = io.BytesIO()
    arrays = {one.name: np.asarray(getattr(monitors, one.name)) for one in fields(monitors)}
    np.savez_compressed(file, allow_pickle=False, **arrays)
    return file.getvalue()


def read_monitors(data: bytes) -> Monitors:
    """The monitors as they were written.

    Raises:
        ValueError, KeyError, OSError: these are no such bytes.
    """
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return monitors_from({one.name: arrays[one.name] for one in fields(Monitors)})


def monitors_from(arrays: Mapping[str, Any]) -> Monitors:
    """The monitors whose fields these are.

    Where other bets were mixed before, each of today's goes on with the wealth that those had together, and learns
    anew: all that was won or lost still counts, so a line that has begun rings no oftener for it.
    """
    values: dict[str, Any] = {one.name: arrays[one.name] for one in fields(Monitors)}
    found = Monitors(**{**values, "images": int(arrays["images"])})
    if len(found.begun) == len(MIXED):
        return found
    begun = np.tile(FORMER[len(found.begun)] @ found.begun, (len(MIXED), 1))
    return replace(Monitors.of(found.seen, found.labels), begun=begun, images=found.images)
