"""Each rule of selection: what it trusts, what it needs to know, and that the order of images changes nothing."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.research.selectors import (
    Known,
    candidate_sets,
    class_threshold,
    margin,
    models,
    neighbours,
    own_best_class,
    rounds,
    rules,
    threshold,
    within_classes,
    within_images,
)
from clipgrip.errors import ConfigError
from clipgrip.pseudolabel import nearest
from clipgrip.pseudolabel.calibration import fitted_temperature
from clipgrip.pseudolabel.nearest import nearest_rows
from clipgrip.pseudolabel.select import SELECTORS, selector
from clipgrip.pseudolabel.select.chosen import Chosen, Selector, at_temperature
from clipgrip.pseudolabel.select.top import everything
from clipgrip.types import Probs

NAMES = (
    *("own-best-class", "balanced", "margin", "threshold", "class-threshold", "neighbours"),
    *("models", "rounds", "candidate-sets", "everything"),
)
each_rule = pytest.mark.parametrize("name", NAMES)


def answers(rows: int = 60, classes: int = 4, seed: int = 0) -> Probs:
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(rows, classes, generator=draw).mul(2).softmax(1)


def rule(name: str, rows: int = 60, classes: int = 4, order: Tensor | None = None) -> Selector:
    """The rule over these rows, in another ``order`` where it is given; "rounds" has seen a round before."""
    draw = torch.Generator().manual_seed(9)
    embeds = F.normalize(torch.randn(rows, 8, generator=draw), dim=1)
    near = answers(rows, classes) + 0.3 * answers(rows, classes, 5)
    other = near / near.sum(1, keepdim=True)
    order = torch.arange(rows) if order is None else order
    known = Known(embeds[order], (other[order], answers(rows, classes)[order]), temperature=0.5)
    found = {**SELECTORS, **rules(known)}[name]
    if name == "rounds":
        found(other[order], 1)
    return found


def as_dict(chosen: Chosen) -> dict[int, int]:
    return dict(zip(chosen.rows.tolist(), chosen.labels.tolist(), strict=True))


@each_rule
@pytest.mark.parametrize("k", [1, 5, 1000])
def test_rows_rise_once_each_and_no_class_gets_more_than_k(name: str, k: int) -> None:
    chosen = rule(name)(answers(), k, 0.5)
    assert chosen.rows.tolist() == sorted(set(chosen.rows.tolist()))
    assert len(chosen.rows) == len(chosen.labels) == len(chosen.confidence) > 0
    if name != "everything":
        assert torch.bincount(chosen.labels, minlength=4).max() <= k


@each_rule
def test_targets_are_distributions_whose_surest_class_is_the_label(name: str) -> None:
    chosen = rule(name)(answers(), 5, 0.5)
    targets = chosen.distributions(4)
    torch.testing.assert_close(targets.sum(1), torch.ones(len(targets)))
    assert torch.equal(targets.argmax(1), chosen.labels)


@each_rule
def test_another_order_of_images_chooses_the_same_images(name: str) -> None:
    order = torch.randperm(60, generator=torch.Generator().manual_seed(3))
    straight = as_dict(rule(name)(answers(), 5, 0.5))
    turned = as_dict(rule(name, order=order)(answers()[order], 5, 0.5))
    assert {int(order[row]): label for row, label in turned.items()} == straight


@each_rule
@pytest.mark.parametrize(("rows", "classes", "k"), [(0, 3, 2), (5, 3, 0), (1, 1, 2), (3, 2, 9)])
def test_few_rows_few_classes_and_no_k_are_no_accident(
    name: str, rows: int, classes: int, k: int
) -> None:
    chosen = rule(name, rows, classes)(answers(rows, classes), k, 0.5)
    assert len(chosen.rows) <= min(rows, k * classes if name != "everything" else rows)
    assert chosen.labels.dtype == torch.long
    assert chosen.distributions(classes).shape == (len(chosen.rows), classes)
    assert (len(chosen.rows) == 0) or k > 0


def test_an_unknown_rule_lists_the_known_and_the_nearest() -> None:
    with pytest.raises(
        ConfigError, match=r'"balancd". Known: balanced, everything\. .* mean "balanced"'
    ):
        selector("balancd")


def test_the_threshold_is_on_calibrated_confidence() -> None:
    probs = torch.tensor([[0.97, 0.03], [0.94, 0.06], [0.1, 0.9]])
    assert as_dict(threshold(probs, 9)) == {0: 0}
    assert as_dict(threshold(probs, 9, 2.0)) == {}
    assert as_dict(threshold(probs, 9, 0.5)) == {0: 0, 1: 0, 2: 1}


def test_a_class_answered_with_little_confidence_gets_a_lower_bar() -> None:
    sure, unsure, doubtful = [0.95, 0.05], [0.4, 0.6], [0.6, 0.4]
    probs = torch.tensor([sure] * 6 + [unsure] * 2 + [doubtful])
    chosen = as_dict(class_threshold(probs, 9))
    assert {row for row, label in chosen.items() if label == 1} == {6, 7}
    assert 8 not in chosen  # as sure as those, but of the class that is answered with confidence


def test_the_bars_are_freematchs() -> None:
    probs = answers()
    chosen = set(class_threshold(probs, 1000).rows.tolist())
    confidence, labels = probs.max(1)
    mean, overall = probs.mean(0), confidence.mean()
    expected = {
        row for row in range(60)
        if confidence[row] >= mean[labels[row]] / mean.max() * overall
    }  # fmt: skip
    assert chosen == expected


def test_margin_prefers_a_clear_lead_to_a_high_confidence() -> None:
    probs = torch.tensor([[0.52, 0.48, 0.0], [0.50, 0.25, 0.25]])
    assert own_best_class(probs, 1).rows.tolist() == [0]
    assert margin(probs, 1).rows.tolist() == [1]


def test_an_answer_that_its_neighbours_do_not_give_is_left_out() -> None:
    near, far = ([[1.0, 0.01 * n] for n in range(5)], [[0.01 * n, 1.0] for n in range(5)])
    embeds = F.normalize(torch.tensor(near + far), dim=1)
    probs = torch.tensor([[0.9, 0.1]] * 5 + [[0.1, 0.9]] * 5)
    probs[2] = torch.tensor([0.01, 0.99])  # sure, and against its cluster
    chosen = as_dict(neighbours(probs, 9, embeds, nearest=4))
    assert chosen == {row: int(row > 4) for row in range(10) if row != 2}


def test_nearest_rows_are_those_of_brute_force_in_parts_and_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    embeds = F.normalize(torch.randn(23, 6, generator=torch.Generator().manual_seed(1)), dim=1)
    cosine = (embeds @ embeds.T).fill_diagonal_(-2)
    expected = cosine.argsort(1, descending=True)[:, :4]
    assert torch.equal(nearest_rows(embeds, 4), expected)
    assert torch.equal(nearest_rows(embeds, 4, torch.tensor([7, 2])), expected[[7, 2]])
    monkeypatch.setattr(nearest, "AT_ONCE", 5 * len(embeds))
    assert torch.equal(nearest_rows(embeds, 4), expected)


def test_models_must_agree_and_the_geometric_mean_ranks() -> None:
    first = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]])
    second = torch.tensor([[0.1, 0.9], [0.6, 0.4], [0.9, 0.1]])
    assert models(first, 9, (second,)).rows.tolist() == [1, 2]
    assert models(first, 1, (second,)).rows.tolist() == [2]


def test_rounds_must_agree_and_the_first_has_nothing_to_agree_with() -> None:
    now = torch.tensor([[0.9, 0.1], [0.8, 0.2]])
    before = torch.tensor([[0.2, 0.8], [0.6, 0.4]])
    select = rounds()
    assert select(before, 9).rows.tolist() == [0, 1]
    assert select(now, 9).rows.tolist() == [1]
    assert select(now, 9).rows.tolist() == [0, 1]


def test_everything_is_all_rows_with_calibrated_targets() -> None:
    chosen = everything(answers(), 1, 2.0)
    assert chosen.rows.tolist() == list(range(60))
    torch.testing.assert_close(chosen.targets, at_temperature(answers(), 2.0))


def test_a_sure_image_keeps_one_class_and_a_doubtful_one_several() -> None:
    probs = torch.tensor([[0.9, 0.1, 0.0], [0.45, 0.35, 0.2], [0.0, 0.3, 0.7]])
    sets = within_images(probs, torch.tensor(0.7))
    assert sets.tolist() == [[True, False, False], [True, True, False], [False, False, True]]


def test_within_a_class_twice_its_fair_share_of_images_is_kept() -> None:
    sets = within_classes(answers(60, 6))
    assert sets.sum(0).tolist() == [20] * 6
    kept = answers(60, 6).masked_fill(~sets, 2).min(0).values
    left = answers(60, 6).masked_fill(sets, -1).max(0).values
    assert (kept >= left).all()


def test_candidates_are_what_both_selections_allow() -> None:
    probs = answers()
    chosen = candidate_sets(probs, 1000)
    expected = within_images(probs, probs.max(1).values.median()) & within_classes(probs)
    assert chosen.targets is not None
    assert torch.equal(chosen.targets > 0, expected[chosen.rows])
    assert set(chosen.rows.tolist()) == set(expected.any(1).nonzero().squeeze(1).tolist())
    assert (chosen.targets > 0).sum(1).max() > 1


def test_temperature_is_found_again_and_1_without_labels() -> None:
    draw = torch.Generator().manual_seed(0)
    logits = torch.randn(4000, 5, generator=draw).double() * 2
    truth = torch.multinomial(logits.softmax(1), 1, generator=draw).squeeze(1)
    assert fitted_temperature((3 * logits).softmax(1), truth) == pytest.approx(3, rel=0.06)
    assert fitted_temperature(logits.softmax(1), torch.full((4000,), -1)) == 1.0
    given = F.one_hot(truth, 5).double()  # rows that hold their label because it was given
    assert fitted_temperature(given, truth) == 1.0
