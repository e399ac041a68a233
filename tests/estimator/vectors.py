"""Embeddings of three classes whose names are not in alphabetical order, with the embeddings of their texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipgrip import GripClassifier

NAMES = ("zero", "three", "one")


@dataclass(frozen=True)
class Vectors:
    """X (N, D), names (N,) and class_embeds (C, D) that are right for most rows."""

    X: NDArray[np.float32]
    y: NDArray[np.str_]
    class_embeds: NDArray[np.float32]

    @property
    def positions(self) -> NDArray[np.int64]:
        """In NAMES."""
        return np.array([NAMES.index(name) for name in self.y])


def vectors(per_class: int = 20, width: int = 12, seed: int = 0) -> Vectors:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(3, width))
    labels = np.tile(np.arange(3), per_class)
    X = centres[labels] + 0.5 * rng.normal(size=(len(labels), width))
    texts = centres + 0.4 * rng.normal(size=centres.shape)
    return Vectors(X.astype(np.float32), np.array(NAMES)[labels], texts.astype(np.float32))


def on_texts(given: Vectors, **more: Any) -> GripClassifier:
    """With class embeddings, which are worth nothing where a label is taken for another class."""
    values: dict[str, Any] = {
        "class_names": NAMES,
        "class_embeds": given.class_embeds,
        "logit_scale": 20.0,
        "rounds": 2,
    } | more
    return GripClassifier(**{"backbone": "embeddings", **values})
