"""A model at work, and an image as it saw it: the answer, and what the watch wants to know."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from clipgrip_line.answers import Answer
from clipgrip_line.monitoring.promises import Promising
from clipgrip_line.pictures.looks import Looks

Floats = NDArray[Any]


class Probabilities(Protocol):
    """From embeddings (N, D) to (N, C)."""

    def probs(self, embeds: Any) -> Floats:
        """As the model says them, before calibration."""


class Answering(Promising, Protocol):
    """What of `clipgrip_line.model.Model` a line uses; tests have a smaller one."""

    @property
    def ok_classes(self) -> tuple[str, ...]:
        """Those that are OK."""

    @property
    def info(self) -> Mapping[str, object]:
        """What people are shown of it."""

    @property
    def names(self) -> Mapping[str, tuple[str, ...]]:
        """The classes' names by language, where they are known."""

    @property
    def scoring(self) -> Probabilities:
        """What makes probabilities of embeddings."""

    def pixels(self, data: bytes, check: Callable[[int, int], None] | None = None) -> Any:
        """One image, prepared; a LineError where it is none, or what ``check`` raises for its width and height."""

    def embed(self, images: Sequence[Any]) -> Any:
        """(N, D)."""

    def answers_of(
        self, image_ids: Sequence[str], probs: Any, to_people_all: bool = False
    ) -> list[Answer]:
        """The answers to probabilities."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """An image with its answer."""

    answer: Answer
    looks: Looks
    appearance: Floats = field(repr=False)
    embed: Floats = field(repr=False)
    label: int
    sure: float
    """The confidence as the model says it, before calibration: promises are about this one."""


def see(model: Answering, pixels: Sequence[Any]) -> list[Seen]:
    """One batch."""
    embeds = model.embed(pixels)
    probs = np.asarray(model.scoring.probs(embeds))
    answers = model.answers_of([one.image_id for one in pixels], probs)
    labels = probs.argmax(1).tolist()
    return [
        Seen(
            answer=answer,
            looks=one.looks,
            appearance=one.appearance,
            embed=embed,
            label=label,
            sure=float(row[label]),
        )
        for one, answer, embed, label, row in zip(
            pixels, answers, embeds, labels, probs, strict=True
        )
    ]
