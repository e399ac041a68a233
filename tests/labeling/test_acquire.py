"""Which images are asked about: typical, diverse, doubtful; once each, never the audit's, in any order of rows."""

from __future__ import annotations

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as some
from torch import Tensor

from clipgrip.errors import ConfigError, DataError
from clipgrip.labeling import coverage
from clipgrip.labeling.acquire import doubt, helpful, representative

DIM = 16


def clusters(counts: list[int], *, noise: float = 0.3, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Images (N, D) in a narrow cone, some around each centre, and which centre (N,)."""
    drawn = torch.Generator().manual_seed(seed)
    centres = torch.randn(len(counts), DIM, generator=drawn)
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    spread = noise * torch.randn(len(labels), DIM, generator=drawn)
    common = 3 * torch.randn(DIM, generator=drawn)
    return F.normalize(common + centres[labels] + spread, dim=1), labels


def answers(rows: int, classes: int = 4, seed: int = 0) -> Tensor:
    """(N, C) random answers."""
    drawn = torch.Generator().manual_seed(seed)
    return (3 * torch.randn(rows, classes, generator=drawn)).softmax(1)


def test_one_image_of_each_cluster_comes_before_a_second_of_any() -> None:
    images, labels = clusters([30, 5, 20, 10])
    assert sorted(labels[representative(images, 4)].tolist()) == [0, 1, 2, 3]


def test_the_first_image_is_of_the_largest_cluster_and_near_its_middle() -> None:
    images, labels = clusters([40, 10, 10])
    first = representative(images, 1)
    assert int(labels[first]) == 0
    middle = images[labels == 0].mean(0)
    near = (images[labels == 0] @ middle).argsort(descending=True)[:10]
    assert int(first) in near.tolist()


def test_near_duplicates_come_once() -> None:
    images, _ = clusters([6] * 5)
    twins = torch.cat([images, images, F.normalize(images + 1e-4 * torch.randn(30, DIM), dim=1)])
    chosen = representative(twins, 25) % 30
    assert len(set(chosen.tolist())) == len(chosen) == 25
    copies = images[:1].repeat(9, 1)
    assert representative(copies, 5).tolist() == [0]
    assert representative(torch.cat([copies, images[6:7]]), 5).tolist() == [0, 9]


def test_answered_images_count_as_covered_and_a_budget_can_be_spent_bit_by_bit() -> None:
    images, labels = clusters([20] * 6)
    whole = representative(images, 10)
    assert representative(images, 4).tolist() == whole[:4].tolist()
    rest = representative(images, 6, labeled=whole[:4])
    assert rest.tolist() == whole[4:].tolist()
    assert set(labels[representative(images, 3, labeled=whole[:3])].tolist()).isdisjoint(
        labels[whole[:3]].tolist()
    )


def test_doubtful_images_come_first_and_of_these_the_ones_that_are_many() -> None:
    images, labels = clusters([20] * 4, noise=0.8)
    sure, torn = torch.tensor([1.0, 0, 0, 0]), torch.tensor([0.5, 0.5, 0, 0])
    probs = torch.where((labels == 2)[:, None], torn, sure)
    assert set(labels[helpful(images, probs, 2)].tolist()) == {2}
    both = torch.where(((labels == 2) | (labels == 1))[:, None], torn, sure)
    assert set(labels[helpful(images, both, 2)].tolist()) == {1, 2}


def test_an_answered_image_is_no_longer_doubtful_and_sure_answers_leave_what_is_typical() -> None:
    images, _ = clusters([10] * 4)
    sure = torch.eye(4).repeat_interleave(10, 0)
    assert helpful(images, sure, 4).tolist() == representative(images, 4).tolist()
    everyone = torch.arange(40)
    assert helpful(images, sure, 4, labeled=everyone).tolist() == []


def test_models_that_contradict_each_other_make_doubt() -> None:
    images, labels = clusters([15] * 4, noise=0.8)
    one = F.one_hot(labels, 4).float()
    other = torch.where((labels == 3)[:, None], one.roll(1, 1), one)
    assert set(labels[helpful(images, one, 2, votes=[other])].tolist()) == {3}
    assert doubt([one, other])[labels == 3].tolist() == [0.5] * 15


@settings(max_examples=40, deadline=None)
@given(
    some.lists(some.integers(2, 9), min_size=2, max_size=6),
    some.integers(0, 30),
    some.integers(0, 2**20),
)
def test_rows_come_once_never_excluded_or_answered_and_always_the_same(
    counts: list[int], n: int, seed: int
) -> None:
    images, _ = clusters(counts, seed=seed)
    rows = len(images)
    order = torch.randperm(rows, generator=torch.Generator().manual_seed(seed))
    kept = {"labeled": order[: rows // 5], "excluded": order[rows // 5 : rows // 3]}
    probs = answers(rows, seed=seed)
    for choose in (representative, partial(helpful, probs=probs)):
        chosen = choose(images, n=n, **kept).tolist()
        assert chosen == choose(images, n=n, **kept).tolist()
        assert len(set(chosen)) == len(chosen) <= n
        assert set(chosen).isdisjoint(order[: rows // 3].tolist())


@pytest.mark.parametrize("seed", range(5))
def test_rows_in_another_order_are_the_same_images(seed: int) -> None:
    images, _ = clusters([12, 9, 15, 7], noise=0.8, seed=seed)
    probs, order = answers(len(images), seed=seed), torch.randperm(len(images))
    back = order.argsort()  # where each row stands now
    for choose, more in ((representative, {}), (helpful, {"probs": probs})):
        first = choose(images, n=8, labeled=[3], excluded=[5, 6], **more)
        moved = {name: value[order] for name, value in more.items()}
        kept = {"labeled": back[[3]], "excluded": back[[5, 6]]}
        assert order[choose(images[order], n=8, **kept, **moved)].tolist() == first.tolist()


def test_of_equal_images_the_lower_row_comes() -> None:
    images = torch.eye(4)[[2, 0, 0, 1, 1, 3]]
    assert representative(images, 4).tolist() == [1, 3, 0, 5]
    assert representative(images, 4, excluded=[1]).tolist() == [2, 3, 0, 5]


def test_many_images_are_seen_through_a_sample_that_the_seed_draws(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(coverage, "SAMPLE", 100)
    images, labels = clusters([100] * 5)
    chosen = representative(images.half(), 5, seed=3)
    assert sorted(labels[chosen].tolist()) == [0, 1, 2, 3, 4]
    assert chosen.tolist() == representative(images.half(), 5, seed=3).tolist()
    assert chosen.tolist() != representative(images.half(), 5, seed=4).tolist()
    torn = torch.where((labels == 2)[:, None], torch.tensor([0.5, 0.5]), torch.tensor([1.0, 0.0]))
    assert int(labels[helpful(images, torn, 1)]) == 2


def test_nothing_is_asked_where_nothing_is_left() -> None:
    images, _ = clusters([4, 4])
    assert representative(images, 0).tolist() == []
    assert representative(images[:0], 5).tolist() == []
    assert representative(images, 5, excluded=range(8)).tolist() == []
    assert len(representative(images, 50)) == 8


def test_wrong_input_is_named() -> None:
    images, _ = clusters([4, 4])
    with pytest.raises(ConfigError, match="n = -1"):
        representative(images, -1)
    with pytest.raises(DataError, match="one of the 8 images"):
        representative(images, 1, labeled=[8])
    with pytest.raises(DataError, match=r"\(7, 4\) do not belong to 8 images"):
        helpful(images, answers(7), 1)
    with pytest.raises(DataError, match="do not belong"):
        helpful(images, answers(8), 1, votes=[answers(8, 3)])
