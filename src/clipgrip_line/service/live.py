"""A version at work: a model, and what the service needs beside its answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from clipgrip_line.answers import Answer
from clipgrip_line.promises import Promise

Floats = NDArray[Any]


class Probabilities(Protocol):
    """From embeddings (N, D) to (N, C)."""

    def probs(self, embeds: Any) -> Floats:
        """As the model says them, before calibration."""


class Answering(Protocol):
    """What of `clipgrip_line.model.Model` the service uses; tests have a smaller one."""

    @property
    def version(self) -> str:
        """The bundle's."""

    @property
    def classes(self) -> tuple[str, ...]:
        """In the order of the columns."""

    @property
    def ok_classes(self) -> tuple[str, ...]:
        """Those that are OK."""

    @property
    def promise(self) -> Promise | None:
        """What was promised when the bundle was made."""

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


@dataclass(frozen=True)
class Asked:
    """One image as it was asked for, and what came with it; ``pixels`` are those of the version that answers."""

    pixels: Any = field(repr=False)
    data: bytes = field(repr=False)
    name: str = ""
    lot: str = ""
    serial: str = ""
    station: str = ""
    request: str = ""
    position: int = 0


@dataclass(frozen=True)
class Seen:
    """An image with its answer, and what the watch wants to know of it."""

    asked: Asked
    answer: Answer
    embed: Floats = field(repr=False)
    label: int
    sure: float
    """The confidence as the model says it, before calibration: promises are about this one."""
    codes: bytes | None = field(default=None, repr=False)
    """Its scores for the watch; None where it is not bet on."""


def see(model: Answering, images: Sequence[Asked]) -> list[Seen]:
    """One batch."""
    pixels = [one.pixels for one in images]
    embeds = model.embed(pixels)
    probs = model.scoring.probs(embeds)
    answers = model.answers_of([one.image_id for one in pixels], probs)
    labels = np.asarray(probs).argmax(1).tolist()
    return [
        Seen(asked, answer, embed, label, float(row[label]))
        for asked, answer, embed, label, row in zip(
            images, answers, embeds, labels, probs, strict=True
        )
    ]
