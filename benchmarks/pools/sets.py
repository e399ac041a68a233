"""Sets of real CLIP embeddings whose truth is known: half of them choose, the other half judges what was chosen.

With real texts where there are some; else with prototypes of one image a class and with simulated texts: where the
classes' images lie, mapped to texts as ImageNet's are, off by as much as real texts are off, until zero-shot's accuracy
is that which CLIP is known for on the set.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.features import array_of, photographs, with_prototypes, with_text
from benchmarks.sets import load
from clipgrip.seeds import generator
from clipgrip.types import ClassEmbeds, ImageEmbeds, Labels

SCALE = 100.0
GROUPS = (
    *((0, 6), (7, 24), (25, 32), (33, 37), (38, 48), (52, 68), (70, 79), (107, 117), (118, 126)),
    *((147, 150), (151, 268), (269, 280), (281, 293), (294, 297), (300, 307), (308, 318)),
    *((319, 326), (330, 338), (339, 355), (356, 363), (365, 384)),
)
"""Kinds of animals by ImageNet's numbers: fish, birds, amphibians, turtles, lizards, snakes, spiders, ..."""
FITS = 3e-1
"""Ridge of the map from images to texts: with it the fitted texts are as far off as those left out."""


@dataclass(frozen=True)
class PoolSet:
    """Images (N, D), classes (C, D) and truth (N,), -1 where an image is of no class; chosen or ``held`` back."""

    name: str
    kind: str
    held: bool
    images: ImageEmbeds
    classes: ClassEmbeds
    truth: Labels
    scale: float = SCALE
    whole_only: bool = False
    """Whether it is only asked as it is: texts that say next to nothing."""


def sets() -> list[PoolSet]:
    """All of them."""
    return [make() for make in MAKERS]


def _caltech(half: int) -> PoolSet:
    """Every other class of the 58 with a text."""
    images, labels, texts, named = _caltech101()
    chosen = torch.arange(len(named))[half::2]
    name = f"caltech {'ab'[half]}"
    return _of(
        PoolSet(name, "text", half == 1, images, texts, labels), named[chosen], texts[chosen]
    )


def _unnamed(kind: str) -> PoolSet:
    """The 42 classes of Caltech101 without a text."""
    images, labels, _, named = _caltech101()
    others = torch.tensor(sorted({*labels.tolist()} - {*named.tolist()}))
    held = _of(PoolSet(f"caltech 42, {kind}", kind, False, images, images[:1], labels), others)
    return _with_one_shot(held) if kind == "1 shot" else _simulated(held, 0.88)


def _imagenet(name: str, held: bool, *ranges: tuple[int, int]) -> PoolSet:
    data = with_text("imagenet1000")
    chosen = torch.cat([torch.arange(first, last + 1) for first, last in ranges])
    whole = PoolSet(name, "text", held, data.images, data.classes, data.labels)
    return _of(whole, chosen, data.classes[chosen])


def _animals(half: int, *, one_name: bool) -> PoolSet:
    """Every other kind of animals: classes of many looks, unequally frequent; all their names or just the first."""
    data = with_text("imagenet1000")
    truth, texts, groups = torch.full((1000,), -1), [], GROUPS[half::2]
    for number, (first, last) in enumerate(groups):
        truth[first : last + 1] = number
        names = data.classes[first : first + 1 if one_name else last + 1]
        texts.append(names.mean(0))
    labels, classes = truth[data.labels], F.normalize(torch.stack(texts), dim=1)
    name = f"animals {'ab'[half]}{', one name' if one_name else ''}"
    whole = PoolSet(name, "text", half == 1, data.images, classes, labels)
    return _of(whole, torch.arange(len(groups)), classes)


def _other(source: str, kind: str, held: bool, accuracy: float) -> PoolSet:
    """Both parts of dtd or flowers."""
    parts = [with_prototypes(source, part) for part in ("pool", "test")]
    images = torch.cat([part.images for part in parts])
    truth = torch.cat([part.labels for part in parts])
    found = PoolSet(f"{source}, {kind}", kind, held, images, parts[0].classes, truth)
    return found if kind == "1 shot" else _simulated(found, accuracy)


def _demo(name: str, held: bool) -> PoolSet:
    from clipgrip.backbone.registry import load_backbone
    from clipgrip.prompts.classifier import zero_shot

    backbone = load_backbone("nano")
    demo = load(name, Path(tempfile.gettempdir()) / "clipgrip-benchmarks", backbone)
    texts = zero_shot(backbone, demo.classes.prompts, demo.template)
    truth, scale = demo.pool_truth, backbone.logit_scale
    return PoolSet(f"{name} (nano)", "nano", held, demo.pool, texts, truth, scale)


