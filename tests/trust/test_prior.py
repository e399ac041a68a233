"""A shifted class prior is found and corrected."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from benchmarks.research.prior import bbse_prior, em_prior, reweighted
from clipgrip import metrics
from clipgrip.errors import DataError
from clipgrip.trust.bias import total_variation

SOURCE = torch.full((3,), 1 / 3)
TARGET = torch.tensor([0.7, 0.25, 0.05])


def calibrated(prior: Tensor, rows: int, seed: int) -> tuple[Tensor, Tensor]:
    """Posteriors under the uniform prior of images whose classes follow ``prior``; one Gaussian a class."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.multinomial(prior.expand(rows, 3), 1, generator=draw)[:, 0]
    means = 1.5 * torch.eye(3)
    images = means[labels] + torch.randn(rows, 3, generator=draw)
    return (images @ means.T - means.square().sum(1) / 2).softmax(1), labels


def test_em_finds_the_shares_and_helps() -> None:
    probs, labels = calibrated(TARGET, 4000, 0)
    found = em_prior(probs, SOURCE)
    assert total_variation(found.prior, TARGET) < 0.03
    assert metrics.accuracy(found.probs, labels) > metrics.accuracy(probs, labels) + 0.02
    assert metrics.nll(found.probs, labels) < metrics.nll(probs, labels)


def test_em_is_the_loop_of_the_paper() -> None:
    probs, _ = calibrated(TARGET, 50, 1)
    prior = SOURCE.tolist()
    for _ in range(20):
        sums = [0.0, 0.0, 0.0]
        for row in probs.tolist():
            terms = [prior[c] / SOURCE.tolist()[c] * row[c] for c in range(3)]
            for c in range(3):
                sums[c] += terms[c] / sum(terms)
        prior = [value / 50 for value in sums]
    found = em_prior(probs, SOURCE, steps=20, tolerance=0)
    assert found.prior.tolist() == pytest.approx(prior, abs=1e-5)


def test_bbse_finds_the_shares_from_hard_answers() -> None:
    source, labels = calibrated(SOURCE, 4000, 2)
    probs, _ = calibrated(TARGET, 4000, 3)
    found = bbse_prior(probs, source, labels)
    assert total_variation(found, TARGET) < 0.04


def test_bbse_wants_labels_of_each_class() -> None:
    probs, labels = calibrated(SOURCE, 60, 2)
    with pytest.raises(DataError, match="no labeled image of class 2"):
        bbse_prior(probs, probs, labels.where(labels != 2, torch.tensor(-1)))


def test_no_shift_changes_nothing() -> None:
    probs, _ = calibrated(SOURCE, 40, 4)
    assert torch.allclose(reweighted(probs, SOURCE, SOURCE), probs, atol=1e-6)
