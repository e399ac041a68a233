"""A paradigm is which rows are labeled and which classes the others may take."""

from __future__ import annotations

import pytest
import torch

from clipgrip.errors import DataError
from clipgrip.task import Task, paradigm, ssl, trzsl, ul

LABELS = torch.tensor([0, -1, 2, -1, 0])


def test_without_labels_each_row_is_unlabeled_and_each_class_a_candidate() -> None:
    task = ul(3, 4)
    assert (task.labeled.tolist(), task.unlabeled.tolist()) == ([], [0, 1, 2])
    assert task.candidate_classes.tolist() == [0, 1, 2, 3]
    assert (task.n_classes, paradigm(task)) == (4, "UL")


def test_with_some_labels_each_class_is_still_a_candidate() -> None:
    task = ssl(LABELS, 3)
    assert (task.labeled.tolist(), task.unlabeled.tolist()) == ([0, 2, 4], [1, 3])
    assert task.candidate_classes.tolist() == [0, 1, 2]
    assert paradigm(task) == "SSL"


def test_seen_classes_are_no_candidates() -> None:
    task = trzsl(LABELS, 4, seen=[2, 0])
    assert task.candidate_classes.tolist() == [1, 3]
    assert (task.n_classes, paradigm(task)) == (4, "TRZSL")


def test_where_all_classes_are_seen_an_error_says_what_to_do() -> None:
    with pytest.raises(DataError, match="no class is left"):
        trzsl(LABELS, 3, seen=[0, 1, 2])


@pytest.mark.parametrize("labels", [[], [0, 1, 2]])
def test_no_rows_or_no_unlabeled_rows_are_an_empty_selection(labels: list[int]) -> None:
    task = Task(torch.tensor(labels, dtype=torch.long), torch.ones(3, dtype=torch.bool))
    assert task.unlabeled.shape == (0,)
    assert task.labeled.tolist() == labels
