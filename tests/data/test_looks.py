"""Looks are numbers of one picture: light, colour and focus each move their own."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from clipgrip_line.pictures.looks import Looks, looks_of


def part(seed: int = 0, size: tuple[int, int] = (90, 60)) -> Image.Image:
    noise = np.random.default_rng(seed).integers(60, 220, (size[1], size[0], 3), np.uint8)
    return Image.fromarray(noise).filter(ImageFilter.GaussianBlur(1))


def moved(a: Looks, b: Looks) -> set[str]:
    return {name for name in Looks._fields if abs(getattr(a, name) - getattr(b, name)) > 0.02}


def test_less_light_moves_brightness_and_hardly_sharpness_or_colour() -> None:
    dark = ImageEnhance.Brightness(part()).enhance(0.8)
    assert moved(looks_of(part()), looks_of(dark)) == {"brightness", "highlights"}


def test_blur_lowers_sharpness() -> None:
    before, after = looks_of(part()), looks_of(part().filter(ImageFilter.GaussianBlur(0.7)))
    assert after.sharpness < before.sharpness - 0.1
    assert abs(after.brightness - before.brightness) < 0.01


def test_a_colour_cast_moves_its_colour() -> None:
    pixels = np.asarray(part()).copy()
    pixels[..., 0] = (pixels[..., 0] * 0.8).astype(np.uint8)
    assert looks_of(Image.fromarray(pixels)).red < looks_of(part()).red - 0.1
    assert looks_of(Image.fromarray(pixels)).blue == pytest.approx(looks_of(part()).blue)


def test_size_and_shape_are_of_the_upright_picture() -> None:
    wide, tall = looks_of(part(size=(90, 60))), looks_of(part(size=(60, 90)))
    assert wide.size == tall.size
    assert wide.shape == pytest.approx(-tall.shape)
    assert wide.shape > 0


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (2, 2), (3000, 2)])
def test_the_smallest_and_the_strangest_pictures_have_numbers(size: tuple[int, int]) -> None:
    assert np.isfinite(looks_of(Image.new("RGB", size, (0, 0, 0)))).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (7, 3), (90, 60), (700, 500)])
def test_highlights_are_what_five_percent_exceed(size: tuple[int, int]) -> None:
    found = part(size=size)
    share = min(1.0, 256 / max(size))
    sides = tuple(max(1, round(side * share)) for side in size)
    small = np.asarray(found.resize(sides, Image.Resampling.NEAREST), np.float32)  # type: ignore[arg-type]
    light = small / 255 @ np.array([0.299, 0.587, 0.114], np.float32)
    assert looks_of(found).highlights == pytest.approx(float(np.percentile(light, 95)), abs=1e-6)