def _photos(name: str, held: bool) -> PoolSet:
    images, labels, texts, scale = (torch.as_tensor(part) for part in photographs(name))
    found = PoolSet(f"{name} (nano)", "nano", held, images, texts, labels.long(), float(scale))
    return replace(found, whole_only=True)


MAKERS: tuple[Callable[[], PoolSet], ...] = (
    lambda: _caltech(0),
    lambda: _imagenet("objects a", False, (398, 697)),
    lambda: _imagenet("birds", False, (7, 24), (80, 100), (127, 146)),
    lambda: _animals(0, one_name=False),
    lambda: _animals(0, one_name=True),
    lambda: _other("flowers", "simulated", False, 0.66),
    lambda: _unnamed("simulated"),
    lambda: _other("flowers", "1 shot", False, 0.0),
    lambda: _unnamed("1 shot"),
    lambda: _demo("digits", False),
    lambda: _photos("steel", False),
    lambda: _caltech(1),
    lambda: _imagenet("objects b", True, (698, 999)),
    lambda: _imagenet("dogs", True, (151, 268)),
    lambda: _imagenet("reptiles", True, (25, 79)),
    lambda: _imagenet("insects and mammals", True, (300, 388)),
    lambda: _animals(1, one_name=False),
    lambda: _animals(1, one_name=True),
    lambda: _other("dtd", "simulated", True, 0.44),
    lambda: _other("dtd", "1 shot", True, 0.0),
    lambda: _demo("surfaces", True),
    lambda: _photos("trash", True),
    lambda: _photos("parts", True),
)


def _of(whole: PoolSet, chosen: Tensor, classes: ClassEmbeds | None = None) -> PoolSet:
    """The images of some classes, which are then numbered from 0."""
    place = torch.full((int(max(whole.truth.max(), chosen.max())) + 1,), -1)
    place[chosen] = torch.arange(len(chosen))
    truth = torch.where(whole.truth >= 0, place[whole.truth], -1)
    rows, texts = truth >= 0, whole.classes if classes is None else classes
    return replace(whole, images=whole.images[rows], truth=truth[rows], classes=texts)


def _with_one_shot(whole: PoolSet) -> PoolSet:
    """One random image a class is its prototype and leaves the pool."""
    draw, rows = generator(0, "shots", whole.name), []
    for c in range(int(whole.truth.max()) + 1):
        of_class = (whole.truth == c).nonzero().squeeze(1)
        rows.append(of_class[torch.randint(len(of_class), (), generator=draw)])
    shots, left = torch.stack(rows), torch.ones(len(whole.truth), dtype=torch.bool)
    left[shots] = False
    images, truth = whole.images[left], whole.truth[left]
    return replace(whole, images=images, truth=truth, classes=whole.images[shots])


def _simulated(whole: PoolSet, accuracy: float) -> PoolSet:
    """Texts by ImageNet's map, with errors of other ImageNet texts, scaled until zero-shot is as good as asked."""
    to_text, errors = _imagenet_map()
    n_classes = int(whole.truth.max()) + 1
    means = torch.stack([whole.images[whole.truth == c].mean(0) for c in range(n_classes)])
    exact = to_text(F.normalize(means, dim=1))
    order = torch.randperm(len(errors), generator=generator(0, "errors", whole.name))[:n_classes]
    low, high = 0.0, 8.0
    for _ in range(20):
        middle = (low + high) / 2
        texts = F.normalize(exact + middle * errors[order], dim=1)
        right = (whole.images @ texts.T).argmax(1) == whole.truth
        low, high = (middle, high) if float(right.float().mean()) > accuracy else (low, middle)
    return replace(whole, classes=F.normalize(exact + low * errors[order], dim=1))


@cache
def _imagenet_map() -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """The linear map from a class's mean image to its text, and what each of the 1,000 texts lacks of it."""
    data = with_text("imagenet1000")
    means = torch.stack([data.images[data.labels == c].mean(0) for c in range(1000)])
    means = F.normalize(means, dim=1).double()
    texts = data.classes.double()
    middle, offset = means.mean(0), texts.mean(0)
    x, y = means - middle, texts - offset
    matrix = torch.linalg.solve(x.T @ x + FITS * torch.eye(x.shape[1]).double(), x.T @ y)

    def to_text(images: Tensor) -> Tensor:
        return ((images.double() - middle) @ matrix + offset).float()

    return to_text, (y - x @ matrix).float()


@cache
def _caltech101() -> tuple[ImageEmbeds, Labels, ClassEmbeds, Tensor]:
    """Images, labels, texts and the classes that have one."""
    read = array_of("two-encoders-caltech101")
    images = F.normalize(torch.as_tensor(read("clip_embeds")).float(), dim=1)
    texts = F.normalize(torch.as_tensor(read("class_embeds")).float(), dim=1)
    named = torch.as_tensor(read("text_classes")).long()
    return images, torch.as_tensor(read("labels")).long(), texts, named
