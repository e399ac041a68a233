"""Monitors and anchors as bytes of a database."""

from __future__ import annotations

import zlib
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from clipgrip.trust.drift import Monitors

Vectors = NDArray[np.float16]


def monitors_bytes(monitors: Monitors) -> bytes:
    """Small: nearly all counts are nothing."""
    arrays = {one.name: np.asarray(getattr(monitors, one.name)) for one in fields(monitors)}
    return zlib.compress(save(arrays), 1)


def read_monitors(data: bytes) -> Monitors:
    """The monitors as they were written; version 0.2 kept more, that nothing needs."""
    arrays = load(zlib.decompress(data))
    kept: dict[str, Any] = {one.name: arrays[one.name] for one in fields(Monitors)}
    return Monitors(**{**kept, "images": int(arrays["images"])})


def vectors_bytes(vectors: Vectors) -> bytes:
    """Unit vectors (A, D), half as large as they are computed."""
    return save({"anchors": vectors.astype(np.float16)})


def read_vectors(data: bytes) -> Vectors:
    """(A, D) as they were written."""
    return np.asarray(load(data)["anchors"])
