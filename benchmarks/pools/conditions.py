"""What can be the matter with a pool: unequal classes, absent ones, few images, copies, strangers, wrong names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor

from benchmarks.pools.sets import PoolSet
from clipgrip.seeds import generator
from clipgrip.types import ClassEmbeds, ImageEmbeds, Labels

MOST = 2000
"""Images of a pool."""
LEAST = 40
"""A condition that leaves fewer is left out."""


@dataclass(frozen=True)
class BenchPool:
    """A pool in one condition: images (N, D), classes (C, D), truth (N,), -1 where an image is of no class."""

    of: str
    kind: str
    held: bool
    condition: str
    scale: float
    images: ImageEmbeds = field(repr=False)
    classes: ClassEmbeds = field(repr=False)
    truth: Labels = field(repr=False)


Changed = PoolSet | None
"""None where the set does not allow the condition."""


def pools_of(whole: PoolSet, seed: int) -> Iterator[BenchPool]:
    """The set in every condition that it allows."""
    for name, change in CONDITIONS.items():
        if whole.whole_only and name != "as is":
            continue
        draw = generator(seed, "pools", whole.name, name)
        found = change(whole, draw)
        if found is None or len(found.truth) < LEAST:
            continue
        rows = _some(len(found.truth), MOST, draw)
        yield BenchPool(
            *(whole.name, whole.kind, whole.held, name, whole.scale),
            *(found.images[rows], found.classes, found.truth[rows]),
        )


def _as_is(whole: PoolSet, _: torch.Generator) -> Changed:
    return whole


def _filled(whole: PoolSet, draw: torch.Generator, *, share: float) -> Changed:
    """One class with many images holds ``share`` of the pool, the others share the rest as they come."""
    counts = torch.bincount(whole.truth)
    able = (counts >= max(30, int(counts.max()) // 4)).nonzero().squeeze(1)
    if not len(able):
        return None
    large = able[torch.randint(len(able), (), generator=draw)]
    rows, others = (whole.truth == large).nonzero().squeeze(1), (whole.truth != large).nonzero()
    rest = round(min(len(rows) * (1 / share - 1), len(others)))
    rows = rows[_some(len(rows), round(rest * share / (1 - share)), draw)]
    others = others.squeeze(1)[_some(len(others), rest, draw)]
    return _rows(whole, torch.cat([rows, others]))


def _tail(whole: PoolSet, draw: torch.Generator, *, ratio: int) -> Changed:
    """The most frequent class has ``ratio`` times the images of the rarest, geometrically in between."""
    n_classes = len(whole.classes)
    order, kept = torch.randperm(n_classes, generator=draw).tolist(), []
    for rank, c in enumerate(order):
        rows = (whole.truth == c).nonzero().squeeze(1)
        count = round(len(rows) * ratio ** (-rank / max(1, n_classes - 1)))
        kept.append(rows[_some(len(rows), max(1, count), draw)])
    return _rows(whole, torch.cat(kept))


def _some_classes(whole: PoolSet, draw: torch.Generator, *, share: float) -> Changed:
    """All classes are offered, a share of them is there."""
    n_classes = len(whole.classes)
    there = torch.randperm(n_classes, generator=draw)[: max(2, round(share * n_classes))]
    return _rows(whole, torch.isin(whole.truth, there).nonzero().squeeze(1))


def _few(whole: PoolSet, draw: torch.Generator, *, images: int) -> Changed:
    """So many random images."""
    if len(whole.truth) < images:
        return None
    return _rows(whole, _some(len(whole.truth), images, draw))


def _copies(whole: PoolSet, draw: torch.Generator, *, share: float) -> Changed:
    """A share of at most 1,000 images stands in the pool five times."""
    rows = _some(len(whole.truth), MOST // 5 if share == 1 else MOST // 2, draw)
    copied = rows[: round(share * len(rows))]
    return _rows(whole, torch.cat([rows, copied.repeat(4)]))


def _strangers(whole: PoolSet, draw: torch.Generator, *, share: float) -> Changed:
    """A fifth of the classes has no name; their images make at most ``share`` of the pool."""
    order = torch.randperm(len(whole.classes), generator=draw)
    named = order[: round(0.8 * len(order))].sort().values
    place = torch.full((len(order),), -1)
    place[named] = torch.arange(len(named))
    truth = place[whole.truth]
    own, other = (truth >= 0).nonzero().squeeze(1), (truth < 0).nonzero().squeeze(1)
    some = other[_some(len(other), round(len(own) * share / (1 - share)), draw)]
    changed = replace(whole, truth=truth, classes=whole.classes[named])
    return _rows(changed, torch.cat([own, some]))


def _wrong_names(whole: PoolSet, draw: torch.Generator) -> Changed:
    """A sixth of the classes goes; a fifth of the others bear the names of those."""
    order = torch.randperm(len(whole.classes), generator=draw)
    gone = order[: max(1, len(order) // 6)]
    kept = order[len(gone) :].sort().values
    place = torch.full((len(order),), -1)
    place[kept] = torch.arange(len(kept))
    classes = whole.classes[kept].clone()
    wrong = torch.randperm(len(kept), generator=draw)[: len(gone)]
    classes[wrong] = whole.classes[gone]
    changed = replace(whole, truth=place[whole.truth], classes=classes)
    return _rows(changed, (changed.truth >= 0).nonzero().squeeze(1))


CONDITIONS: dict[str, Callable[[PoolSet, torch.Generator], Changed]] = {
    "as is": _as_is,
    "one class 30 %": partial(_filled, share=0.3),
    "one class 60 %": partial(_filled, share=0.6),
    "one class 90 %": partial(_filled, share=0.9),
    "tail 10:1": partial(_tail, ratio=10),
    "tail 50:1": partial(_tail, ratio=50),
    "20 % of classes": partial(_some_classes, share=0.2),
    "50 % of classes": partial(_some_classes, share=0.5),
    "64 images": partial(_few, images=64),
    "200 images": partial(_few, images=200),
    "600 images": partial(_few, images=600),
    "all five times": partial(_copies, share=1.0),
    "some five times": partial(_copies, share=0.2),
    "strangers 20 %": partial(_strangers, share=0.2),
    "wrong names": _wrong_names,
}


def _some(of: int, n: int, draw: torch.Generator) -> Tensor:
    """At most ``n`` random positions."""
    return torch.randperm(of, generator=draw)[:n]


def _rows(whole: PoolSet, rows: Tensor) -> PoolSet:
    return replace(whole, images=whole.images[rows], truth=whole.truth[rows])
