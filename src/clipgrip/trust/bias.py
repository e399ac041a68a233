"""Class bias: which classes are answered too often, too seldom or never, which are confused, and whether it grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from clipgrip.pseudolabel.refine.balance import Prior, sure_prior
from clipgrip.types import Probs

PREFERRED = 2.0
"""A class is preferred when it is answered over this many times as often as expected."""
NEGLECTED = 0.5


@dataclass(frozen=True)
class ClassBias:
    """A class's share of the answers, the share expected, and their ratio."""

    position: int
    answered: float
    expected: float
    ratio: float


@dataclass(frozen=True)
class Bias:
    """Preferred and neglected classes, the most extreme first; ``distance`` is the total variation of the shares."""

    preferred: tuple[ClassBias, ...]
    neglected: tuple[ClassBias, ...]
    never: tuple[int, ...]
    distance: float


def answered_shares(probs: Probs) -> Prior:
    """(C,) share of the images whose answer is each class."""
    return torch.bincount(probs.argmax(1), minlength=probs.shape[1]) / max(1, len(probs))


def expected_shares(probs: Probs) -> Prior:
    """(C,) class shares to expect without labels: the mean answer, mixed with equal shares as far as it is in doubt."""
    return sure_prior(probs)


def class_bias(answered: Prior, expected: Prior, images: int) -> Bias:
    """Classes whose share of ``images`` answers is far from the expected one, and by more than chance.

    That is by a factor (`PREFERRED`, `NEGLECTED`) and by three standard deviations of a binomial count.
    """
    rows = [
        ClassBias(c, a, e, a / e if e > 0 else float("inf"))
        for c, (a, e) in enumerate(zip(answered.tolist(), expected.tolist(), strict=True))
    ]
    clear = [row for row in rows if _is_beyond_chance(row, images)]
    return Bias(
        preferred=tuple(
            sorted((r for r in clear if r.ratio > PREFERRED), key=lambda r: -r.answered)
        ),
        neglected=tuple(
            sorted((r for r in clear if 0 < r.ratio < NEGLECTED), key=lambda r: r.ratio)
        ),
        never=tuple(row.position for row in rows if row.answered == 0),
        distance=total_variation(answered, expected),
    )


def confused_pairs(probs: Probs, limit: int) -> list[tuple[int, int]]:
    """The pairs of classes between which answers are most undecided: by Σ p_a p_b over the images, without labels."""
    shared = (probs.T @ probs).double().triu(1)
    order = shared.flatten().argsort(descending=True, stable=True)[:limit].tolist()
    pairs = [divmod(place, len(shared)) for place in order]
    return [(first, second) for first, second in pairs if shared[first, second] > 0]


@dataclass(frozen=True)
class Drift:
    """Per round, zero-shot first: distance of answered from expected shares, and number of unanswered classes."""

    distances: tuple[float, ...]
    unanswered: tuple[int, ...]

    @property
    def change(self) -> float:
        """Last distance less the first; above 0 if the rounds moved away from what is expected."""
        return self.distances[-1] - self.distances[0] if self.distances else 0.0


def drift(counts: Sequence[Sequence[int]], expected: Prior) -> Drift:
    """How rounds move the answers: ``counts`` are answers per class (C,) of zero-shot and of each round."""
    shares = [torch.tensor(row) / max(1, sum(row)) for row in counts]
    distances = tuple(total_variation(share, expected) for share in shares)
    return Drift(distances, tuple(sum(count == 0 for count in row) for row in counts))


def is_worse(found: Drift, images: int) -> bool:
    """Whether rounds moved the shares away by more than two standard errors of a share, or lost classes."""
    noise = 2 * (0.25 / max(1, images)) ** 0.5
    lost = bool(found.unanswered) and found.unanswered[-1] > found.unanswered[0]
    return found.change > noise or lost


def _is_beyond_chance(row: ClassBias, images: int) -> bool:
    deviation = (row.expected * (1 - row.expected) / max(1, images)) ** 0.5
    return abs(row.answered - row.expected) > 3 * deviation


def total_variation(first: Prior, second: Prior) -> float:
    """Half the sum of absolute differences: 0 for equal shares, 1 for shares without a class in common."""
    return (first - second).abs().sum().item() / 2
