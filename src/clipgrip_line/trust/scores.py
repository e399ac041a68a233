"""What is watched of each image: its looks, how sure the model is, how far it is from the reference; and its class."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipgrip_line.pictures.looks import Looks
from clipgrip_line.trust.ranks import Codes, Values, codes_of

NEAREST = 3
"""Images of the reference whose mean distance counts."""
SCORES = (*Looks._fields, "confidence", "distance")
LOOKS = len(Looks._fields)
SHARE = "share"
"""The monitors after those of the scores: one for each class."""


def scores_of(looks: Sequence[Looks], confidence: Values, distance: Values) -> Codes:
    """(N, M) codes in the order of `SCORES`; confidence as log odds, since it crowds at 1."""
    sure = np.clip(confidence.astype(float), 1e-7, 1 - 1e-7)
    odds = np.log(sure / (1 - sure))
    seen = np.array(looks, dtype=float).reshape(-1, LOOKS)
    return codes_of(np.column_stack([seen, odds, distance]))


def distances(embeds: Values, anchors: NDArray[np.floating[Any]]) -> Values:
    """(N,) mean cosine distance of unit vectors (N, D) to their nearest anchors (A, D); 0 without anchors."""
    if not len(anchors):
        return np.zeros(len(embeds))
    near = embeds.astype(np.float32) @ anchors.astype(np.float32, copy=False).T
    k = min(NEAREST, near.shape[1])
    return 1 - np.partition(near, -k, axis=1)[:, -k:].mean(1, dtype=float)


def chances_of(contents: Sequence[str]) -> Values:
    """(N, M) uniform numbers from content hashes: a start that is run again breaks ties in the same way."""
    seeds = [list(sha256(b"ties" + bytes.fromhex(one)).digest()) for one in contents]
    found = [np.random.default_rng(seed).random(len(SCORES)) for seed in seeds]
    return np.array(found).reshape(-1, len(SCORES))
