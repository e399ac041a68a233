"""Pools of many kinds with known truth: models that know their classes, models that know little, and useless ones.

Real CLIP embeddings with real texts, prototypes of one or two images, nano on its demos and on photographs. Even seeds
choose a rule and odd ones judge it: the two never share a class of Caltech or ImageNet, nor a set of photographs.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.features import FeatureSet, with_prototypes, with_text
from benchmarks.sets import load
from clipgrip.backbone.cache import EmbeddingCache
from clipgrip.backbone.registry import load_backbone
from clipgrip.data.classes import ClassNames
from clipgrip.data.ingest import ingest
from clipgrip.metrics import accuracy
from clipgrip.prompts.classifier import zero_shot
from clipgrip.runs.embedding import embed_manifest
from clipgrip.seeds import generator
from clipgrip.types import ClassEmbeds, ImageEmbeds, Labels, Logits

SCALE = 100.0
PHOTOS = ("trash", "steel", "parts")
Knows = Literal["classes", "little", "nothing"]


@dataclass(frozen=True)
class Situation:
    """Images (N, D), texts (C, D) and truth (N,), -1 for strangers; ``knows``: how the texts were made."""

    kind: str
    name: str
    knows: Knows
    images: ImageEmbeds
    texts: ClassEmbeds
    truth: Labels
    scale: float = SCALE

    @property
    def logits(self) -> Logits:
        """(N, C)."""
        return self.scale * self.images @ self.texts.T

    @property
    def accuracy(self) -> float:
        """Of zero-shot; a stranger's answer is wrong."""
        return accuracy(self.logits, self.truth) * float((self.truth >= 0).double().mean())


def situations(seeds: range) -> Iterator[Situation]:
    """All of them for each seed."""
    for seed in seeds:
        for make in (*KNOWING, *USELESS):
            yield from make(seed)


def with_classes(seed: int) -> Iterator[Situation]:
    """Some classes of Caltech and ImageNet with their texts; ``near``: neighbours in WordNet, hard to tell apart."""
    for classes in (3, 5, 10, 20):
        yield _drawn("caltech", seed, classes)
    for classes in (5, 10, 20, 50, 200):
        yield _drawn("imagenet", seed, classes)
    for classes in (5, 10, 20):
        yield _drawn("near", seed, classes)


def with_few_images(seed: int) -> Iterator[Situation]:
    """25 and 60 images."""
    for n in (25, 60):
        found = _drawn("caltech", seed, 5)
        yield _rows(found, _some(len(found.truth), n, seed), "few images", str(n))


def with_two_classes(seed: int) -> Iterator[Situation]:
    """The fewest that can be told apart."""
    for source in ("caltech", "imagenet"):
        yield replace(_drawn(source, seed, 2), kind="two classes", name=f"{source} 2 #{seed}")


