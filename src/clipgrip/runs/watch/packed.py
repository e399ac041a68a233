"""Monitors and anchors as bytes of a database."""

from __future__ import annotations

import zlib
from dataclasses import fields

import numpy as np
from safetensors.numpy import load, save

from clipgrip_line.trust.drift import Monitors
from clipgrip_line.trust.packed import monitors_from
from clipgrip_line.trust.scores import Anchors


def monitors_bytes(monitors: Monitors) -> bytes:
    """Small: nearly all counts are nothing."""
    arrays = {one.name: np.asarray(getattr(monitors, one.name)) for one in fields(monitors)}
    return zlib.compress(save(arrays), 1)


def read_monitors(data: bytes) -> Monitors:
    """The monitors as they were written, or as they go on where other bets were mixed before."""
    return monitors_from(load(zlib.decompress(data)))


def anchors_bytes(anchors: Anchors) -> bytes:
    """The vectors half as large as they are computed."""
    return save({"anchors": anchors.vectors.astype(np.float16), "weight": np.array(anchors.weight)})


def read_anchors(data: bytes) -> Anchors:
    """As they were written; those of a line that began before 0075 have no weight."""
    found = load(data)
    return Anchors(found["anchors"].astype(np.float32), float(found.get("weight", 0.0)))
