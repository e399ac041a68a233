"""Sets of embeddings with their true classes: real ones, photographs and demos as nano sees them; draws of labels."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.features import array_of, eye_of_photographs, photographs, unit
from clipgrip.backbone.registry import load_backbone

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
SETS = (
    *("steel", "trash", "parts", "digits", "surfaces"),
    *("caltech58", "imagenet100", "dtd", "flowers", "caltech100", "dtd10"),
)
PHOTOGRAPHS = ("steel", "parts", "trash")
BANKED = ("steel", "trash", "parts", "caltech58", "caltech100", "dtd10")
"""Sets that a second encoder has seen too."""
MOST = 2000
"""Images without a label."""


@dataclass(frozen=True)
class Set:
    """Images (N, D), their classes (N,), and class embeddings (C, D) where there are texts."""

    name: str
    images: Floats
    labels: Ints
    texts: Floats | None
    scale: float = 100.0
    width: int = 0
    """Columns of the text's bank where a second one stands beside it; 0: there is one bank."""

    @property
    def n_classes(self) -> int:
        return int(self.labels.max()) + 1

    def banks(self, images: Floats) -> Any:
        """Rows as `GripClassifier` takes them."""
        return [images[:, : self.width], images[:, self.width :]] if self.width else images

    def misnamed(self) -> Set:
        """The same, where a quarter of the classes has another's text: they change places in a circle."""
        if self.texts is None:
            return self
        order = np.random.default_rng(0).permutation(len(self.texts))
        some = order[: round(len(order) / 4)]
        texts = self.texts.copy()
        texts[some] = texts[np.roll(some, 1)]
        return replace(self, texts=texts)

    def beside(self, eye: Floats) -> Set:
        """The same with a second bank in the same rows."""
        seen = unit(eye)
        seen = unit(seen - seen.mean(axis=0))
        images = np.concatenate([self.images, seen], axis=1).astype(np.float32)
        if self.texts is None:
            return replace(self, images=images, width=self.images.shape[1])
        none = np.zeros((len(self.texts), seen.shape[1]), np.float32)
        texts = np.concatenate([self.texts, none], axis=1)
        return replace(self, images=images, texts=texts, width=self.images.shape[1])


@dataclass(frozen=True)
class Draw:
    """Rows that are labeled, and two halves of the others: each is the pool once and judged once."""

    labeled: Ints
    halves: tuple[Ints, Ints]

    @property
    def judged(self) -> Ints:
        """Both halves."""
        return np.concatenate(self.halves)


def with_eye(name: str) -> tuple[Set, Floats]:
    """A set as CLIP sees it, with texts where there are some, and (N, E) of the eye."""
    if name in PHOTOGRAPHS:
        return loaded(name), eye_of_photographs(name)
    read = array_of({"dtd10": "two-encoders-dtd10"}.get(name, "two-encoders-caltech101"))
    clip, eye = unit(read("clip_embeds")), read("eye_embeds").astype(np.float32)
    labels = read("labels").astype(np.int64)
    if name != "caltech58":
        return Set(name, clip, labels, None), eye
    named = read("text_classes").astype(np.int64)
    place = np.full(labels.max() + 1, -1)
    place[named] = np.arange(len(named))
    rows = np.flatnonzero(place[labels] >= 0)
    return Set(name, clip[rows], place[labels[rows]], unit(read("class_embeds"))), eye[rows]


def with_second_bank(name: str) -> Set:
    """One of ``BANKED``, with the second encoder's columns beside the first's."""
    data, eye = with_eye(name)
    return data.beside(eye)


def loaded(name: str) -> Set:
    """One of ``SETS``; SystemExit where its files are absent."""
    if name in PHOTOGRAPHS:
        return Set(name, *photographs(name))
    if name in ("digits", "surfaces"):
        return _demo(name)
    if name == "imagenet100":
        every = loaded("imagenet1000")
        some = np.random.default_rng(0).permutation(1000)[:100]
        place = {int(c): n for n, c in enumerate(some)}
        rows = np.flatnonzero(np.isin(every.labels, some))
        labels = np.array([place[int(c)] for c in every.labels[rows]])
        assert every.texts is not None
        return Set(name, every.images[rows], labels, every.texts[some])
    if name in ("caltech58", "imagenet1000"):
        read = array_of(name)
        return Set(
            name,
            unit(read("image_embeds")),
            read("labels").astype(np.int64),
            unit(read("class_embeds")),
        )
    if name in ("dtd", "flowers"):
        read = array_of(name)
        images, labels = (
            np.concatenate([read(f"{part}_{what}") for part in ("pool", "test")])
            for what in ("embeds", "labels")
        )
        return Set(name, unit(images), labels.astype(np.int64), None)
    read = array_of({"caltech100": "two-encoders-caltech101", "dtd10": "two-encoders-dtd10"}[name])
    return Set(name, unit(read("clip_embeds")), read("labels").astype(np.int64), None)


def _demo(name: str) -> Set:
    from benchmarks.sets import load
    from clipgrip.prompts.classifier import zero_shot

    backbone = load_backbone("nano")
    with tempfile.TemporaryDirectory() as folder:
        demo = load(name, Path(folder), backbone)
    texts = zero_shot(backbone, demo.classes.prompts, demo.template).numpy()
    images = np.concatenate([demo.pool.numpy(), demo.test.numpy()])
    labels = np.concatenate([demo.pool_truth.numpy(), demo.test_truth.numpy()])
    return Set(name, images, labels, texts, backbone.logit_scale)


def drawn(labels: Ints, shots: str, seed: int) -> Draw | None:
    """``shots`` labels a class, or 70 % where it says all; None where a class has too few images."""
    draw = np.random.default_rng(seed)
    given: list[Ints] = []
    for c in np.unique(labels):
        rows = draw.permutation(np.flatnonzero(labels == c))
        wanted = int(0.7 * len(rows)) if shots == "all" else int(shots)
        if shots != "all" and len(rows) < wanted + 3:
            return None
        given.append(rows[:wanted])
    labeled = np.sort(np.concatenate(given))
    rest = draw.permutation(np.setdiff1d(np.arange(len(labels)), labeled))[:MOST]
    return Draw(labeled, (rest[: len(rest) // 2], rest[len(rest) // 2 :]))
