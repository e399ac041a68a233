"""What is watched of each image: its looks, how sure the model is, how far it is from the reference; and its class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipgrip_line.pictures.appearance import WIDTH
from clipgrip_line.pictures.looks import Looks
from clipgrip_line.trust.ranks import Codes, Values, codes_of

Rows = NDArray[np.float32]

NEAREST = 3
"""Images of the reference whose mean distance counts."""
SCORES = (*Looks._fields, "confidence", "distance")
LOOKS = len(Looks._fields)
LEAST_SPREAD = 0.03
"""Appearances that differ less are all the same: the noise of a camera makes half as much."""
SHARE = "share"
"""The monitors after those of the scores: one for each class."""


def scores_of(looks: Sequence[Looks], confidence: Values, distance: Values) -> Codes:
    """(N, M) codes in the order of `SCORES`; confidence as log odds, since it crowds at 1."""
    sure = np.clip(confidence.astype(float), 1e-7, 1 - 1e-7)
    odds = np.log(sure / (1 - sure))
    seen = np.array(looks, dtype=float).reshape(-1, LOOKS)
    return codes_of(np.column_stack([seen, odds, distance]))


@dataclass(frozen=True)
class Anchors:
    """Images of the reference that others are near to or far from: how the model sees them, and how they appear."""

    vectors: Rows = field(repr=False)
    """(A, D + `WIDTH`) embeddings, and beside them appearances times ``weight``; (A, D) where they do not count."""
    weight: float = 0.0
    """0: appearances do not count, as in lines that began before they did."""

    @classmethod
    def of(cls, embeds: NDArray[Any], appearances: NDArray[Any]) -> Anchors:
        """Of unit vectors (A, D) and `appearance_of` (A, `WIDTH`): both weigh as much, by how far their rows differ.

        Rounded as they are stored, so that a line that is opened again measures the same distances.
        """
        spread = _spread(appearances)
        weight = _spread(embeds) / spread if spread > LEAST_SPREAD else 0.0
        rows = np.hstack([embeds, weight * appearances]) if weight else np.asarray(embeds)
        return cls(rows.astype(np.float16).astype(np.float32), weight)

    @cached_property
    def _halves(self) -> Rows | float:
        """(A,) half the squared lengths of the appearances."""
        return (self.vectors[:, -WIDTH:] ** 2).sum(1) / 2 if self.weight else 0.0

    def distances(self, embeds: NDArray[Any], appearances: NDArray[Any]) -> Values:
        """(N,) mean of half the squared distances of images to their nearest anchors; 0 without anchors.

        For unit vectors alone it is the cosine distance.
        """
        if not len(self.vectors):
            return np.zeros(len(embeds))
        beside = (self.weight * appearances).astype(np.float32)
        rows = np.hstack([embeds, beside]) if self.weight else embeds
        near = rows.astype(np.float32) @ self.vectors.T - self._halves
        k = min(NEAREST, near.shape[1])
        far = 1 - np.partition(near, -k, axis=1)[:, -k:].mean(1, dtype=float)
        return np.asarray(far + (beside.astype(float) ** 2).sum(1) / 2)


def _spread(rows: NDArray[Any]) -> float:
    """Root of the mean squared distance to the mean; 0 without rows."""
    if not len(rows):
        return 0.0
    centred = rows - rows.mean(0, dtype=float)
    return float((centred**2).sum(1).mean() ** 0.5)


def chances_of(contents: Sequence[str]) -> Values:
    """(N, M) uniform numbers from content hashes: a start that is run again breaks ties in the same way."""
    seeds = [list(sha256(b"ties" + bytes.fromhex(one)).digest()) for one in contents]
    found = [np.random.default_rng(seed).random(len(SCORES)) for seed in seeds]
    return np.array(found).reshape(-1, len(SCORES))
