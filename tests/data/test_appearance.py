"""What a picture is like: another surface or colour changes it, another light hardly; and how far it is from others."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from clipgrip_line.pictures.appearance import WIDTH, appearance_of
from clipgrip_line.trust.scores import NEAREST, Anchors


def plate(seed: int, blur: float = 1.0, size: tuple[int, int] = (240, 180)) -> Image.Image:
    """Grain under a lamp; ``blur`` says how coarse."""
    grain = np.random.default_rng(seed).integers(0, 255, (size[1], size[0]), np.uint8)
    soft = np.asarray(Image.fromarray(grain).filter(ImageFilter.GaussianBlur(blur)), float)
    grey = 120 + 25 * (soft - soft.mean()) / soft.std()
    return Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8)).convert("RGB")


def apart(a: Image.Image, b: Image.Image) -> float:
    return float(np.linalg.norm(appearance_of(a) - appearance_of(b)))


def test_another_surface_or_colour_is_far_and_another_light_is_near() -> None:
    usual = apart(plate(0), plate(1))
    rusty = Image.fromarray((np.asarray(plate(1)) * [1.0, 0.8, 0.6]).astype(np.uint8))
    assert apart(plate(0), plate(1, blur=3.0)) > 2 * usual
    assert apart(plate(1), rusty) > 1.5 * usual
    assert apart(plate(0), ImageEnhance.Brightness(plate(0)).enhance(0.8)) < usual


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (3000, 2)])
@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (255, 0, 0)])
def test_the_smallest_and_the_plainest_pictures_have_numbers(
    size: tuple[int, int], colour: tuple[int, int, int]
) -> None:
    found = appearance_of(Image.new("RGB", size, colour))
    assert found.shape == (WIDTH,)
    assert np.isfinite(found).all()


def embedded(seed: int, n: int) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(n, 16))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_a_picture_that_the_model_knows_is_far_where_none_appears_like_it() -> None:
    known = np.stack([appearance_of(plate(seed)) for seed in range(40)])
    others = np.stack([appearance_of(plate(seed)) for seed in range(40, 60)])
    coarse = np.stack([appearance_of(plate(seed, blur=3.0)) for seed in range(40, 60)])
    anchors, embeds = Anchors.of(embedded(0, 40), known), embedded(1, 20)
    usual, new = anchors.distances(embeds, others), anchors.distances(embeds, coarse)
    assert new.min() > np.median(usual)
    assert np.median(new) > usual.max()
    plain = Anchors(embedded(0, 40)).distances(embeds, coarse)  # all that was looked at before
    assert plain.tolist() == Anchors(embedded(0, 40)).distances(embeds, others).tolist()


def test_the_distance_is_half_the_mean_square_to_the_nearest_in_both_at_equal_spread() -> None:
    draw = np.random.default_rng(2)
    known, new = draw.normal(3, 2, (2, 30, WIDTH)).astype(np.float32)
    anchors = Anchors.of(embedded(0, 30), known)
    rows = np.hstack([embedded(3, 30), anchors.weight * new]).astype(float)
    squares = ((rows[:, None] - anchors.vectors.astype(float)) ** 2).sum(2)
    expected = np.sort(squares, axis=1)[:, :NEAREST].mean(1) / 2
    np.testing.assert_allclose(anchors.distances(embedded(3, 30), new), expected, atol=1e-3)
    shares = anchors.vectors.var(0)
    assert shares[:16].sum() == pytest.approx(shares[16:].sum(), rel=0.01)


def test_pictures_that_all_appear_alike_are_compared_by_the_model_alone() -> None:
    same = np.tile(appearance_of(plate(0)), (30, 1))
    noise = np.random.default_rng(4).normal(size=same.shape)
    same += 0.01 * noise / np.linalg.norm(noise, axis=1, keepdims=True)  # as of a camera
    anchors = Anchors.of(embedded(0, 30), same)
    assert (anchors.weight, anchors.vectors.shape) == (0.0, (30, 16))
    near = embedded(3, 5) @ embedded(0, 30).T
    expected = 1 - np.sort(near, axis=1)[:, -NEAREST:].mean(1)
    np.testing.assert_allclose(anchors.distances(embedded(3, 5), same[:5]), expected, atol=1e-3)


def test_without_anchors_nothing_is_far() -> None:
    none = Anchors(np.zeros((0, 1), np.float32))
    assert none.distances(embedded(0, 4), np.zeros((4, WIDTH))).tolist() == [0.0] * 4
