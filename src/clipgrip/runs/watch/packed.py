"""Monitors and anchors as bytes of a database."""

from __future__ import annotations

import zlib
from dataclasses import fields, replace
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from clipgrip_line.trust.drift import MIXED, Monitors
from clipgrip_line.trust.line import Vectors as Vectors


def monitors_bytes(monitors: Monitors) -> bytes:
    """Small: nearly all counts are nothing."""
    arrays = {one.name: np.asarray(getattr(monitors, one.name)) for one in fields(monitors)}
    return zlib.compress(save(arrays), 1)


def read_monitors(data: bytes) -> Monitors:
    """The monitors as they were written.

    Those of version 0.2 mixed fewer bets: each of today's goes on with the wealth that theirs had together, and learns
    anew, so that all that was won or lost still counts.
    """
    arrays = load(zlib.decompress(data))
    values: dict[str, Any] = {one.name: arrays[one.name] for one in fields(Monitors)}
    found = Monitors(**{**values, "images": int(arrays["images"])})
    if len(found.begun) == len(MIXED):
        return found
    begun = np.repeat(found.begun.mean(0, keepdims=True), len(MIXED), 0)
    return replace(Monitors.of(found.seen, found.labels), begun=begun, images=found.images)


def vectors_bytes(vectors: Vectors) -> bytes:
    """Unit vectors (A, D), half as large as they are computed."""
    return save({"anchors": vectors.astype(np.float16)})


def read_vectors(data: bytes) -> Vectors:
    """(A, D) as they were written."""
    return np.asarray(load(data)["anchors"])
