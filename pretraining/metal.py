"""The metal that nano learned from: textures, light and ground that the demo's photographs have none of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from clipgrip.data.relief import Relief, smooth_noise, toned
from clipgrip.data.surfaces import SurfaceDomain


def _brushed(part: Relief, rng: np.random.Generator) -> Relief:
    n = part.x.shape[0]
    streaks = smooth_noise((n, n), (0.4, n / 5), rng)
    return toned(part, 0.07 * streaks)


def _turned(part: Relief, rng: np.random.Generator) -> Relief:
    centre = rng.uniform(-0.25, 0.25, 2)
    radius = np.hypot(part.x - centre[0], part.y - centre[1])
    angle = np.arctan2(part.y - centre[1], part.x - centre[0])
    rings = np.sin(radius * rng.uniform(50, 90) + rng.uniform(0, 6))
    gloss = np.cos(2 * angle + rng.uniform(0, 6))
    return toned(part, 0.05 * rings + 0.12 * gloss)


def _cast(part: Relief, rng: np.random.Generator) -> Relief:
    n = part.x.shape[0]
    grain = smooth_noise((n, n), n / 128, rng)
    return replace(toned(part, 0.04 * grain), height=part.height + 0.006 * grain)


def _ground(part: Relief, rng: np.random.Generator) -> Relief:
    n = part.x.shape[0]
    across = smooth_noise((n, n), (0.4, n / 8), rng) + smooth_noise((n, n), (n / 8, 0.4), rng)
    return toned(part, 0.05 * across)


TRAIN_DOMAIN = SurfaceDomain(
    textures={"brushed": _brushed, "turned": _turned, "cast": _cast, "ground": _ground},
    metals=((0.62, 0.64, 0.67), (0.74, 0.75, 0.76), (0.5, 0.5, 0.53), (0.58, 0.6, 0.58)),
    grounds=((0.1, 0.1, 0.11), (0.16, 0.2, 0.24), (0.3, 0.3, 0.3), (0.85, 0.85, 0.84)),
    lamp=(20, 160),
    turn=(-25, 25),
    tilt=(0, 16),
    ambient=(0.45, 0.65),
    vignette=(0.0, 0.25),
    noise=(0.0, 0.025),
    scale=(0.95, 1.1),
)
