"""The eye that ships tells surfaces apart, gives the same numbers again, and needs nothing but the picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import random_image
from PIL import Image
from threadpoolctl import threadpool_limits

from clipgrip.backbone.base import Backbone, Eye
from clipgrip.backbone.cache import EmbeddingCache
from clipgrip.backbone.embed import embed_images
from clipgrip.backbone.eyes import load_eye
from clipgrip.backbone.texture import Texture
from clipgrip.data.surfaces import DEMO_DOMAIN, render_surface
from clipgrip.errors import BackboneError
from clipgrip.runs.eyes import EyeFacts
from clipgrip_line.colours import WIDTH as COLOURS
from clipgrip_line.colours import colours, whitened
from clipgrip_line.texture import DIRECTIONS, REVISION, SIZE, described, spectrum

WIDTH = 295
WRITTEN: tuple[tuple[list[float], list[float]], ...] = (
    (
        [-0.17309, -0.10506, 0.06232, -0.03375, -0.01862, -0.05447, -0.0397, *[0.0] * 5, -0.02108],
        [-6.8101, 10.9829],
    ),
    (
        [
            0.02426,
            -0.07047,
            -0.00041,
            -0.0024,
            -0.03924,
            -0.02802,
            -0.15522,
            *[0.0] * 3,
            0.0219,
            0.11171,
            -0.01493,
        ],
        [1.5028, 11.3771],
    ),
)
"""Every 24th number of a picture of stripes and of a drawn surface, the sum of all, and of their sizes."""


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


def coloured(*levels: float) -> np.ndarray:
    return np.tile(np.array(levels, np.float32), (56, 56, 1))


def test_less_light_changes_no_number_of_the_colours_of_a_grey_picture() -> None:
    dark, light = (coloured(value, value, value) for value in (0.2, 0.8))
    np.testing.assert_allclose(colours(dark), colours(light), atol=2e-2)
    assert len(colours(dark)) == COLOURS


def test_another_colour_gives_other_numbers_though_nothing_else_is_in_the_picture() -> None:
    red, blue = coloured(0.6, 0.2, 0.2), coloured(0.2, 0.2, 0.6)
    assert float(np.linalg.norm(colours(red) - colours(blue))) > 0.8


def test_a_warmer_light_on_a_board_is_taken_from_the_picture() -> None:
    board = coloured(0.9, 0.9, 0.9)
    board[20:40, 20:40] = (0.2, 0.5, 0.2)
    warm = board * np.array([1.05, 1.0, 0.95], np.float32)
    np.testing.assert_allclose(whitened(warm), whitened(board), atol=0.01)
    assert float(np.abs(warm - board).max()) > 0.04


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


def test_no_embedding_of_another_revision_is_ever_read(tmp_path: Path) -> None:
    eye, former, hashes = Texture(), Texture(), ["0" * 64]
    assert f"-{REVISION}-" in eye.image_key
    former.image_key = eye.image_key.replace(f"-{REVISION}-", f"-{REVISION - 1}-")
    for one, missing in ((former, True), (eye, True), (eye, False)):
        cache = EmbeddingCache.for_backbone(one, tmp_path)
        assert cache.get(hashes).missing.tolist() == [missing]
        found = embed_images(one, [(hashes[0], lambda: random_image(0, 50, 50))], cache=cache)
        assert found.embeds.shape == (1, eye.embed_dim)


def test_a_run_of_another_revision_wants_the_version_that_made_it_or_to_be_run_anew() -> None:
    former = replace(EyeFacts.of(Texture()), fingerprint="0" * 64, image_key="texture-1-former")
    with pytest.raises(BackboneError, match="another version of clipgrip"):
        former.load()


def test_the_spectrum_is_that_of_scipys_fourier_transform() -> None:
    from scipy.fft import rfft2

    from clipgrip_line.spectra import power

    drawn = np.random.default_rng(0).random((3, 32, 32), np.float32)
    for pictures in (drawn, np.random.default_rng(1).random((1, SIZE, SIZE), np.float32)):
        waves = rfft2(pictures.astype(np.float64), axes=(1, 2))
        expected = waves.real**2 + waves.imag**2
        np.testing.assert_allclose(power(pictures), expected, rtol=1e-4, atol=1e-6 * expected.max())


def test_the_numbers_of_this_revision_are_written_down() -> None:
    """A constant that changes one of them changes every cached embedding: raise REVISION, and write these anew."""
    surface = render_surface("scratch", DEMO_DOMAIN, np.random.default_rng(3), 128)
    found = embed(Image.fromarray(stripes(0.7, 11.0)), surface)
    assert (REVISION, Texture().embed_dim) == (2, WIDTH)
    for row, (picked, sums) in zip(found.double(), WRITTEN, strict=True):
        assert row[::24].tolist() == pytest.approx(picked, abs=2e-4)
        assert [float(row.sum()), float(row.abs().sum())] == pytest.approx(sums, abs=2e-3)


def test_the_threads_of_numpys_products_move_no_bit() -> None:
    draw = np.random.default_rng(0)
    pixels = draw.integers(0, 256, (2, SIZE, SIZE, 3), dtype=np.uint8)
    found = []
    for threads in (1, 2, 3):
        with threadpool_limits(threads, user_api="blas"):
            found.append(Texture().encode_image(pixels))
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])
