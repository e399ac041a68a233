"""What new images are compared with, as it travels in a bundle: counts of scores, and embeddings to be near to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from clipgrip_line.bundle import Bundle, array_bytes
from clipgrip_line.errors import LineError
from clipgrip_line.sentences import mark
from clipgrip_line.trust.drift import Monitors
from clipgrip_line.trust.line import Vectors
from clipgrip_line.trust.ranks import BLOCK, no_counts
from clipgrip_line.trust.scores import SCORES

FACTS = "drift.json"
PLACES, LABELS, ANCHORS = (
    "arrays/drift-places.npy",
    "arrays/drift-labels.npy",
    "arrays/drift-anchors.npy",
)


@dataclass(frozen=True)
class Reference:
    """Monitors before the first bet, and the anchors (A, D)."""

    monitors: Monitors
    anchors: Vectors = field(repr=False)
    images: int = 0
    """Images that it was made of."""


def members(reference: Reference) -> dict[str, bytes]:
    """Members of a bundle: of the counts, (n, 3) score, code and how often, where it is not 0."""
    flat = reference.monitors.seen.reshape(len(SCORES), -1)
    score, code = np.nonzero(flat)
    places = np.column_stack([score, code, flat[score, code]]).astype(np.int64)
    facts = {"scores": list(SCORES), "images": reference.images}
    return {
        FACTS: json.dumps(facts, sort_keys=True).encode() + b"\n",
        PLACES: array_bytes(places),
        LABELS: array_bytes(reference.monitors.labels.astype(np.int64)),
        ANCHORS: array_bytes(reference.anchors.astype(np.float16)),
    }


def read(path: Path) -> Reference | None:
    """The reference of a bundle; None where it carries none, or one of other scores than are watched here.

    Raises:
        LineError: it is damaged.
    """
    bundle = Bundle(path)
    if FACTS not in bundle.members:
        return None
    facts: Mapping[str, object] = bundle.json(FACTS)
    if facts.get("scores") != list(SCORES):
        return None
    places, labels = bundle.array(PLACES), bundle.array(LABELS)
    flat = no_counts(len(SCORES)).reshape(len(SCORES), BLOCK * BLOCK)
    try:
        flat[places[:, 0], places[:, 1]] = places[:, 2]
        images = int(str(facts["images"]))
    except (IndexError, KeyError, ValueError) as error:
        raise LineError(
            mark("{path}: its reference for the watch is damaged."), path=path
        ) from error
    counts = flat.reshape(len(SCORES), BLOCK, BLOCK)
    return Reference(Monitors.of(counts, labels), bundle.array(ANCHORS), images)
