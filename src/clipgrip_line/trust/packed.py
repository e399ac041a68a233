"""Monitors and anchors as bytes, without code in them."""

from __future__ import annotations

import io
from dataclasses import fields

import numpy as np

from clipgrip_line.trust.drift import Monitors


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
        found = {one.name: arrays[one.name] for one in fields(Monitors)}
    return Monitors(**{**found, "images": int(found["images"])})
