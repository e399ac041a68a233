"""The eye that ships tells surfaces apart, gives the same numbers again, and needs nothing but the picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pictures import random_image
from PIL import Image

from clipgrip.backbone.base import Backbone, Eye
from clipgrip.backbone.embed import embed_images
from clipgrip.backbone.eyes import load_eye
from clipgrip.backbone.texture import Texture
from clipgrip.data.surfaces import DEMO_DOMAIN, render_surface
from clipgrip_line.texture import (
    COLOURS,
    DIRECTIONS,
    SIZE,
    colours,
    described,
    spectrum,
)


def stripes(angle: float, period: float = 8.0) -> np.ndarray:
    down, across = np.mgrid[:SIZE, :SIZE]
    wave = np.cos(2 * np.pi * (across * np.cos(angle) + down * np.sin(angle)) / period)
    grey = np.uint8(127 + 100 * wave)
    return np.stack([grey] * 3, axis=2)


def embed(*pictures: Image.Image) -> torch.Tensor:
    eye = Texture()
    return eye.encode_image(np.stack([eye.preprocess(picture) for picture in pictures]))


def test_it_is_an_eye_without_words_that_gives_unit_vectors() -> None:
    eye = load_eye("texture")
    assert isinstance(eye, Eye)
    assert not isinstance(eye, Backbone)
    found = embed(*(random_image(seed, 300, 200) for seed in range(3)))
    assert found.shape == (3, eye.embed_dim)
    assert torch.allclose(found.norm(dim=1), torch.ones(3), atol=1e-5)
    assert eye.encode_image(np.zeros((0, SIZE, SIZE, 3), np.uint8)).shape == (0, eye.embed_dim)


def test_a_picture_gets_the_same_numbers_alone_and_among_others() -> None:
    pictures = [random_image(seed, 64, 64) for seed in range(4)]
    assert torch.equal(embed(*pictures)[2:3], embed(pictures[2]))


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 2), (17, 5)])
def test_a_picture_of_any_shape_and_of_one_colour_has_finite_numbers(size: tuple[int, int]) -> None:
    for colour in ((0, 0, 0), (255, 255, 255), (200, 30, 30)):
        assert bool(torch.isfinite(embed(Image.new("RGB", size, colour))).all())


@pytest.mark.parametrize("mode", ["L", "RGBA", "P"])
def test_a_picture_in_another_mode_is_read_in_rgb(mode: str) -> None:
    picture = random_image(0, 60, 50).convert("L").convert(mode)
    assert torch.equal(embed(picture), embed(picture.convert("RGB")))


def test_the_spectrum_says_the_direction_of_stripes() -> None:
    strongest = [
        int(spectrum(stripes(angle)[..., 0] / np.float32(255)).argmax()) % DIRECTIONS
        for angle in (0.2, 0.2 + np.pi / 4, 0.2 + np.pi / 2)
    ]
    assert [(one - strongest[0]) % DIRECTIONS for one in strongest] == [0, 2, 4]


def test_colours_do_not_see_brightness_and_brightness_alone_is_one_colour() -> None:
    dark, light = (np.full((SIZE, SIZE, 3), value, np.uint8) for value in (40, 220))
    assert np.array_equal(colours(dark), colours(light))
    red = dark.copy()
    red[..., 0] = 200
    assert not np.allclose(colours(dark), colours(red))
    assert len(colours(red)) == COLOURS**2


def test_one_mark_changes_what_the_windows_say_at_their_most() -> None:
    plain = np.full((SIZE, SIZE, 3), 120, np.uint8)
    plain += np.random.default_rng(0).integers(0, 6, plain.shape, np.uint8)
    marked = plain.copy()
    marked[100:103, 60:160] = 250
    assert float(np.abs(described(plain) - described(marked)).max()) > 0.05


def test_surfaces_of_one_class_are_more_alike_than_of_two() -> None:
    def drawn(name: str) -> list[Image.Image]:
        return [
            render_surface(name, DEMO_DOMAIN, np.random.default_rng((1, n)), 128) for n in range(8)
        ]

    found = embed(*drawn("rust"), *drawn("no defect"))
    seen = torch.nn.functional.normalize(found - found.mean(0), dim=1)
    similar = seen @ seen.T
    assert float(similar[:8, :8].mean()) > float(similar[:8, 8:].mean()) + 0.3


def test_no_embedding_of_another_revision_is_ever_read(monkeypatch: pytest.MonkeyPatch) -> None:
    eye = Texture()
    assert str(eye.image_key).startswith("texture-1-")
    assert embed_images(eye, [("0" * 64, lambda: random_image(0, 50, 50))]).embeds.shape == (
        1,
        eye.embed_dim,
    )


def test_the_spectrum_is_that_of_scipys_fourier_transform() -> None:
    from scipy.fft import rfft2

    from clipgrip_line.texture import _power

    drawn = np.random.default_rng(0).random((3, 32, 32), np.float32)
    for pictures in (drawn, np.random.default_rng(1).random((1, SIZE, SIZE), np.float32)):
        waves = rfft2(pictures.astype(np.float64), axes=(1, 2))
        expected = waves.real**2 + waves.imag**2
        np.testing.assert_allclose(
            _power(pictures), expected, rtol=1e-4, atol=1e-6 * expected.max()
        )
