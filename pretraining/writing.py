"""From a pen skeleton to a bitmap: jitter, slant and warp the strokes, fit the box, draw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pretraining import pens

Range = tuple[float, float]
Bitmap = NDArray[np.bool_]
CANVAS = 128


@dataclass(frozen=True)
class Hand:
    """How far writing strays from its skeleton; lengths are shares of the glyph's height."""

    jitter: Range = (0.005, 0.05)
    warp: Range = (0.0, 0.09)
    shear: Range = (-0.2, 0.4)
    rotation: Range = (-0.2, 0.2)
    pen: Range = (0.09, 0.2)
    aspect: Range = (0.45, 0.95)


TRAIN_HAND = Hand()
HELD_OUT_HAND = Hand(
    jitter=(0.05, 0.06), warp=(0.09, 0.12), shear=(0.4, 0.5), pen=(0.07, 0.09), aspect=(0.6, 0.9)
)


def write(variant: str, hand: Hand, rng: np.random.Generator) -> Bitmap:
    """A 32 x 32 bitmap of one way to write a glyph, fitted to the box as form readers do."""
    pen = rng.uniform(*hand.pen)
    lines = _fit(_bend(_aspect(variant, hand, rng), hand, rng), pen, rng)
    image = Image.new("L", (CANVAS, CANVAS))
    _draw(ImageDraw.Draw(image), lines, pen * CANVAS)
    return np.asarray(image.resize((32, 32), Image.Resampling.BOX)) >= 128


def _aspect(variant: str, hand: Hand, rng: np.random.Generator) -> list[pens.Stroke]:
    jitter, width = rng.uniform(*hand.jitter), rng.uniform(*hand.aspect)
    lines = []
    for points, corners in pens.strokes(variant):
        moved = points + rng.normal(0, jitter, points.shape).astype(np.float32)
        lines.append(pens.curve(moved, corners) * np.array([width, 1], np.float32))
    return lines


def _bend(lines: list[pens.Stroke], hand: Hand, rng: np.random.Generator) -> list[pens.Stroke]:
    """Slow waves through the whole glyph, then shear and rotation."""
    amplitude = rng.uniform(*hand.warp)
    frequency, phase = rng.uniform(1.0, 5.0, (2, 2)), rng.uniform(0, 6.3, 2)
    shear, angle = rng.uniform(*hand.shear), rng.uniform(*hand.rotation)
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = np.array([[cos, sin], [-sin, cos]]) @ np.array([[1, 0], [-shear, 1]])
    bent = [line + amplitude * np.sin(line @ frequency + phase) for line in lines]
    return [(line @ _affine(matrix)).astype(np.float32) for line in bent]


def _affine(matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    return matrix.astype(np.float32)


def _fit(lines: list[pens.Stroke], pen: float, rng: np.random.Generator) -> list[pens.Stroke]:
    """Scale to the box's height (or width, if wider) less the pen; centre with a small slip."""
    points = np.concatenate(lines)
    low, high = points.min(axis=0), points.max(axis=0)
    scale = (1 - pen) / max(high[1] - low[1], high[0] - low[0], 1e-3)
    scale *= 1 if rng.random() < 0.7 else rng.uniform(0.85, 1)
    slip = rng.normal(0, 0.02, 2) * [1.5, 0.5]
    shift = 0.5 - (low + high) / 2 * scale + slip
    return [((line * scale + shift) * CANVAS).astype(np.float32) for line in lines]


def _draw(draw: ImageDraw.ImageDraw, lines: list[pens.Stroke], width: float) -> None:
    radius = width / 2
    for line in lines:
        draw.line(line.ravel().tolist(), fill=255, width=round(width), joint="curve")
        for x, y in (line[0], line[-1]):
            draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=255)


def fit_bitmap(mask: Image.Image, rng: np.random.Generator) -> Bitmap:
    """A printed glyph's mask squeezed into the same 32 x 32 box, slightly sheared and turned."""
    shear, angle = rng.uniform(-0.15, 0.3), rng.uniform(-8, 8)
    size = mask.size
    offset = -shear * size[1] / 2
    moved = mask.transform(size, Image.Transform.AFFINE, (1, shear, offset, 0, 1, 0))
    moved = moved.rotate(angle, Image.Resampling.BILINEAR)
    box = moved.getbbox() or (0, 0, *size)
    cut = moved.crop(box)
    width = cut.width / cut.height * 32 * rng.uniform(0.85, 1.15)
    fitted = cut.resize((int(np.clip(width, 4, 32)), 32), Image.Resampling.BOX)
    bitmap = np.zeros((32, 32), np.bool_)
    left = int(np.clip((32 - fitted.width) / 2 + rng.normal(0, 0.7), 0, 32 - fitted.width))
    bitmap[:, left : left + fitted.width] = np.asarray(fitted) >= rng.uniform(70, 170)
    return bitmap


def sensor(bitmap: Bitmap) -> Image.Image:
    """Ink counted in 4 x 4 blocks: 8 x 8 grey values of 0..16, stretched to 0..255, 64 x 64 RGB."""
    counts = bitmap.reshape(8, 4, 8, 4).sum(axis=(1, 3))
    small = Image.fromarray(np.round(counts * (255 / 16)).astype(np.uint8))
    return small.resize((64, 64), Image.Resampling.BICUBIC).convert("RGB")
