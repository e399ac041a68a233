"""Selection: at most one label per image, the surest first, whatever the order of files."""

from __future__ import annotations

import time

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.research.selectors import own_best_class
from clipgrip.pseudolabel.select.chosen import Chosen, Selector
from clipgrip.pseudolabel.select.top import balanced
from clipgrip.types import Probs

FILLING = {"own-best-class": own_best_class, "balanced": balanced}
"""Rules that take images while they last; the others are in test_rules.py."""
each_selector = pytest.mark.parametrize("select", FILLING.values(), ids=list(FILLING))
quick = settings(deadline=None, max_examples=80, derandomize=True)


def untied(rows: int, classes: int, seed: int) -> Probs:
    """Distinct values in each row and column."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randperm(rows * classes, generator=generator) + 1
    return values.view(rows, classes).double() / (rows * classes + 1)


@st.composite
def pools(draw: st.DrawFn, levels: int | None = None) -> Probs:
    """(N, C); with ``levels``, so few distinct values that ties are everywhere."""
    rows, classes = draw(st.integers(0, 14)), draw(st.integers(1, 5))
    seed = draw(st.integers(0, 10**6))
    if levels is None:
        return untied(rows, classes, seed)
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, levels, (rows, classes), generator=generator) / levels


any_pool = st.one_of(pools(), pools(levels=3))
ks = st.integers(1, 6)


def greedy(probs: Probs, k: int) -> dict[int, int]:
    """Brute force: over all pairs from the surest on; ties to the lower row, then the lower class."""
    rows, classes = probs.shape
    pairs = [(-float(probs[r, c]), r, c) for r in range(rows) for c in range(classes)]
    chosen: dict[int, int] = {}
    for _, row, label in sorted(pairs):
        if row not in chosen and list(chosen.values()).count(label) < k:
            chosen[row] = label
    return chosen


def as_dict(chosen: Chosen) -> dict[int, int]:
    return dict(zip(chosen.rows.tolist(), chosen.labels.tolist(), strict=True))


@each_selector
@quick
@given(probs=any_pool, k=ks)
def test_each_image_is_chosen_once_in_order_with_its_own_confidence(
    select: Selector, probs: Probs, k: int
) -> None:
    chosen = select(probs, k)
    rows = chosen.rows.tolist()
    assert rows == sorted(set(rows))
    assert torch.equal(chosen.confidence, probs[chosen.rows, chosen.labels])


@each_selector
@quick
@given(probs=any_pool, k=ks)
def test_no_class_gets_more_than_k(select: Selector, probs: Probs, k: int) -> None:
    counts = torch.bincount(select(probs, k).labels, minlength=probs.shape[1])
    assert counts.max() <= k


@each_selector
@quick
@given(probs=pools(), k=ks, seed=st.integers(0, 1000))
def test_without_ties_another_order_of_images_chooses_the_same_images(
    select: Selector, probs: Probs, k: int, seed: int
) -> None:
    order = torch.randperm(len(probs), generator=torch.Generator().manual_seed(seed))
    shuffled = as_dict(select(probs[order], k))
    assert {int(order[row]): label for row, label in shuffled.items()} == as_dict(select(probs, k))


@each_selector
@quick
@given(probs=pools(), k=ks, seed=st.integers(0, 1000))
def test_without_ties_another_order_of_classes_chooses_the_same_classes(
    select: Selector, probs: Probs, k: int, seed: int
) -> None:
    order = torch.randperm(probs.shape[1], generator=torch.Generator().manual_seed(seed))
    turned = as_dict(select(probs[:, order], k))
    assert {row: int(order[label]) for row, label in turned.items()} == as_dict(select(probs, k))


@quick
@given(probs=any_pool, k=ks)
def test_balanced_is_the_greedy_choice_over_all_pairs(probs: Probs, k: int) -> None:
    assert as_dict(balanced(probs, k)) == greedy(probs, k)


@quick
@given(probs=any_pool, k=ks)
def test_balanced_fills_each_class_while_images_last(probs: Probs, k: int) -> None:
    assert len(balanced(probs, k).rows) == min(len(probs), k * probs.shape[1])


@quick
@given(probs=any_pool, k=ks)
def test_own_best_class_takes_the_surest_of_those_that_prefer_the_class(
    probs: Probs, k: int
) -> None:
    best = probs.argmax(1) if len(probs) else torch.zeros(0, dtype=torch.long)
    expected = {}
    for label in range(probs.shape[1]):
        rows = (best == label).nonzero().squeeze(1).tolist()
        surest = sorted(rows, key=lambda row: (-float(probs[row, label]), row))[:k]
        expected |= dict.fromkeys(surest, label)
    assert as_dict(own_best_class(probs, k)) == expected


@each_selector
def test_ties_go_to_the_lower_row(select: Selector) -> None:
    chosen = select(torch.tensor([[0.8, 0.2]] * 6), 2)
    assert [row for row, label in as_dict(chosen).items() if label == 0] == [0, 1]


@each_selector
def test_more_than_there_is_takes_all(select: Selector) -> None:
    assert select(untied(5, 3, 0), 100).rows.tolist() == [0, 1, 2, 3, 4]


@each_selector
def test_an_empty_pool_and_k_of_zero_choose_nothing(select: Selector) -> None:
    for probs, k in ((torch.zeros(0, 3), 2), (untied(4, 3, 0), 0)):
        chosen = select(probs, k)
        assert [len(part) for part in chosen[:3]] == [0, 0, 0]
        assert chosen.labels.dtype == torch.long


def test_a_class_that_no_image_prefers_stays_empty_unless_balance_fills_it() -> None:
    probs = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]])
    assert as_dict(own_best_class(probs, 1)) == {0: 0}
    assert as_dict(balanced(probs, 1)) == greedy(probs, 1)


def test_one_image_of_one_class_goes_to_it() -> None:
    assert as_dict(balanced(torch.tensor([[1.0]]), 3)) == {0: 0}


def test_answers_of_no_probability_at_all_are_still_shared_out() -> None:
    assert as_dict(balanced(torch.zeros(4, 2), 2)) == {0: 0, 1: 0, 2: 1, 3: 1}


@pytest.mark.parametrize("k", [1, 5, 10])
def test_a_thousand_classes_take_seconds(k: int) -> None:
    generator = torch.Generator().manual_seed(0)
    probs = torch.randn(10_000, 1_000, generator=generator).mul(3).softmax(1)
    start = time.process_time()
    chosen = balanced(probs, k)
    assert time.process_time() - start < 20
    assert torch.bincount(chosen.labels, minlength=1000).tolist() == [k] * 1000
