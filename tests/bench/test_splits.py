"""Splits that anyone can draw again."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from clipgrip.bench.splits import PAPER_SEEDS, few_shots, hold_out, paper_seen
from clipgrip.data.classes import ClassNames
from clipgrip.data.manifest import Manifest
from clipgrip.data.rows import Row
from clipgrip.data.sources import BytesSource
from clipgrip.errors import DataError


@pytest.mark.parametrize("classes", [10, 45, 47, 100, 102])
@pytest.mark.parametrize("seed", PAPER_SEEDS)
def test_seen_classes_are_those_of_the_published_code_in_its_order(classes: int, seed: int) -> None:
    state = np.random.get_state()
    np.random.seed(seed)
    published = np.random.choice(range(classes), int(0.62 * classes), replace=False).tolist()
    np.random.set_state(state)
    assert paper_seen(classes, seed) == published
    assert np.random.get_state()[1].tolist() == state[1].tolist()  # type: ignore[index,union-attr]


def test_the_known_order_of_ten_classes() -> None:
    assert paper_seen(10, 500) == [int(c) for c in np.random.RandomState(500).permutation(10)[:6]]
    assert paper_seen(10, 0) == [2, 8, 4, 9, 1, 6]


def manifest(counts: list[int]) -> Manifest:
    rows = [
        Row(f"{c}{n}".rjust(64, "0"), (f"{c}/{n}.png",), c, "pool", BytesSource(b""))
        for c, count in enumerate(counts)
        for n in range(count)
    ]
    return Manifest(tuple(rows), ClassNames.from_names([f"class {c}" for c in range(len(counts))]))


def test_each_class_gives_its_share_to_the_test_and_keeps_one() -> None:
    held = hold_out(manifest([10, 2, 7]), 0.3)
    assert torch.bincount(torch.from_numpy(held.labels[held.test])).tolist() == [3, 1, 2]
    assert torch.bincount(torch.from_numpy(held.labels[held.pool])).tolist() == [7, 1, 5]
    again = hold_out(manifest([10, 2, 7]), 0.3)
    assert again.fingerprint == held.fingerprint
    with pytest.raises(DataError, match='class "class 1" has 1 image'):
        hold_out(manifest([3, 1]), 0.5)


def test_each_seed_draws_other_labels_of_each_class() -> None:
    truth = torch.arange(40) % 4
    first, again, other = (few_shots(truth, 4, 2, seed) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.bincount(first[first >= 0]).tolist() == [2, 2, 2, 2]
    assert torch.equal(first[first >= 0], truth[first >= 0])