def with_unequal_classes(seed: int) -> Iterator[Situation]:
    """A long tail; a class that fills nearly all of the pool; strangers among the images."""
    found = _drawn("caltech", seed, 12)
    kept = [(found.truth == c).nonzero()[: max(1, int(60 * 0.7**c)), 0] for c in range(12)]
    yield _rows(found, torch.cat(kept), "long tail", "12")
    for share in (0.9, 0.98):
        yield _dominated(seed, share)
    strangers = _drawn("imagenet", seed + 2, 30).images[: len(found.truth) // 2]
    outside = torch.full((len(strangers),), -1)
    images, truth = torch.cat([found.images, strangers]), torch.cat([found.truth, outside])
    yield replace(found, kind="strangers", name=f"12 #{seed}", images=images, truth=truth)


def with_images_as_classes(seed: int) -> Iterator[Situation]:
    """Means of one or two images a class instead of texts."""
    for source, shots in (("dtd", 1), ("flowers", 1), ("flowers", 2)):
        held = with_prototypes(source, "test", shots)
        found = _of(held, seed, 20, kind=f"{source} prototypes", name=f"{shots}-shot")
        yield replace(found, knows="little")


def with_noisy_texts(seed: int) -> Iterator[Situation]:
    """Texts that point only roughly at their images."""
    for source in ("caltech", "imagenet"):
        for noise in (0.3, 0.6, 1.0):
            found = _drawn(source, seed, 15)
            spread = found.texts - found.texts.mean(0)
            added = F.normalize(_normal(found.texts.shape, seed), dim=1) * spread.norm(dim=1).mean()
            texts = F.normalize(found.texts + noise * added, dim=1)
            name = f"{source} {noise} #{seed}"
            yield replace(found, kind="noisy texts", name=name, knows="little", texts=texts)


def demos(seed: int) -> Iterator[Situation]:
    """The demo sets as nano sees them, whole and a few of them."""
    for name in ("digits", "surfaces"):
        found = _demo(name)
        yield found
        yield _rows(found, _some(len(found.truth), 80, seed), "demos", f"{name} 80")


def with_other_words(seed: int) -> Iterator[Situation]:
    """Real texts of words that have nothing to do with the images, and random texts as alike as real ones."""
    for source in ("caltech", "dtd", "flowers"):
        for classes in (4, 8, 16):
            if source == "caltech":
                found = _drawn("caltech", seed, classes)
            else:
                found = _of(with_prototypes(source, "test"), seed, classes, kind=source, name="")
            words = _drawn("imagenet", seed + 4, classes).texts
            name = f"{source} {classes} #{seed}"
            yield replace(found, kind="other words", name=name, knows="nothing", texts=words)
            texts = _like_real(classes, seed)
            yield replace(found, kind="random texts", name=name, knows="nothing", texts=texts)


def with_alike_texts(seed: int) -> Iterator[Situation]:
    """Names that the model cannot read: all texts are nearly the same."""
    found = _drawn("caltech", seed, 8)
    middle = found.texts.mean(0)
    texts = F.normalize(middle + 0.05 * (_like_real(8, seed) - middle), dim=1)
    yield replace(found, kind="alike texts", name=f"8 #{seed}", knows="nothing", texts=texts)


def photographs(seed: int) -> Iterator[Situation]:
    """Nano on photographs, with their names and with words drawn at random."""
    for name in PHOTOS[:1] if seed % 2 == 0 else PHOTOS[1:]:
        found = _photos(name)
        yield found
        texts = _nano_words(len(found.texts), seed)
        yield replace(found, name=f"{name}, other words #{seed}", texts=texts)


def demos_with_other_words(seed: int) -> Iterator[Situation]:
    """Nano on its demos, asked for things that are not in them."""
    for name in ("digits", "surfaces"):
        found = _demo(name)
        texts, at = _nano_words(len(found.texts), seed + 10), f"{name} #{seed}"
        yield replace(found, kind="nano, other words", name=at, knows="nothing", texts=texts)


KNOWING: tuple[Callable[[int], Iterator[Situation]], ...] = (
    with_classes,
    with_few_images,
    with_two_classes,
    with_unequal_classes,
    with_images_as_classes,
    with_noisy_texts,
    demos,
)
USELESS: tuple[Callable[[int], Iterator[Situation]], ...] = (
    with_other_words,
    with_alike_texts,
    photographs,
    demos_with_other_words,
)


def permuted(found: Situation, seed: int) -> Situation:
    """Every text at another class: nothing but labels can tell."""
    order = torch.arange(len(found.texts)).roll(1 + seed % max(1, len(found.texts) - 1))
    return replace(found, kind="permuted texts", texts=found.texts[order])


def _drawn(source: str, seed: int, classes: int) -> Situation:
    """Classes of one half of the set: of even seeds or of odd ones."""
    held = _texts("caltech58" if source == "caltech" else "imagenet1000")
    return _of(held, seed, classes, kind=source, name=str(classes), near=source == "near")


def _of(
    held: FeatureSet, seed: int, classes: int, *, kind: str, name: str, near: bool = False
) -> Situation:
    half = torch.arange(len(held.classes)).chunk(2)[seed % 2]
    draw = generator(seed, f"classes {classes}")
    if near:
        first = int(torch.randint(len(half) - classes, (1,), generator=draw))
        chosen = half[first : first + classes]
    else:
        chosen = half[torch.randperm(len(half), generator=draw)[:classes]]
    place = torch.full((len(held.classes),), -1)
    place[chosen] = torch.arange(len(chosen))
    rows = place[held.labels] >= 0
    truth = place[held.labels[rows]]
    return Situation(
        kind, f"{name} #{seed}", "classes", held.images[rows], held.classes[chosen], truth
    )


def _dominated(seed: int, share: float) -> Situation:
    """Faces or airplanes, and a few images of seven other classes."""
    held = _texts("caltech58")
    sizes = torch.bincount(held.labels)
    half = torch.arange(len(sizes)).chunk(2)[seed % 2]
    ranked = half[sizes[half].argsort(descending=True)]
    chosen = torch.cat([ranked[:1], ranked[5:12]])
    place = torch.full((len(sizes),), -1)
    place[chosen] = torch.arange(len(chosen))
    rows = (place[held.labels] >= 0).nonzero().squeeze(1)
    truth = place[held.labels[rows]]
    main, others = rows[truth == 0], rows[truth > 0]
    few = max(1, round(len(main) * (1 - share) / share))
    kept = torch.cat([main, others[_some(len(others), few, seed)]])
    name = f"{100 * share:.0f} % #{seed}"
    return Situation(
        "dominated",
        name,
        "classes",
        held.images[kept],
        held.classes[chosen],
        place[held.labels[kept]],
    )


def _rows(found: Situation, rows: Tensor, kind: str, name: str) -> Situation:
    images, truth = found.images[rows], found.truth[rows]
    return replace(found, kind=kind, name=f"{name} {found.name}", images=images, truth=truth)


def _some(of: int, n: int, seed: int) -> Tensor:
    return torch.randperm(of, generator=generator(seed, "some"))[:n]


def _normal(shape: torch.Size, seed: int) -> Tensor:
    return torch.randn(shape, generator=generator(seed, "noise"))


def _like_real(classes: int, seed: int) -> ClassEmbeds:
    """Random texts with the mean and the covariance of a thousand real ones."""
    held = _texts("imagenet1000").classes
    middle = held.mean(0)
    _, spread, axes = torch.linalg.svd(held - middle, full_matrices=False)
    drawn = _normal(torch.Size((classes, len(spread))), seed) * spread / len(held) ** 0.5
    return F.normalize(middle + drawn @ axes, dim=1)


@cache
def _texts(name: str) -> FeatureSet:
    return with_text(name)


@cache
def _demo(name: str) -> Situation:
    backbone = load_backbone("nano")
    with tempfile.TemporaryDirectory() as folder:
        held = load(name, Path(folder), backbone)
    texts = zero_shot(backbone, held.classes.prompts, held.template)
    scale = backbone.logit_scale
    return Situation("demos", name, "classes", held.pool, texts, held.pool_truth, scale)


@cache
def _photos(name: str) -> Situation:
    backbone, root = load_backbone("nano"), _data() / "photos" / name
    names = sorted(path.name for path in root.iterdir() if path.is_dir())
    manifest = ingest(root, classes=ClassNames.of(names)).manifest
    found = embed_manifest(backbone, manifest, cache=EmbeddingCache.for_backbone(backbone)).embeds
    truth = torch.tensor([names.index(Path(row.path).parts[-2]) for row in found.pool_rows])
    texts, scale = zero_shot(backbone, tuple(names)), backbone.logit_scale
    return Situation("photographs", name, "nothing", found.pool, texts, truth, scale)


def _nano_words(classes: int, seed: int) -> ClassEmbeds:
    draw = generator(seed, "words")
    chosen = torch.randperm(len(WORDS), generator=draw)[:classes].tolist()
    return zero_shot(load_backbone("nano"), [WORDS[n] for n in chosen])


def _data() -> Path:
    here = Path(__file__).resolve().parents[1].parent / "shared" / "data"
    return Path(os.environ.get("CLIPGRIP_DATA") or here)


WORDS = (
    *(
        "apple",
        "bridge",
        "camel",
        "drum",
        "eagle",
        "forest",
        "guitar",
        "hammer",
        "island",
        "jacket",
    ),
    *("kettle", "lemon", "mountain", "needle", "orchid", "piano", "queen", "river", "sailor"),
    *("tiger", "umbrella", "violin", "window", "yacht", "zebra", "plastic bottle", "metal can"),
    *("glass jar", "cardboard box", "broken part", "good part", "rusty screw", "wet floor"),
)
