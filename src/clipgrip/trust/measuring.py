"""Which images to ask about to measure accuracy: more of the doubtful ones, in two phases, each image with its weight.

Strata by confidence hold equal shares of the expected spread (Dalenius and Hodges, JASA 1959); answers are divided
among them by Neyman's rule (JRSS 1934) and, in the second phase, by what the first showed (Cochran, Sampling
Techniques, 5.9 and 12.9). Within a stratum the predicted classes come in turn, each as often as its share.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil

import numpy as np
from numpy.typing import NDArray

from clipgrip.trust.risk import RiskCurve, expected_risk, fitted_risk
from clipgrip.trust.scope import Answered, Numbers, Whole

STRATA = 8
FIRST = 0.5
"""Share of the planned answers that the first phase takes."""
EVEN = 0.05
"""Share of the mean risk that is mixed into every image's risk, so that no stratum gets too few answers."""
FORMER_EVEN = 0.1
"""The same for draws made before decision 0056."""
LEAST = 2
"""Fewest answers of each stratum in the first phase, if it has so many images."""
GAINS = ((0.97, 1.0), (0.9, 1.75), (0.0, 1.4))
"""(accuracy above, how many uniform answers one stratified answer is worth): less than with any real model in
benchmarks.measuring. Where nearly nothing is wrong there is nothing to gain."""


@dataclass(frozen=True)
class Strata:
    """A pool of N images in strata, 0 the most doubtful, each in the order in which its images are drawn."""

    score: Numbers = field(repr=False)
    """(N,) standardised log odds of the confidence against the answer; large is doubtful."""
    of: Whole = field(repr=False)
    """(N,) stratum of each image."""
    order: tuple[Whole, ...] = field(repr=False)

    @property
    def sizes(self) -> Whole:
        """(H,) images of each stratum."""
        return np.array([len(rows) for rows in self.order], dtype=np.int64)


def strata(pool: Answered, hashes: Sequence[str], seed: int, *, former: bool = False) -> Strata:
    """The strata of a pool by confidence alone; independent of the order of files and of any answer.

    ``former``: as before decision 0056. Answers must be read with the strata that drew them, or their weights are
    wrong.
    """
    score = doubt(pool.confidence)
    spread = np.sqrt(_floored(expected_risk(score), FORMER_EVEN if former else EVEN))
    falling = np.argsort(-score, kind="stable")
    reached = np.cumsum(spread[falling]) / spread.sum()
    cut = np.minimum((reached - 1e-12) * STRATA, STRATA - 1).astype(np.int64)
    cut = np.maximum.accumulate(_ties_together(cut, score[falling], former))
    of = np.empty(len(pool), dtype=np.int64)
    of[falling] = np.unique(cut, return_inverse=True)[1]
    chance = np.array([_chance("measure", seed, one) for one in hashes])
    order = tuple(
        _in_turn(np.flatnonzero(of == h), pool.labels, chance, f"{seed} {h}")
        for h in range(int(of.max()) + 1)
    )
    return Strata(score, of, order)


def doubt(confidence: Numbers) -> Numbers:
    """(N,) log odds against the answer, standardised over the pool; 0 if all confidences are equal."""
    sure = np.clip(confidence, 1e-6, 1 - 1e-4)
    odds = np.log1p(-sure) - np.log(sure)
    spread = odds.std()
    return (odds - odds.mean()) / spread if spread > 1e-9 else np.zeros(len(odds))


def answers_to_measure(uniform: int, accuracy: float) -> int:
    """Stratified answers that give as short an interval as ``uniform`` uniform ones, at an assumed accuracy."""
    gain = next(worth for above, worth in GAINS if accuracy > above or above == 0)
    return min(uniform, max(20, ceil(uniform / gain)))


def first_phase(made: Strata, planned: int) -> Whole:
    """The first rows to ask about, if ``planned`` answers are; any beginning of them is spread over the strata."""
    n = min(len(made.of), max(LEAST * len(made.order), round(FIRST * planned)))
    return _rows(made, np.zeros(len(made.order), np.int64), _allocated(made, None, n))


def second_phase(made: Strata, rows: Whole, wrong: NDArray[np.bool_], total: int) -> Whole:
    """The rows to ask about after ``rows`` (n,), of which some were ``wrong`` (n,), until there are ``total``."""
    done = np.bincount(made.of[rows], minlength=len(made.order))
    risk = fitted_risk(made.score[rows], wrong)
    return _rows(made, done, _allocated(made, risk, min(total, len(made.of)), done))


def _allocated(made: Strata, risk: RiskCurve | None, n: int, done: Whole | None = None) -> Whole:
    """(H,) answers per stratum by Neyman's rule, proportional to its summed standard deviation; at least ``done``."""
    chance = expected_risk(made.score) if risk is None else risk(made.score)
    spread = np.bincount(made.of, np.sqrt(_floored(chance)), minlength=len(made.order))
    sizes = made.sizes
    least = np.minimum(sizes, LEAST) if done is None else np.maximum(done, 0)
    low, high = 0.0, float((sizes / spread).max()) + 1.0
    for _ in range(80):
        middle = (low + high) / 2
        enough = np.clip(middle * spread, least, sizes).sum() >= n
        low, high = (low, middle) if enough else (middle, high)
    exact = np.clip(high * spread, least, sizes)
    whole = np.floor(exact + 1e-9).astype(np.int64)
    for h in np.argsort(whole - exact, kind="stable")[: max(0, n - int(whole.sum()))]:
        whole[h] = min(whole[h] + 1, sizes[h])
    return whole


def _rows(made: Strata, done: Whole, wanted: Whole) -> Whole:
    """The rows of each stratum's order from ``done`` (H,) up to ``wanted`` (H,), the strata mixed evenly."""
    keyed = [
        ((n + 0.5) / (end - start), h, int(made.order[h][start + n]))
        for h, (start, end) in enumerate(zip(done.tolist(), wanted.tolist(), strict=True))
        for n in range(end - start)
    ]
    return np.array([row for *_, row in sorted(keyed)], dtype=np.int64)


def _floored(chance: Numbers, even: float = EVEN) -> Numbers:
    """(N,) variance p (1 - p) of an answer being wrong, with a share ``even`` of the mean risk mixed into p."""
    mixed = (1 - even) * chance + even * chance.mean()
    return mixed * (1 - mixed)


def _ties_together(cut: Whole, score: Numbers, former: bool) -> Whole:
    """Images of equal score get one stratum, the middle one's, so that equal images have equal weights.

    ``former``: the first one's.
    """
    starts = np.flatnonzero(np.diff(score, prepend=np.inf))
    many = np.diff(np.append(starts, len(cut)))
    return np.repeat(cut[starts if former else starts + many // 2], many)


def _in_turn(rows: Whole, labels: Whole, chance: Numbers, purpose: str) -> Whole:
    """The rows in a random order in which every beginning has each class by about its share."""
    key = np.empty(len(rows))
    for label in np.unique(labels[rows]):
        of_class = labels[rows] == label
        rank = np.argsort(np.argsort(chance[rows[of_class]], kind="stable"), kind="stable")
        key[of_class] = (rank + _chance("turn", purpose, label)) / of_class.sum()
    return rows[np.lexsort((chance[rows], key))]


def _chance(*parts: object) -> float:
    """Uniform on [0, 1), by a hash."""
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48
