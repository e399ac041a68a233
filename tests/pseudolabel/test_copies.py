"""An image that stands in a pool several times is asked once."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from golden_pools import clusters

from clipgrip.pseudolabel import refine, refined
from clipgrip.pseudolabel.refine import REFINERS
from clipgrip.pseudolabel.refine.copies import copies_among

POOL = clusters([30, 20, 10, 25], noise=0.8)


def test_a_pool_without_copies_is_read_as_it_is() -> None:
    assert copies_among(POOL.images) is None


def test_copies_are_found_in_any_order_and_in_half_precision() -> None:
    order = torch.randperm(170, generator=torch.Generator().manual_seed(0))
    images = POOL.images.repeat(2, 1)[order]
    for embeds in (images, images.half()):
        copies = copies_among(embeds)
        assert copies is not None
        assert len(copies.first) == 85
        assert torch.equal(copies.image_of, copies.image_of[copies.first][copies.image_of])
        assert torch.equal(embeds[copies.first][copies.image_of], embeds)
        assert torch.equal(copies.first, copies.first.sort().values)


def test_rounding_makes_no_other_image() -> None:
    rounded = F.normalize(POOL.images * (1 + 1e-7), dim=1)
    copies = copies_among(torch.cat([POOL.images, rounded]))
    assert copies is not None
    assert copies.first.tolist() == list(range(85))
    assert torch.equal(copies.image_of, torch.arange(85).repeat(2))


def test_copies_astride_an_edge_of_a_grid_are_one_image_and_neighbours_are_not() -> None:
    draw = torch.Generator().manual_seed(2)
    images = F.normalize(torch.randn(2000, 16, generator=draw), dim=1)
    moved = [
        F.normalize(images + 1e-7 * torch.randn(2000, 16, generator=draw), dim=1) for _ in range(3)
    ]
    copies = copies_among(torch.cat([images, *moved]))
    assert copies is not None
    assert torch.equal(copies.image_of, torch.arange(2000).repeat(4))
    assert copies_among(torch.cat([images, F.normalize(images + 1e-3, dim=1)])) is None


@pytest.mark.parametrize("method", REFINERS)
def test_copies_change_no_answer(method: str) -> None:
    once = refine(POOL.images, POOL.classes, logit_scale=100, method=method)
    for rows in (torch.arange(85).repeat(5), torch.cat([torch.arange(85), torch.arange(20)])):
        again = refine(POOL.images[rows], POOL.classes, logit_scale=100, method=method)
        torch.testing.assert_close(again, once[rows])


def test_copies_are_not_counted_as_images_per_class() -> None:
    found = refined(POOL.images[:12].repeat(50, 1), POOL.classes, logit_scale=100)
    assert found.evidence is not None
    assert found.evidence.images_per_class == 3


def test_a_label_holds_for_its_copies_and_each_label_stays_where_it_was_given() -> None:
    images = POOL.images.repeat(2, 1)
    labels = torch.full((170,), -1)
    labels[85], labels[1], labels[86] = 2, 0, 3  # the copy of row 0; both rows of another image
    probs = refine(images, POOL.classes, logit_scale=100, labeled=labels)
    assert probs[[0, 85]].argmax(1).tolist() == [2, 2]
    assert probs[[1, 86]].argmax(1).tolist() == [0, 3]
