"""Monitors and anchors as bytes of a database."""

from __future__ import annotations

import zlib
from dataclasses import fields

import numpy as np
from safetensors.numpy import load, save

from clipgrip_line.trust.drift import Monitors
from clipgrip_line.trust.line import Vectors as Vectors
from clipgrip_line.trust.packed import monitors_from


def monitors_bytes(monitors: Monitors) -> bytes:
    """Small: nearly all counts are nothing."""
    arrays = {one.name: np.asarray(getattr(monitors, one.name)) for one in fields(monitors)}
    return zlib.compress(save(arrays), 1)


def read_monitors(data: bytes) -> Monitors:
    """The monitors as they were written, or as they go on where other bets were mixed before."""
    return monitors_from(load(zlib.decompress(data)))


def vectors_bytes(vectors: Vectors) -> bytes:
    """Unit vectors (A, D), half as large as they are computed."""
    return save({"anchors": vectors.astype(np.float16)})


def read_vectors(data: bytes) -> Vectors:
    """(A, D) as they were written."""
    return np.asarray(load(data)["anchors"])
