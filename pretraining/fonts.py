"""The printed and hand-drawn typefaces on this machine, split into training and held out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

ROOT = Path("/usr/share/fonts")
SKIP = (
    "symbol",
    "dingbat",
    "d050000l",
    "noto",
    "math",
    "aenigma",
    "asana",
    "type1",
    "stickno",
    "fifth",
)
_HAND = """
breip dkg delphine klee kiloji kristi purisa chilanka rufscript femke yusei dancing ecolier
domestic isabella humor okolaks kaushan steve tomson seto comic radisnoir sjfonts staypuft
summersby leckerli lobster apropal
"""
HAND = tuple(_HAND.split())
HELD_OUT = (
    "breip",
    "dkg",
    "delphine",
    "kiloji",
    "kristi",
    "purisa",
    "tuffy",
    "ebgaramond",
    "averia",
)
SIZE = 56


@dataclass(frozen=True)
class Typeface:
    """One font file; ``hand`` says that it imitates handwriting."""

    path: Path
    hand: bool


def typefaces(*, held_out: bool, root: Path = ROOT) -> tuple[Typeface, ...]:
    """The usable fonts of one side of the split, in a fixed order."""
    found = tuple(_usable(root, held_out=held_out))
    if not found:
        raise FileNotFoundError(
            f"No usable font under {root}. Install the Debian packages that "
            "pretraining/README.md lists."
        )
    return found


def _usable(root: Path, *, held_out: bool) -> Iterator[Typeface]:
    for path in sorted(root.rglob("*")):
        name = str(path).lower()
        if path.suffix.lower() not in {".ttf", ".otf"} or any(word in name for word in SKIP):
            continue
        if any(word in name for word in HELD_OUT) == held_out and _draws_digits(path):
            yield Typeface(path, any(word in name for word in HAND))


def _draws_digits(path: Path) -> bool:
    try:
        masks = {glyph(path, text).tobytes() for text in "0123456789ag"}
    except (OSError, ValueError):
        return False
    return len(masks) == 12


def glyph(path: Path, text: str) -> Image.Image:
    """White ink on black, the glyph with a margin around it; ValueError if it has no ink."""
    font = _load(path)
    left, top, right, bottom = font.getbbox(text)
    width, height = int(right - left), int(bottom - top)
    if min(width, height) < 4:
        raise ValueError(f"{path.name} draws no {text!r}")
    image = Image.new("L", (width + height, 2 * height))
    at = (height / 2 - left, height / 2 - top)
    ImageDraw.Draw(image).text(at, text, fill=255, font=font)
    return image


_fonts: dict[Path, ImageFont.FreeTypeFont] = {}


def _load(path: Path) -> ImageFont.FreeTypeFont:
    if path not in _fonts:
        _fonts[path] = ImageFont.truetype(str(path), SIZE)
    return _fonts[path]


def choose(faces: tuple[Typeface, ...], rng: np.random.Generator) -> Typeface:
    """A typeface at random, those that imitate handwriting as often as all the others."""
    hand = [face for face in faces if face.hand]
    pool = hand if hand and rng.random() < 0.5 else faces
    return pool[int(rng.integers(len(pool)))]
