"""Which classes are taken for which: a matrix where it can be read, else the most frequent pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from clipgrip.metrics import confusion
from clipgrip.report.reading import Reading

READABLE = 25
PAIRS, ERRORS = 15, 12
"""Pairs of classes and wrong answers that are shown."""


@dataclass(frozen=True)
class Pair:
    """``count`` images of the first class went to the second: ``share`` of the first class's."""

    first: str
    second: str
    count: int
    share: float
    length: float
    """From 0 to 1: against the most frequent pair."""


@dataclass(frozen=True)
class MixupCell:
    """A count of the matrix with its share of the row, from 0 to 1."""

    count: int
    share: float
    is_right: bool


@dataclass(frozen=True)
class Mixups:
    """With a test, truth against answer; else the zero-shot answer against the run's."""

    kind: Literal["confusion", "flows"]
    matrix: list[list[MixupCell]]
    pairs: list[Pair]
    moved: int
    total: int


def mixups(run: Reading) -> Mixups:
    """Errors on the test images, or without a test what tuning changed."""
    counts, kind = _counts(run)
    off = counts.clone()
    off.fill_diagonal_(0)
    is_small = len(counts) <= READABLE and kind == "confusion"
    return Mixups(
        kind=kind,
        matrix=_matrix(counts) if is_small else [],
        pairs=_pairs(off, counts.sum(1), run.names),
        moved=int(off.sum()),
        total=int(counts.sum()),
    )


def _counts(run: Reading) -> tuple[Tensor, Literal["confusion", "flows"]]:
    test = run.facts.test
    if test is not None:
        return confusion(test.probs, test.labels), "confusion"
    return confusion(run.facts.probs[run.rows], run.facts.zero_shot[run.rows].argmax(1)), "flows"


def _matrix(counts: Tensor) -> list[list[MixupCell]]:
    shares = counts / counts.sum(1, keepdim=True).clamp_min(1)
    return [
        [
            MixupCell(int(count), float(share), i == j)
            for j, (count, share) in enumerate(zip(*row, strict=True))
        ]
        for i, row in enumerate(zip(counts.tolist(), shares.tolist(), strict=True))
    ]


def _pairs(off: Tensor, totals: Tensor, names: tuple[str, ...]) -> list[Pair]:
    n = len(names)
    order = off.flatten().argsort(descending=True, stable=True)[:PAIRS].tolist()
    most = max(1, int(off.max()))
    pairs = []
    for i, j in (divmod(place, n) for place in order):
        count = int(off[i, j])
        if count:
            pairs.append(Pair(names[i], names[j], count, count / int(totals[i]), count / most))
    return pairs


def confident_errors(run: Reading) -> list[int]:
    """Places among the test images of the wrong answers, the surest first."""
    test = run.facts.test
    if test is None:
        return []
    confidence, called = test.probs.max(1)
    wrong = ((test.labels >= 0) & (called != test.labels)).nonzero().flatten()
    order = confidence[wrong].argsort(descending=True, stable=True)
    return [int(row) for row in torch.index_select(wrong, 0, order)[:ERRORS]]
