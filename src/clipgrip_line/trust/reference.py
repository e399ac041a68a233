"""What new images are compared with, as it travels in a bundle: scores of known images, embeddings to be near to."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipgrip_line.bundle import Bundle
from clipgrip_line.errors import LineError
from clipgrip_line.pictures.appearance import REVISION
from clipgrip_line.trust.drift import Monitors
from clipgrip_line.trust.ranks import Codes, counted, no_counts
from clipgrip_line.trust.scores import LOOKS, SCORES, Anchors

FACTS = "reference.json"


@dataclass(frozen=True)
class Reference:
    """Monitors before the first bet, and the anchors."""

    monitors: Monitors
    anchors: Anchors = field(repr=False)
    images: int
    """Images that it was made of."""


def monitors_of(
    codes: Codes, labels: Codes, held_out: NDArray[np.bool_], far: NDArray[np.bool_], classes: int
) -> Monitors:
    """Each score counts the images of which it can be said: looks all, distance those that are no anchors.

    Confidence and class shares begin with the images that taught nothing: ``held_out`` (N,).
    """
    confidence, distance = LOOKS, LOOKS + 1
    seen = no_counts(len(SCORES))
    seen[:LOOKS] = counted(codes[:, :LOOKS])
    seen[confidence] = counted(codes[held_out][:, [confidence]])[0]
    seen[distance] = counted(codes[far][:, [distance]])[0]
    shares = np.bincount(labels[held_out], minlength=classes).astype(np.int64)
    return Monitors.of(seen, shares)


def facts_of(anchors: Anchors, images: int) -> dict[str, Any]:
    """What a bundle says of its reference; its scores are others for what knows no appearances, or other ones."""
    return {"scores": _scores(anchors.weight), "images": images, "weight": anchors.weight}


def _scores(weight: float) -> list[str]:
    distance = f"{SCORES[-1]}, appearance {REVISION}" if weight else SCORES[-1]
    return [*SCORES[:-1], distance]


def read(path: Path, classes: int) -> Reference | None:
    """The reference of a bundle; None where it brings none, or one of other scores than are watched here.

    LineError: it is damaged.
    """
    bundle = Bundle(path)
    if FACTS not in bundle.members:
        return None
    facts = bundle.json(FACTS)
    weight = float(facts.get("weight", 0))
    if facts.get("scores") != _scores(weight):
        return None
    codes, labels, held_out, far, anchors = (
        bundle.array(f"reference/{name}.npy")
        for name in ("codes", "labels", "held_out", "far", "anchors")
    )
    try:
        monitors = monitors_of(
            codes.astype(np.int64), labels, held_out.astype(bool), far.astype(bool), classes
        )
    except (IndexError, ValueError) as error:
        raise LineError(
            "{path}: its reference for the watch is damaged. Copy the bundle again.", path=path
        ) from error
    return Reference(monitors, Anchors(anchors.astype(np.float32), weight), len(codes))
