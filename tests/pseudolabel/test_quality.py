"""What is said of pseudolabels without the truth, and what a pseudolabel is."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from clipgrip.pseudolabel.pseudolabels import PseudoLabels
from clipgrip.pseudolabel.quality import (
    Neighbours,
    changed_share,
    class_coverage,
    per_class_counts,
)


def test_hard_pseudolabels_are_one_hot_and_give_their_labels_back() -> None:
    labels = torch.tensor([2, 0])
    made = PseudoLabels.hard(torch.tensor([4, 7]), labels, torch.tensor([0.9, 0.6]), 3)
    assert made.targets.tolist() == [[0, 0, 1], [1, 0, 0]]
    assert torch.equal(made.labels, labels)


def test_no_pseudolabels_have_as_many_classes_as_the_task() -> None:
    nothing = PseudoLabels.none(3)
    assert nothing.targets.shape == (0, 3)
    assert nothing.labels.shape == nothing.rows.shape == nothing.confidence.shape == (0,)


def test_counts_leave_out_rows_without_a_label() -> None:
    assert per_class_counts(torch.tensor([2, -1, 0, 2]), 4) == [1, 0, 2, 0]


def test_the_changed_share_counts_answers_and_not_confidence() -> None:
    before = torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.2, 0.8]])
    after = torch.tensor([[0.6, 0.4], [0.4, 0.6], [0.1, 0.9], [0.2, 0.8]])
    assert changed_share(before, after) == 0.25
    assert changed_share(before[:0], after[:0]) == 0.0


def test_coverage_is_the_share_of_classes_that_are_an_answer() -> None:
    assert class_coverage(torch.eye(4)[[0, 0, 3]]) == 0.5


def test_neighbours_agree_where_labels_follow_clusters() -> None:
    angles = torch.tensor([0.0, 0.01, 0.02, 3.0, 3.01, 3.02])
    embeds = torch.stack([angles.cos(), angles.sin()], dim=1)
    labels = torch.tensor([0, 0, 0, 1, 1, 1])
    assert Neighbours.of(embeds, 2).agreement(labels) == 1.0
    assert Neighbours.of(embeds, 2).agreement(torch.tensor([0, 1, 0, 1, 0, 1])) == pytest.approx(
        1 / 3
    )
    assert Neighbours.of(embeds, 50).agreement(labels) == pytest.approx(2 / 5)


def test_agreement_does_not_depend_on_how_rows_are_split() -> None:
    generator = torch.Generator().manual_seed(0)
    embeds = F.normalize(torch.randn(1100, 4, generator=generator), dim=1)
    labels = torch.randint(0, 3, (1100,), generator=generator)
    near = (embeds @ embeds.T).fill_diagonal_(-2).topk(5, dim=1).indices
    expected = (labels[near] == labels[:, None]).double().mean().item()
    assert Neighbours.of(embeds).agreement(labels) == pytest.approx(expected)


def test_one_image_has_no_neighbour_to_disagree_with() -> None:
    assert Neighbours.of(torch.ones(1, 2)).agreement(torch.tensor([0])) == 1.0
