"""Coloured pictures that need no pen: glyphs on paper, shapes, plain colours and patterns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (210, 35, 35),
    "green": (40, 160, 60),
    "blue": (40, 70, 210),
    "yellow": (235, 215, 40),
    "orange": (240, 135, 30),
    "purple": (130, 50, 160),
    "pink": (245, 140, 180),
    "brown": (120, 75, 40),
    "black": (15, 15, 15),
    "white": (242, 242, 242),
    "gray": (128, 128, 128),
    "cyan": (50, 205, 215),
}
SHAPES = ("circle", "square", "triangle", "star", "cross", "ring", "diamond", "hexagon", "arrow")
PATTERNS = ("stripes", "checkerboard", "dots", "grid", "waves", "noise", "gradient", "bricks")
EDGE = 64
Pixels = NDArray[np.float32]


def shade(name: str, rng: np.random.Generator) -> tuple[int, int, int]:
    """A colour near the named one."""
    wiggle = rng.normal(0, 14, 3) + rng.normal(0, 8)
    red, green, blue = np.clip(np.array(COLOURS[name]) + wiggle, 0, 255).astype(int).tolist()
    return red, green, blue


def other(name: str, rng: np.random.Generator) -> str:
    """A colour's name that is not ``name``."""
    return str(rng.choice([colour for colour in COLOURS if colour != name]))


def grain(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Sensor noise and a slow change of light over the picture."""
    pixels = np.asarray(image, np.float32)
    ramp = np.linspace(-1, 1, pixels.shape[0], dtype=np.float32)
    light = 1 + rng.uniform(-0.15, 0.15) * ramp[:, None] + rng.uniform(-0.15, 0.15) * ramp[None]
    noisy = pixels * light[..., None] + rng.normal(0, rng.uniform(0, 10), pixels.shape)
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def on_paper(mask: Image.Image, colour: str, ground: str, rng: np.random.Generator) -> Image.Image:
    """A glyph's mask as ink of one colour on paper of another, at a random place and size."""
    paper = Image.new("RGB", (EDGE, EDGE), shade(ground, rng))
    box = mask.getbbox() or (0, 0, *mask.size)
    cut = mask.crop(box)
    scale = EDGE * rng.uniform(0.5, 0.92) / max(cut.size)
    size = (max(3, round(cut.width * scale)), max(3, round(cut.height * scale)))
    cut = cut.resize(size, Image.Resampling.BILINEAR)
    slip = rng.uniform(0.2, 0.8, 2)
    at = (int((EDGE - size[0]) * slip[0]), int((EDGE - size[1]) * slip[1]))
    paper.paste(shade(colour, rng), at, cut)
    return grain(paper, rng)


def shape(name: str, colour: str, ground: str, rng: np.random.Generator) -> Image.Image:
    """One shape, turned and moved, on a plain ground."""
    big = 2 * EDGE
    mask = Image.new("L", (big, big))
    draw = ImageDraw.Draw(mask)
    radius, angle = rng.uniform(0.5, 0.95), rng.uniform(0, 2 * np.pi)
    centre = 1 + rng.uniform(-1, 1, 2) * (1 - radius) * 0.8
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    for points, ink in outline(name):
        placed = (points @ turn * radius + centre) * EDGE
        draw.polygon(placed.ravel().tolist(), fill=ink)
    paper = Image.new("RGB", (EDGE, EDGE), shade(ground, rng))
    paper.paste(shade(colour, rng), (0, 0), mask.resize((EDGE, EDGE), Image.Resampling.BOX))
    return grain(paper, rng)


def outline(name: str) -> list[tuple[NDArray[np.float64], int]]:
    """Polygons within the unit circle with their ink: 255 fills, 0 cuts out."""
    cross = [(-1, -3), (1, -3), (1, -1), (3, -1), (3, 1), (1, 1)]
    cross += [(-x, -y) for x, y in cross]
    arrow = [(0, -3), (2.2, -0.6), (0.8, -0.6), (0.8, 3), (-0.8, 3), (-0.8, -0.6), (-2.2, -0.6)]
    polygons = {
        "circle": [(regular(40), 255)],
        "square": [(regular(4), 255)],
        "triangle": [(regular(3), 255)],
        "star": [(regular(10) * np.where(np.arange(10) % 2, 0.42, 1)[:, None], 255)],
        "cross": [(np.array(cross) / 3.16, 255)],
        "ring": [(regular(40), 255), (regular(40) * 0.6, 0)],
        "diamond": [(regular(4) * [0.55, 1.0], 255)],
        "hexagon": [(regular(6), 255)],
        "arrow": [(np.array(arrow) / 3.1, 255)],
    }
    return polygons[name]


def regular(corners: int) -> NDArray[np.float64]:
    """A regular polygon's corners on the unit circle."""
    turn = np.arange(corners) * 2 * np.pi / corners
    return np.stack([np.sin(turn), -np.cos(turn)], axis=1)


def plain(colour: str, rng: np.random.Generator) -> Image.Image:
    """Nothing but a colour."""
    return grain(Image.new("RGB", (EDGE, EDGE), shade(colour, rng)), rng)


def pattern(name: str, colour: str, ground: str, rng: np.random.Generator) -> Image.Image:
    """A regular pattern of two colours, turned at random."""
    angle = rng.uniform(0, np.pi)
    if name in {"checkerboard", "bricks", "grid"}:
        angle = rng.uniform(-0.25, 0.25)
    y, x = np.mgrid[:EDGE, :EDGE].astype(np.float32)
    u = x * np.cos(angle) + y * np.sin(angle) + rng.uniform(0, 40)
    v = y * np.cos(angle) - x * np.sin(angle) + rng.uniform(0, 40)
    share = _share(name, u, v, rng.uniform(9, 18), rng)[..., None].astype(np.float32)
    ink, paper = np.array(shade(colour, rng)), np.array(shade(ground, rng))
    mixed = share * ink + (1 - share) * paper
    return grain(Image.fromarray(np.clip(mixed, 0, 255).astype(np.uint8)), rng)


def _share(
    name: str, u: Pixels, v: Pixels, period: float, rng: np.random.Generator
) -> NDArray[np.floating]:
    """How much of the ink each pixel gets, 0..1."""
    cu, cv = u / period, v / period
    row = np.floor(cv * 1.6)
    shares: dict[str, NDArray[np.floating]] = {
        "stripes": (cu % 1 < 0.5).astype(np.float32),
        "checkerboard": ((np.floor(cu) + np.floor(cv)) % 2).astype(np.float32),
        "dots": (np.hypot(cu % 1 - 0.5, cv % 1 - 0.5) < 0.33).astype(np.float32),
        "grid": np.maximum(cu % 1 < 0.2, cv % 1 < 0.2).astype(np.float32),
        "waves": ((cu + 0.35 * np.sin(cv * 4)) % 1 < 0.5).astype(np.float32),
        "noise": rng.random(u.shape),
        "gradient": (u - u.min()) / (u.max() - u.min()),
        "bricks": np.maximum((cv * 1.6) % 1 < 0.18, (cu * 0.8 + row / 2) % 1 < 0.11) * 1.0,
    }
    return shares[name]
