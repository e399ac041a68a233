"""A model that can be wrong without a network: what it says is the colour of a picture. And a service around it."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from waiting import LONG

from clipgrip_line.answers import Answer
from clipgrip_line.errors import LineError
from clipgrip_line.pictures.appearance import appearance_of
from clipgrip_line.pictures.images import decode
from clipgrip_line.pictures.looks import Looks, looks_of
from clipgrip_line.pictures.unusable import UndecodableImage
from clipgrip_line.promises import Promise, Scope
from clipgrip_line.service.app import create_app
from clipgrip_line.service.limits import Limits
from clipgrip_line.service.service import Service, ServiceSettings
from clipgrip_line.web.address import Access

CLASSES = ("good", "scratch", "dent")


@dataclass(frozen=True)
class FakePixels:
    image_id: str
    colour: tuple[float, float, float]
    looks: Looks = field(repr=False)
    appearance: Any = field(repr=False)


class Colours:
    """Probabilities are the shares of the three colours."""

    def probs(self, embeds: Any) -> Any:
        powers = np.asarray(embeds, float) ** 2
        return powers / powers.sum(1, keepdims=True)


@dataclass
class FakeModel:
    version: str = "aaaaaaaaaaaa"
    classes: tuple[str, ...] = CLASSES
    ok_classes: tuple[str, ...] = ("good",)
    promise: Promise | None = None
    info: Mapping[str, object] = field(default_factory=dict)
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    scoring: Colours = field(default_factory=Colours)
    gate: threading.Event | None = None
    """Answers wait for it."""
    batches: list[int] = field(default_factory=list)
    order: tuple[int, int, int] = (0, 1, 2)
    """Which colour is which class."""

    def pixels(self, data: bytes, check: Any = None) -> FakePixels:
        try:
            picture = decode(data, check=check)
        except UndecodableImage as error:
            raise LineError(
                "not an image that can be read: {detail}", detail=error.detail
            ) from error
        mean = np.asarray(picture, float).mean((0, 1)) / 255
        colour = tuple(float(value) + 0.01 for value in mean)
        glance = looks_of(picture), appearance_of(picture)
        return FakePixels(hashlib.sha256(data).hexdigest(), colour, *glance)  # type: ignore[arg-type]

    def embed(self, images: Sequence[FakePixels]) -> Any:
        if self.gate is not None:
            assert self.gate.wait(LONG)
        self.batches.append(len(images))
        found = np.array([one.colour for one in images], np.float32)[:, list(self.order)]
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    def answers_of(
        self, image_ids: Sequence[str], probs: Any, to_people_all: bool = False
    ) -> list[Answer]:
        return [self._answer(*pair, to_people_all) for pair in zip(image_ids, probs, strict=True)]

    def _answer(self, image: str, row: Any, to_people: bool) -> Answer:
        label = int(row.argmax())
        name, sure = self.classes[label], float(row[label])
        top = tuple((self.classes[n], float(row[n])) for n in np.argsort(-row)[:3])
        by_person = to_people or (self.promise is not None and not self.promise.holds(label, sure))
        verdict: Any = "person" if by_person else "ok" if name in self.ok_classes else "ng"
        return Answer(
            image, name, sure, top, "person" if by_person else "model", verdict, self.version
        )


def promised(threshold: float = 0.8, rate: float = 0.05) -> Promise:
    """All classes over a confidence."""
    scope = Scope("all", frozenset(range(3)), threshold, rate)
    return Promise(rate, 0.95, (scope,), "Aki", "2026-11-01T08:00:00+00:00")


def picture(red: int, green: int, blue: int, size: int = 24) -> bytes:
    """A PNG of one colour."""
    out = io.BytesIO()
    Image.new("RGB", (size, size), (red, green, blue)).save(out, "PNG")
    return out.getvalue()


GOOD, SCRATCH, DENT, UNSURE = (
    picture(250, 20, 20), picture(20, 250, 20), picture(20, 20, 250), picture(130, 120, 110),
)  # fmt: skip


def settings(state: Path, **changes: Any) -> ServiceSettings:
    """For tests: loopback, small limits."""
    limits = replace(Limits(), **changes.pop("limits", {}))
    base = ServiceSettings(state, Access("testserver", 80), limits=limits, audit_every=0)
    return replace(base, **changes)


def service_of(state: Path, model: FakeModel | None = None, **changes: Any) -> Service:
    """A service that has not started yet."""
    others = changes.pop("others", {})
    shadow = changes.pop("shadow", None)

    def load(path: Path) -> Any:
        return others[path.stem]

    return Service(settings(state, **changes), model or FakeModel(), load, shadow)


def app_of(service: Service) -> Any:
    """Its application."""
    return create_app(service)
