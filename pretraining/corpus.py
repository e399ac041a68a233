"""Renders the training pictures once into memory-mapped arrays, one folder per family."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipgrip.data.surfaces import SURFACE_CLASSES, render_surface
from pretraining import drawing, fonts, pens, writing
from pretraining.captions import NAMES, Facts, Scene
from pretraining.metal import TRAIN_DOMAIN

EDGE = 40
"""Pixels along one side of the model's input."""
Picture = tuple[Image.Image, Scene]


@dataclass(frozen=True)
class Look:
    """The side of every split: which fonts and which handwriting."""

    faces: tuple[fonts.Typeface, ...]
    hand: writing.Hand


def look(*, held_out: bool) -> Look:
    """What training may see, or the style that only watches it."""
    hand = writing.HELD_OUT_HAND if held_out else writing.TRAIN_HAND
    return Look(fonts.typefaces(held_out=held_out), hand)


def _pick(options: tuple[str, ...], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]


def _glyph(
    bitmap_or_mask: writing.Bitmap | Image.Image, scene: Scene, rng: np.random.Generator
) -> Picture:
    """The bitmap through the 8 x 8 sensor, or the mask as ink on paper."""
    if isinstance(bitmap_or_mask, Image.Image):
        colour = _pick(tuple(drawing.COLOURS), rng) if rng.random() < 0.3 else _pick(GREYS, rng)
        image = drawing.on_paper(bitmap_or_mask, colour, _ground(colour, rng), rng)
        return image, replace(scene, colour=colour)
    return writing.sensor(bitmap_or_mask), replace(scene, colour="white")


GREYS = ("black", "white")


def _ground(colour: str, rng: np.random.Generator) -> str:
    greys = {"black": "white", "white": "black"}
    return greys[colour] if colour in greys and rng.random() < 0.7 else drawing.other(colour, rng)


def _penned(kind: str, variants: dict[str, tuple[str, ...]], share: float) -> Render:
    def render(side: Look, rng: np.random.Generator) -> Picture:
        name = _pick(tuple(variants), rng)
        bitmap = writing.write(_pick(variants[name], rng), side.hand, rng)
        scene = Scene(kind, name, "handwritten")
        if rng.random() < share:
            return _glyph(bitmap, scene, rng)
        ink = Image.fromarray(bitmap.astype(np.uint8) * 255)
        return _glyph(ink.resize((64, 64), Image.Resampling.BICUBIC), scene, rng)

    return render


def _typed(kind: str, share: float) -> Render:
    def render(side: Look, rng: np.random.Generator) -> Picture:
        name = _pick(NAMES[kind], rng)
        face = fonts.choose(side.faces, rng)
        text = name.upper() if kind == "letter" and rng.random() < 0.5 else name
        try:
            mask = fonts.glyph(face.path, text)
        except ValueError:
            return render(side, rng)
        scene = Scene(kind, name, "handwritten" if face.hand else "printed")
        return _glyph(writing.fit_bitmap(mask, rng) if rng.random() < share else mask, scene, rng)

    return render


def _shape(_: Look, rng: np.random.Generator) -> Picture:
    name, colour = _pick(drawing.SHAPES, rng), _pick(tuple(drawing.COLOURS), rng)
    picture = drawing.shape(name, colour, drawing.other(colour, rng), rng)
    return picture, Scene("shape", name, colour=colour)


def _colour(_: Look, rng: np.random.Generator) -> Picture:
    colour = _pick(tuple(drawing.COLOURS), rng)
    return drawing.plain(colour, rng), Scene("colour", colour, colour=colour)


def _pattern(_: Look, rng: np.random.Generator) -> Picture:
    name, colour = _pick(drawing.PATTERNS, rng), _pick(tuple(drawing.COLOURS), rng)
    picture = drawing.pattern(name, colour, drawing.other(colour, rng), rng)
    return picture, Scene("pattern", name, colour=colour)


def _surface(_: Look, rng: np.random.Generator) -> Picture:
    defect, texture = _pick(SURFACE_CLASSES, rng), _pick(tuple(TRAIN_DOMAIN.textures), rng)
    picture = render_surface(
        defect, replace(TRAIN_DOMAIN, textures={texture: TRAIN_DOMAIN.textures[texture]}), rng, 72
    )
    return picture, Scene("surface", defect, style=texture)


Render = Callable[[Look, np.random.Generator], Picture]


@dataclass(frozen=True)
class Family:
    """One kind of picture: how to render it, how many, and its share of a training batch."""

    render: Render
    count: int
    share: float


FAMILIES: dict[str, Family] = {
    "digits_penned": Family(_penned("digit", pens.DIGITS, 0.75), 100_000, 0.36),
    "digits_typed": Family(_typed("digit", 0.6), 30_000, 0.10),
    "letters_penned": Family(_penned("letter", pens.CAPITALS, 0.5), 12_000, 0.04),
    "letters_typed": Family(_typed("letter", 0.3), 30_000, 0.12),
    "shapes": Family(_shape, 20_000, 0.09),
    "colours": Family(_colour, 3_000, 0.03),
    "patterns": Family(_pattern, 10_000, 0.05),
    "surfaces": Family(_surface, 40_000, 0.21),
}


@dataclass(frozen=True)
class Pictures:
    """Pixels (N, EDGE, EDGE, 3) of 0..255 and the facts (N, 4) that each shows."""

    pixels: NDArray[np.uint8]
    facts: NDArray[np.int16]


def model_input(image: Image.Image) -> NDArray[np.uint8]:
    """The picture as the model's own preprocessing would scale it."""
    return np.asarray(image.resize((EDGE, EDGE), Image.Resampling.BICUBIC), np.uint8)


def render_family(name: str, folder: Path, *, seed: int, count: int, held_out: bool) -> None:
    """Write one family's arrays unless they are already there, whole."""
    done = folder / f"{name}.facts.npy"
    if done.exists() and len(np.load(done, mmap_mode="r")) == count:
        return
    folder.mkdir(parents=True, exist_ok=True)
    pixels = np.lib.format.open_memmap(
        folder / f"{name}.pixels.npy", "w+", np.uint8, (count, EDGE, EDGE, 3)
    )
    facts = _fill(pixels, name, seed=seed, held_out=held_out)
    pixels.flush()
    _save_whole(done, facts)


def _fill(pixels: NDArray[np.uint8], name: str, *, seed: int, held_out: bool) -> Facts:
    side = look(held_out=held_out)
    family = list(FAMILIES).index(name)
    rng = np.random.default_rng([seed, family, int(held_out)])
    facts = np.empty((len(pixels), 4), np.int16)
    for row in range(len(pixels)):
        image, scene = FAMILIES[name].render(side, rng)
        pixels[row], facts[row] = model_input(image), scene.facts()
    return facts


def _save_whole(path: Path, array: Facts) -> None:
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.save(file, array)
    os.replace(part, path)


def load(name: str, folder: Path) -> Pictures:
    """One family's pictures, the pixels left on disk until they are used."""
    pixels = np.load(folder / f"{name}.pixels.npy", mmap_mode="r")
    return Pictures(pixels, np.load(folder / f"{name}.facts.npy"))
