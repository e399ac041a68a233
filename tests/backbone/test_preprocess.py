"""Pixels are those of transformers' Pillow processor."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from PIL import Image

from clipgrip.errors import BackboneError
from clipgrip_line.preprocess import Preprocess

SIZES = [(1, 1), (1, 90), (90, 1), (224, 224), (225, 224), (223, 999), (2000, 40), (17, 1000)]


def random_sizes(count: int) -> list[tuple[int, int]]:
    rng = random.Random(7)
    return [
        (int(10 ** rng.uniform(1.4, 2.9)), int(10 ** rng.uniform(1.4, 2.9))) for _ in range(count)
    ]


def picture(width: int, height: int) -> Image.Image:
    noise = np.random.default_rng(width * 4001 + height).integers(
        0, 256, (height, width, 3), np.uint8
    )
    return Image.fromarray(noise)


def theirs(config: dict[str, Any], image: Image.Image) -> np.ndarray:
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    processor = CLIPImageProcessorPil(**config)
    pixels = processor(image, do_rescale=False, do_normalize=False, return_tensors="np")[
        "pixel_values"
    ][0]
    return np.asarray(pixels).transpose(1, 2, 0)


def test_pixels_of_300_random_sizes_are_bit_equal_to_transformers() -> None:
    config = {"size": {"shortest_edge": 224}, "crop_size": {"height": 224, "width": 224}}
    ours = Preprocess.from_config(config)
    for width, height in SIZES + random_sizes(300):
        image = picture(width, height)
        np.testing.assert_array_equal(
            ours(image), theirs(config, image), err_msg=f"{width} x {height}"
        )


@pytest.mark.parametrize(
    "config",
    [
        {"size": {"shortest_edge": 37}, "crop_size": {"height": 32, "width": 32}, "resample": 2},
        {"size": {"height": 40, "width": 30}, "do_center_crop": False},
        {"size": {"height": 41, "width": 51}, "crop_size": {"height": 32, "width": 33}},
        {"size": {"shortest_edge": 64}, "crop_size": {"height": 63, "width": 61}, "resample": 1},
    ],
)
def test_each_kind_of_configuration_is_followed(config: dict[str, Any]) -> None:
    ours = Preprocess.from_config(config)
    for width, height in [(70, 50), (50, 70), (99, 98), (33, 200)]:
        image = picture(width, height)
        pixels = ours(image)
        assert pixels.shape[:2] == ours.output_size
        np.testing.assert_array_equal(pixels, theirs(config, image))


def test_numbers_for_sizes_as_in_old_files_mean_shortest_edge_and_square_crop() -> None:
    assert Preprocess.from_config({"size": 224, "crop_size": 224}) == Preprocess.from_config(
        {"size": {"shortest_edge": 224}, "crop_size": {"height": 224, "width": 224}}
    )


def test_an_image_of_extreme_shape_needs_little_memory_and_looks_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours = Preprocess.from_config({})
    smooth = picture(3, 40).resize((30, 400), Image.Resampling.BICUBIC)
    expected = ours(smooth).astype(int)
    monkeypatch.setattr("clipgrip_line.preprocess.MOST_RESIZED_PIXELS", 1000)
    assert np.abs(ours(smooth) - expected).max() <= 2
    monkeypatch.undo()
    assert ours(picture(1, 60_000)).shape == (224, 224, 3)
    assert ours(picture(60_000, 1)).shape == (224, 224, 3)


def test_pixels_are_a_writable_array_of_their_own() -> None:
    image = picture(224, 224)
    pixels = Preprocess.from_config({})(image)
    pixels[:] = 0
    assert np.asarray(image).max() > 0


@pytest.mark.parametrize(
    "size", [{"longest_edge": 224}, {"shortest_edge": 224, "longest_edge": 300}]
)
def test_a_size_that_is_not_supported_is_named(size: dict[str, int]) -> None:
    with pytest.raises(BackboneError, match="longest_edge"):
        Preprocess.from_config({"size": size})


def test_results_of_varying_size_are_refused() -> None:
    with pytest.raises(BackboneError, match="do_center_crop"):
        _ = Preprocess.from_config({"do_center_crop": False}).output_size
