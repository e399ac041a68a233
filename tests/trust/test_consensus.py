"""The consensus beats a weak model, counts a family once, and follows the formulas of 1979."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from clipgrip import metrics
from clipgrip.errors import DataError
from clipgrip.trust import consensus
from clipgrip.trust.consensus import (
    agreement_weights,
    averaged,
    dawid_skene,
    disagreement,
    family_weights,
    pooled,
)


def ballots(skills: list[float], rows: int = 600, classes: int = 4) -> tuple[Tensor, Tensor]:
    """Models (M, N, C) that know the truth as well as ``skills`` say, and the truth."""
    draw = torch.Generator().manual_seed(0)
    labels = torch.randint(0, classes, (rows,), generator=draw)
    onehot = torch.nn.functional.one_hot(labels, classes)
    noise = torch.randn(len(skills), rows, classes, generator=draw)
    return torch.stack(
        [(s * onehot + n).softmax(1) for s, n in zip(skills, noise, strict=True)]
    ), labels


def test_the_pool_beats_its_best_member() -> None:
    votes, labels = ballots([2.0, 2.0, 2.0])
    weights = family_weights(["a", "b", "c"])
    best = max(metrics.accuracy(probs, labels) for probs in votes)
    for combine in (pooled, averaged):
        assert metrics.accuracy(combine(votes, weights), labels) > best + 0.02


def test_the_geometric_mean_by_hand() -> None:
    votes = torch.tensor([[[0.9, 0.1]], [[0.4, 0.6]]])
    first, second = math.sqrt(0.9 * 0.4), math.sqrt(0.1 * 0.6)
    found = pooled(votes, torch.tensor([0.5, 0.5]))
    assert found[0, 0].item() == pytest.approx(first / (first + second))


def test_a_family_has_one_vote() -> None:
    weights = family_weights(["ViT-B/32", "ViT-B/32", "DINO"])
    assert weights.tolist() == pytest.approx([0.25, 0.25, 0.5])
    votes, _ = ballots([2.0, 2.0, 2.0])
    copies = torch.stack([votes[0], votes[0], votes[1]])
    assert torch.allclose(
        pooled(copies, weights), pooled(votes[:2], family_weights(["a", "b"])), atol=1e-6
    )


def test_a_model_at_chance_hardly_counts() -> None:
    votes, labels = ballots([2.5, 2.5, 0.0])
    weights = agreement_weights(votes, ["a", "b", "c"])
    assert weights.sum().item() == pytest.approx(1)
    assert weights[2] < 0.5 * weights[0]
    even = pooled(votes, family_weights(["a", "b", "c"]))
    assert metrics.accuracy(pooled(votes, weights), labels) >= metrics.accuracy(even, labels)


def literal_dawid_skene(votes: list[list[int]], classes: int, steps: int) -> list[list[float]]:
    """Eqs. 2.3 to 2.5 as they are written, with loops. ``votes[k][i]``: observer k, patient i."""
    observers, patients = range(len(votes)), range(len(votes[0]))
    truth = [
        [
            sum(votes[k][i] == j for k in observers) / sum(votes[k][i] >= 0 for k in observers)
            for j in range(classes)
        ]
        for i in patients
    ]
    for _ in range(steps):
        prior = [sum(truth[i][j] for i in patients) / len(votes[0]) for j in range(classes)]
        rates = [[[0.0] * classes for _ in range(classes)] for _ in observers]
        for k in observers:
            for j in range(classes):
                total = sum(truth[i][j] for i in patients if votes[k][i] >= 0)
                for other in range(classes):
                    hit = sum(truth[i][j] for i in patients if votes[k][i] == other)
                    rates[k][j][other] = hit / total
        for i in patients:
            terms = []
            for j in range(classes):
                product = prior[j]
                for k in observers:
                    if votes[k][i] >= 0:
                        product *= rates[k][j][votes[k][i]]
                terms.append(product)
            truth[i] = [term / sum(terms) for term in terms]
    return truth


def test_dawid_skene_follows_the_formulas_of_1979(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, _ = ballots([1.5, 1.0, 0.5, 2.0], rows=40, classes=3)
    votes = answers.argmax(2)
    votes[0, ::7] = -1
    wanted = torch.tensor(literal_dawid_skene(votes.tolist(), 3, 15), dtype=torch.double)
    monkeypatch.setattr(consensus, "SMOOTHING", 0.0)
    monkeypatch.setattr(consensus, "STEPS", 15)
    monkeypatch.setattr(consensus, "TOLERANCE", 0.0)
    found = dawid_skene(votes, 3)
    assert torch.allclose(found, wanted, atol=1e-8)


def test_dawid_skene_uses_a_model_that_swaps_two_classes() -> None:
    answers, labels = ballots([2.0, 2.0, 2.0, 3.0], rows=1500, classes=3)
    votes = answers.argmax(2)
    votes[3] = torch.tensor([1, 0, 2])[votes[3]]
    majority = torch.nn.functional.one_hot(votes, 3).sum(0).double()
    found = dawid_skene(votes, 3)
    assert metrics.accuracy(found, labels) > metrics.accuracy(majority, labels) + 0.03


def test_two_halves_of_a_vote_count_as_one() -> None:
    votes = ballots([1.5, 1.5, 1.5], rows=300)[0].argmax(2)
    doubled = votes[[0, 0, 1, 2]]
    once = dawid_skene(votes, 4)
    twice = dawid_skene(doubled, 4, weights=family_weights(["a", "a", "b", "c"]))
    assert torch.allclose(once, twice, atol=1e-4)


def test_an_image_without_votes_is_an_error() -> None:
    with pytest.raises(DataError, match="no vote"):
        dawid_skene(torch.tensor([[0, -1], [1, -1]]), 2)


def test_disagreement_runs_from_none_to_all() -> None:
    same, other = [[1.0, 0.0]], [[0.0, 1.0]]
    weights = family_weights(["a", "b"])
    assert disagreement(torch.tensor([same, same]), weights).item() == pytest.approx(0)
    assert disagreement(torch.tensor([same, other]), weights).item() == pytest.approx(1)
    assert disagreement(torch.tensor([same]), family_weights(["a"])).item() == 0
