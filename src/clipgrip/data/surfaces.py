"""Generated photographs of metal parts, sound or with one defect, for the demo and for tests.

A part is a relief (height and colour on a square grid) that gets a machined texture and a defect, is
shaded by one lamp, tilted in front of the camera, and exposed with vignette and sensor noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from clipgrip.data.relief import DEFECTS, REACH, TEXTURES, Grid, Relief, smooth_noise
from clipgrip.errors import ConfigError, nearest

Range = tuple[float, float]
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class SurfaceDomain:
    """Where the photographs are taken: angles in degrees, brightness as a share of full scale."""

    textures: tuple[str, ...]
    metals: tuple[Colour, ...]
    grounds: tuple[Colour, ...]
    lamp: Range
    turn: Range
    tilt: Range
    ambient: Range
    vignette: Range
    noise: Range
    scale: Range


TRAIN_DOMAIN = SurfaceDomain(
    textures=("brushed", "turned", "cast", "ground"),
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
DEMO_DOMAIN = SurfaceDomain(
    textures=("hammered", "milled", "knurled"),
    metals=((0.66, 0.58, 0.42), (0.55, 0.57, 0.62), (0.52, 0.5, 0.48)),
    grounds=((0.2, 0.16, 0.13), (0.12, 0.17, 0.13), (0.45, 0.42, 0.38)),
    lamp=(200, 340),
    turn=(28, 62),
    tilt=(18, 32),
    ambient=(0.35, 0.45),
    vignette=(0.28, 0.45),
    noise=(0.028, 0.045),
    scale=(1.12, 1.25),
)


SURFACE_CLASSES: tuple[str, ...] = tuple(DEFECTS)


def render_surface(
    defect: str, domain: SurfaceDomain, rng: np.random.Generator, size: int
) -> Image.Image:
    """One RGB photograph of ``size`` x ``size`` pixels; equal generators give equal pictures."""
    if defect not in DEFECTS:
        known = ", ".join(SURFACE_CLASSES)
        raise ConfigError(
            'No surface class "{defect}". Known: {known}.{nearest}',
            defect=defect,
            known=known,
            nearest=nearest(defect, SURFACE_CLASSES),
        )
    texture = domain.textures[int(rng.integers(len(domain.textures)))]
    part = DEFECTS[defect](TEXTURES[texture](_blank(domain, rng, size), rng), rng)
    flat = _over_ground(part, _shade(part, domain, rng), domain, rng)
    return _expose(_tilt(flat, domain, rng, size), domain, rng)


def _blank(domain: SurfaceDomain, rng: np.random.Generator, size: int) -> Relief:
    """A plain part with rounded corners and a bevelled outline."""
    axis = np.linspace(-REACH, REACH, size, dtype=np.float32)
    x, y = np.meshgrid(axis, axis)
    half, corner = rng.uniform(0.85, 1.0, 2), rng.uniform(0.08, 0.6)
    beyond_x, beyond_y = np.abs(x) - half[0] + corner, np.abs(y) - half[1] + corner
    edge = np.hypot(np.maximum(beyond_x, 0), np.maximum(beyond_y, 0)) - corner
    edge = (edge + np.minimum(np.maximum(beyond_x, beyond_y), 0)).astype(np.float32)
    metal = np.array(domain.metals[int(rng.integers(len(domain.metals)))], np.float32)
    colour = np.broadcast_to(metal * rng.uniform(0.88, 1.1), (size, size, 3)).astype(np.float32)
    return Relief(x, y, np.minimum(0, -0.25 * np.maximum(edge + 0.06, 0)), colour, edge)


def _shade(part: Relief, domain: SurfaceDomain, rng: np.random.Generator) -> Grid:
    """Colour under a lamp: ambient, diffuse and a soft highlight; also uneven light."""
    lamp, ambient = np.deg2rad(rng.uniform(*domain.lamp)), rng.uniform(*domain.ambient)
    slope_y, slope_x = np.gradient(part.height, 2 * REACH / part.x.shape[0])
    facing = -slope_x * np.cos(lamp) - slope_y * np.sin(lamp)
    steep = np.sqrt(1 + slope_x**2 + slope_y**2)
    diffuse = np.clip(0.8 + 0.6 * facing, 0, None) / steep
    place = part.x * np.cos(lamp) + part.y * np.sin(lamp)
    band = np.exp(-(((place + 1.2 * facing - rng.uniform(-0.5, 0.9)) / 0.7) ** 2))
    light = ambient + (1.1 - ambient) * diffuse + 0.22 * band + 0.1 * place
    return (part.colour * light[..., None]).astype(np.float32)


def _over_ground(
    part: Relief, shaded: Grid, domain: SurfaceDomain, rng: np.random.Generator
) -> Image.Image:
    """The part with its soft shadow on the conveyor."""
    n = part.x.shape[0]
    ground = np.array(domain.grounds[int(rng.integers(len(domain.grounds)))], np.float32)
    mottle = 1 + 0.06 * smooth_noise((n, n), n / 40, rng)[..., None]
    shadow = 1 - 0.5 * np.exp(-np.clip(part.edge, 0, None) / 0.09)[..., None]
    cover = np.clip(0.5 - part.edge * n / (2 * REACH), 0, 1)[..., None]
    mixed = shaded * cover + ground * mottle * shadow * (1 - cover)
    return Image.fromarray((np.clip(mixed, 0, 1) * 255).astype(np.uint8))


def _tilt(
    flat: Image.Image, domain: SurfaceDomain, rng: np.random.Generator, size: int
) -> Image.Image:
    """The plane seen by a camera that is turned and tilted; a perspective mapping."""
    turn, tilt = np.deg2rad(rng.uniform(*domain.turn)), np.deg2rad(rng.uniform(*domain.tilt))
    zoom, way = rng.uniform(*domain.scale) * size / 2 / REACH * 1.05, rng.uniform(0, 6.28)
    slip = rng.uniform(-0.08, 0.08, 2)
    lens = np.array([[1 / zoom, 0, -size / 2 / zoom], [0, 1 / zoom, -size / 2 / zoom], [0, 0, 1]])
    lean = np.eye(3)
    lean[2, :2] = np.sin(tilt) * 0.35 * np.array([np.cos(way), np.sin(way)])
    lean[1, 1] = 1 / np.cos(tilt)
    spin = np.array([[np.cos(turn), -np.sin(turn), slip[0]], [np.sin(turn), np.cos(turn), slip[1]]])
    pixels = size / 2 / REACH
    grid = np.array([[pixels, 0, size / 2], [0, pixels, size / 2], [0, 0, 1]])
    matrix = grid @ np.vstack([spin, [0, 0, 1]]) @ lean @ lens
    mapping = (matrix / matrix[2, 2]).ravel()[:8].tolist()
    mean = tuple(int(value) for value in np.asarray(flat)[0].mean(axis=0))
    return flat.transform(
        (size, size), Image.Transform.PERSPECTIVE, mapping, Image.Resampling.BICUBIC, fillcolor=mean
    )


def _expose(image: Image.Image, domain: SurfaceDomain, rng: np.random.Generator) -> Image.Image:
    """Vignette, white balance and sensor noise."""
    pixels = np.asarray(image, np.float32) / 255
    axis = np.linspace(-1, 1, pixels.shape[0], dtype=np.float32)
    falloff = 1 - rng.uniform(*domain.vignette) * (axis[:, None] ** 2 + axis[None] ** 2) / 2
    balance = 1 + rng.uniform(-0.04, 0.04, 3)
    grain = rng.normal(0, rng.uniform(*domain.noise), pixels.shape)
    final = pixels * falloff[..., None] * balance * rng.uniform(0.92, 1.08) + grain
    return Image.fromarray((np.clip(final, 0, 1) * 255).astype(np.uint8))
