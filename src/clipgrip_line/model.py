"""A bundle at work: the bytes of image files in, answers out. Safe to use from several threads."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from clipgrip_line import parts
from clipgrip_line.answers import Answer, Verdict
from clipgrip_line.bundle import Bundle
from clipgrip_line.colours import Numbers
from clipgrip_line.errors import LineError
from clipgrip_line.pictures.appearance import appearance_of
from clipgrip_line.pictures.images import decode
from clipgrip_line.pictures.looks import Looks, looks_of
from clipgrip_line.pictures.unusable import UndecodableImage
from clipgrip_line.promises import Promise, to_people
from clipgrip_line.scoring import Calibration, Floats, Scoring
from clipgrip_line.sentences import mark
from clipgrip_line.towers import Embeds, Tower
from clipgrip_line.towers import Pixels as Array

NO_IMAGE = mark("not an image that can be read: {detail}")
TOP = 3
"""Classes that an answer names."""


@dataclass(frozen=True)
class Pixels:
    """One image, ready for the towers."""

    image_id: str
    """SHA-256 of the file's bytes, hexadecimal."""
    arrays: tuple[Array, ...] = field(repr=False)
    """(H, W, 3) for each tower, the model's own first."""
    width: int
    height: int
    """Of the upright picture."""
    looks: Looks = field(repr=False)
    """Light, sharpness and colours in a few numbers, for the watch."""
    appearance: Numbers = field(repr=False)
    """What the surface and the colours are like, for the watch."""


@dataclass(frozen=True)
class Model:
    """What a bundle holds, read once; `open` makes it."""

    version: str
    """The bundle's: the first 12 hexadecimal digits of its manifest's SHA-256."""
    classes: tuple[str, ...]
    ok_classes: tuple[str, ...]
    promise: Promise | None
    """What was promised when the bundle was made; None where nothing ever was, and the model decides every image."""
    info: Mapping[str, object] = field(repr=False)
    """What people are shown of it: name, run, backbone, precision, who made it and when."""
    towers: tuple[Tower, ...] = field(repr=False)
    scoring: Scoring = field(repr=False)
    calibration: Calibration | None = field(default=None, repr=False)
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    """The classes' names by language, where they are known in both."""

    @classmethod
    def open(cls, path: Path, *, check: bool = True, threads: int | None = None) -> Model:
        """Read a bundle, compare every part with its digest, and try the golden images.

        ``threads`` are those of one answer; all of this machine's, or OMP_NUM_THREADS, unless it is given. LineError:
        damaged, foreign, newer than this program, or its golden images are answered otherwise here.
        """
        bundle = Bundle(path)
        read = parts.read(bundle, threads or usual_threads())
        model = cls(bundle.version, *read)
        if check:
            for found in parts.golden(bundle):
                pixels = model.pixels(found.data)
                found.check(model.proba([pixels])[0], path)
        return model

    def pixels(self, data: bytes, check: Callable[[int, int], None] | None = None) -> Pixels:
        """Decode and prepare one image file; ``check`` may refuse its width and height before it is decoded.

        LineError: the bytes are no image that can be read.
        """
        try:
            picture = decode(data, check=check)
        except UndecodableImage as error:
            raise LineError(NO_IMAGE, detail=error.detail) from error
        arrays = tuple(tower.preprocess(picture) for tower in self.towers)
        content = hashlib.sha256(data).hexdigest()
        return Pixels(content, arrays, *picture.size, looks_of(picture), appearance_of(picture))

    def embed(self, images: Sequence[Pixels]) -> Embeds:
        """(N, D) in float32: what the model sees, with what eyes see beside it."""
        if not images:
            return np.zeros((0, self.width), np.float32)
        banks = [
            tower.encode([image.arrays[place] for image in images])
            for place, tower in enumerate(self.towers)
        ]
        return self.scoring.joined(banks)

    def proba(self, images: Sequence[Pixels]) -> Floats:
        """(N, C) as the model says them, before calibration; a promise is about these."""
        return self.scoring.probs(self.embed(images))

    def answer(self, images: Sequence[Pixels], *, to_people: bool = False) -> list[Answer]:
        """One batch; with ``to_people`` a person decides every image, whatever the promise says."""
        return self.answers_of([image.image_id for image in images], self.proba(images), to_people)

    def answers_of(
        self, image_ids: Sequence[str], probs: Floats, to_people_all: bool = False
    ) -> list[Answer]:
        """The answers to probabilities that `proba` gave."""
        if not len(image_ids):
            return []
        shown = probs if self.calibration is None else self.calibration(probs)
        labels = probs.argmax(axis=1).tolist()
        sure = [float(row[label]) for row, label in zip(probs, labels, strict=True)]
        people = to_people(self.promise, labels, sure)
        return [
            self._answer(image_id, label, row, to_people_all or by)
            for image_id, label, row, by in zip(image_ids, labels, shown, people, strict=True)
        ]

    @property
    def width(self) -> int:
        """D of `embed`."""
        return self.scoring.width

    def _answer(self, image_id: str, label: int, shown: Floats, by_person: bool) -> Answer:
        order = np.argsort(-shown, kind="stable")[:TOP].tolist()
        top = tuple((self.classes[n], float(shown[n])) for n in order)
        name = self.classes[label]
        verdict: Verdict = "class"
        if by_person:
            verdict = "person"
        elif self.ok_classes:
            verdict = "ok" if name in self.ok_classes else "ng"
        confidence, decided = float(shown[label]), "person" if by_person else "model"
        return Answer(image_id, name, confidence, top, decided, verdict, self.version)  # type: ignore[arg-type]


def usual_threads() -> int:
    """OMP_NUM_THREADS, else the processors that this process may use."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1
