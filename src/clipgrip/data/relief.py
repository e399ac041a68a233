"""The relief of a generated metal part: its machined texture and its defect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Grid = NDArray[np.float32]
REACH = 1.3
"""Half the width of the rendered square; the part itself reaches to about 1."""


@dataclass(frozen=True)
class Relief:
    """A part before the camera: grids (n, n) over x and y in -REACH..REACH."""

    x: Grid
    y: Grid
    height: Grid
    colour: Grid
    edge: Grid
    """Signed distance to the outline, negative inside the part."""


def smooth_noise(
    shape: tuple[int, int], sigma: float | tuple[float, float], rng: np.random.Generator
) -> Grid:
    """Blurred white noise with unit variance; ``sigma`` in pixels, one or per axis."""
    white = rng.standard_normal(shape).astype(np.float32)
    blurred = ndimage.gaussian_filter(white, sigma, mode="wrap")
    return np.asarray((blurred - blurred.mean()) / (blurred.std() + 1e-6), np.float32)


# Textures: relief in, relief out.


def _hammered(part: Relief, rng: np.random.Generator) -> Relief:
    n = part.x.shape[0]
    bumps = np.abs(smooth_noise((n, n), n / 22, rng))
    return replace(part, height=part.height + 0.02 * bumps.astype(np.float32))


def _milled(part: Relief, rng: np.random.Generator) -> Relief:
    pitch = rng.uniform(0.16, 0.3)
    lane = np.floor(part.y / pitch)
    inside = part.y / pitch - lane - 0.5
    arcs = np.sin((part.x + 0.6 * inside**2) * rng.uniform(40, 60) + lane * 2.1)
    return toned(part, 0.06 * arcs - 0.08 * (np.abs(inside) > 0.45))


def _knurled(part: Relief, rng: np.random.Generator) -> Relief:
    pitch = rng.uniform(20, 30)
    waves = np.sin((part.x + part.y) * pitch) + np.sin((part.x - part.y) * pitch)
    return replace(toned(part, 0.03 * waves), height=part.height + 0.004 * waves)


def toned(part: Relief, tone: NDArray[np.floating]) -> Relief:
    """The part with its colours lighter or darker by a share (n, n)."""
    return replace(part, colour=(part.colour * (1 + tone[..., None])).astype(np.float32))


# Defects: relief in, relief out.


def _sound(part: Relief, _: np.random.Generator) -> Relief:
    return part


def _scratch(part: Relief, rng: np.random.Generator) -> Relief:
    start, angle, length = rng.uniform(-0.55, 0.55, 2), rng.uniform(0, 6.28), rng.uniform(0.6, 1.3)
    bend, width = rng.uniform(-0.25, 0.25), rng.uniform(0.014, 0.026)
    t = np.linspace(-0.5, 0.5, 24)
    path = start * 0.6 + length * _turn(np.stack([t, bend * (t**2 - 0.1)], 1), angle)
    for shift in range(int(rng.integers(1, 4))):
        gap = shift * rng.uniform(0.05, 0.12)
        near = _to_path(part, path + _turn(np.array([[0.0, gap]]), angle))
        core = np.exp(-((near / width) ** 2))
        rim = np.exp(-((near / (2.2 * width)) ** 2)) - core
        part = toned(part, 0.55 * core - 0.45 * rim)
    return part


def _dent(part: Relief, rng: np.random.Generator) -> Relief:
    at, radius = rng.uniform(-0.5, 0.5, 2), rng.uniform(0.16, 0.34)
    stretch, angle = rng.uniform(0.7, 1.0), rng.uniform(0, 3.14)
    away = _turn(np.stack([part.x - at[0], part.y - at[1]], -1), -angle) / [
        radius,
        radius * stretch,
    ]
    bowl = np.exp(-((away**2).sum(-1) ** 1.5))
    return replace(part, height=(part.height - rng.uniform(0.7, 1.1) * radius * bowl).astype("f4"))


def _stain(part: Relief, rng: np.random.Generator) -> Relief:
    blot = _blot(part, rng, reach=rng.uniform(0.25, 0.5), roughness=0.3, soft=0.3)
    ring = 4 * blot * (1 - blot)
    tints = ((0.35, 0.33, 0.3), (0.45, 0.5, 0.62), (0.6, 0.52, 0.3))
    tint = np.array(tints[int(rng.integers(3))]) * rng.uniform(0.8, 1.1)
    wet = 1 - (0.85 * blot + 0.12 * ring)[..., None] * (1 - tint)
    return replace(part, colour=(part.colour * wet).astype(np.float32))


def _crack(part: Relief, rng: np.random.Generator) -> Relief:
    near = np.full_like(part.x, 9.0)
    at, angle = rng.uniform(-0.7, -0.2, 2) * rng.choice([-1, 1], 2), 0.0
    angle = float(np.arctan2(-at[1], -at[0])) + rng.uniform(-0.5, 0.5)
    for branch in range(int(rng.integers(2, 4))):
        path = _walk(at, angle, int(rng.integers(8, 14)) if branch == 0 else 5, rng)
        near = np.minimum(near, _to_path(part, path))
        at, angle = path[len(path) // 2], angle + rng.choice([-1, 1]) * rng.uniform(0.5, 1.0)
    core = np.exp(-((near / rng.uniform(0.014, 0.026)) ** 2))
    return replace(toned(part, -0.9 * core), height=(part.height - 0.01 * core).astype("f4"))


def _burr(part: Relief, rng: np.random.Generator) -> Relief:
    n = part.x.shape[0]
    side = np.cos(np.arctan2(part.y, part.x) - rng.uniform(0, 6.28))
    along = np.clip((side - rng.uniform(0.55, 0.75)) * 6, 0, 1)
    teeth = np.clip(smooth_noise((n, n), n / 60, rng) * 0.5 + 0.6, 0, 1.6) * along
    grown = part.edge - 0.17 * teeth
    lip = along * np.exp(-(((grown + 0.03) / 0.05) ** 2))
    shade = along * np.exp(-(((part.edge + 0.09) / 0.03) ** 2))
    return replace(toned(part, 0.6 * lip - 0.45 * shade), edge=grown.astype(np.float32))


def _hole(part: Relief, rng: np.random.Generator) -> Relief:
    at, radius = rng.uniform(-0.5, 0.5, 2), rng.uniform(0.1, 0.22)
    away = np.hypot(part.x - at[0], part.y - at[1]) - radius
    inside = 1 / (1 + np.exp(np.clip(away / 0.012, -30, 30)))
    rim = np.exp(-((away / 0.035) ** 2)) * (1 - inside)
    return toned(part, -0.93 * inside + 0.4 * rim)


def _rust(part: Relief, rng: np.random.Generator) -> Relief:
    n = part.x.shape[0]
    patch = _blot(part, rng, reach=rng.uniform(0.35, 0.7), roughness=0.7, soft=0.2)
    grain = 0.75 + 0.25 * smooth_noise((n, n), 0.7, rng)
    oxide = (
        np.array([0.52, 0.25, 0.1]) * rng.uniform(0.8, 1.15) * np.clip(grain, 0.2, 1.4)[..., None]
    )
    share = (patch * rng.uniform(0.8, 1.0))[..., None]
    return replace(part, colour=(part.colour * (1 - share) + oxide * share).astype(np.float32))


def _turn(xy: NDArray[np.floating], angle: float) -> NDArray[np.floating]:
    cos, sin = np.cos(angle), np.sin(angle)
    return xy @ np.array([[cos, sin], [-sin, cos]])


def _walk(
    at: NDArray[np.floating], angle: float, steps: int, rng: np.random.Generator
) -> NDArray[np.floating]:
    """A jagged line of ``steps`` short straight pieces."""
    angles = angle + rng.normal(0, 0.65, steps)
    moves = np.stack([np.cos(angles), np.sin(angles)], 1) * rng.uniform(0.06, 0.15, (steps, 1))
    return np.concatenate([at[None], at + np.cumsum(moves, axis=0)])


def _to_path(part: Relief, path: NDArray[np.floating]) -> Grid:
    """Distance of each grid point to a polyline."""
    points = np.stack([part.x, part.y], -1)
    best = np.full_like(part.x, 9.0)
    for start, end in zip(path[:-1].astype("f4"), path[1:].astype("f4"), strict=True):
        step = end - start
        t = np.clip(((points - start) @ step) / (step @ step + 1e-9), 0, 1)
        best = np.minimum(best, np.hypot(*np.moveaxis(points - start - t[..., None] * step, -1, 0)))
    return best


def _blot(
    part: Relief, rng: np.random.Generator, *, reach: float, roughness: float, soft: float
) -> Grid:
    """An irregular patch, 0 outside and 1 inside."""
    n, at = part.x.shape[0], rng.uniform(-0.45, 0.45, 2)
    away = np.hypot(part.x - at[0], (part.y - at[1]) * rng.uniform(0.8, 1.3)) / reach
    rough = smooth_noise((n, n), n / 16, rng) + 0.5 * smooth_noise((n, n), n / 50, rng)
    return np.clip((1 - away + roughness * rough) / soft + 0.5, 0, 1).astype(np.float32)


Stage = Callable[[Relief, np.random.Generator], Relief]
TEXTURES: dict[str, Stage] = {"hammered": _hammered, "milled": _milled, "knurled": _knurled}
DEFECTS: dict[str, Stage] = {
    "no defect": _sound,
    "scratch": _scratch,
    "dent": _dent,
    "stain": _stain,
    "crack": _crack,
    "burr": _burr,
    "hole": _hole,
    "rust": _rust,
}
