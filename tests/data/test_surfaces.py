"""The generated surface photographs are reproducible, varied, and apart in their two domains."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from clipgrip.data.surfaces import (
    DEMO_DOMAIN,
    SURFACE_CLASSES,
    SurfaceDomain,
    render_surface,
)
from clipgrip.errors import ConfigError
from pretraining.metal import TRAIN_DOMAIN

DOMAINS = [TRAIN_DOMAIN, DEMO_DOMAIN]


def pixels(defect: str, seed: int, domain: SurfaceDomain = DEMO_DOMAIN) -> np.ndarray:
    return np.asarray(render_surface(defect, domain, np.random.default_rng(seed), 96))


def test_the_first_class_is_the_sound_part() -> None:
    assert SURFACE_CLASSES[0] == "no defect"
    assert len(set(SURFACE_CLASSES)) == len(SURFACE_CLASSES) == 8


@pytest.mark.parametrize("defect", SURFACE_CLASSES)
def test_equal_seeds_give_equal_pictures_and_others_do_not(defect: str) -> None:
    assert np.array_equal(pixels(defect, 3), pixels(defect, 3))
    assert not np.array_equal(pixels(defect, 3), pixels(defect, 4))


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("size", [48, 128, 160])
def test_a_picture_is_square_rgb_and_well_exposed(domain: SurfaceDomain, size: int) -> None:
    image = render_surface("rust", domain, np.random.default_rng(0), size)
    assert (image.mode, image.size) == ("RGB", (size, size))
    values = np.asarray(image)
    assert 25 < values.mean() < 230
    assert values.std() > 10


@pytest.mark.parametrize("defect", SURFACE_CLASSES[1:])
def test_each_defect_changes_the_relief_and_nothing_else_draws_before_it(defect: str) -> None:
    """Part and texture are drawn first, so equal seeds differ by the defect."""
    pictures = [pixels(defect, seed).astype(float) for seed in range(6)]
    sound = [pixels("no defect", seed).astype(float) for seed in range(6)]
    apart = [np.abs(a - b).mean() for a, b in zip(pictures, sound, strict=True)]
    assert np.mean(apart) > 2


def test_the_textures_of_the_domains_are_those_that_are_written_down() -> None:
    assert sorted(TRAIN_DOMAIN.textures) == ["brushed", "cast", "ground", "turned"]
    assert sorted(DEMO_DOMAIN.textures) == ["hammered", "knurled", "milled"]


def test_the_two_domains_share_no_texture_metal_or_ground() -> None:
    for name in ("textures", "metals", "grounds"):
        assert not set(getattr(TRAIN_DOMAIN, name)) & set(getattr(DEMO_DOMAIN, name)), name


def test_the_two_domains_ranges_do_not_overlap() -> None:
    ranges = [field.name for field in fields(SurfaceDomain) if field.type == "Range"]
    assert len(ranges) == 7
    for name in ranges:
        (low, high), (other_low, other_high) = (getattr(domain, name) for domain in DOMAINS)
        assert high <= other_low or other_high <= low, name


def test_an_unknown_defect_lists_the_known_ones_and_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r'Known: no defect, scratch.*mean "scratch"'):
        render_surface("scrach", DEMO_DOMAIN, np.random.default_rng(0), 64)
