"""The pools of `pools` and the same with two labels a class, asked many times with other numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch

from benchmarks.ablate_steps import noted
from benchmarks.pools.conditions import BenchPool
from benchmarks.pools.measure import all_pools
from clipgrip.prompts.classifier import predict_proba
from clipgrip.pseudolabel.refine.answers import input_of
from clipgrip.pseudolabel.refine.auto import auto
from clipgrip.pseudolabel.refine.settings import DEFAULT, Numerics, Refinement
from clipgrip.pseudolabel.refine.space import PoolImages
from clipgrip.seeds import generator
from clipgrip.types import Labels, Probs

LABELS = 2
"""A class, where images are enough that half of them stay unlabeled: the paper's."""
SPACE = ("neighbours", "shrinkage", "subspace_")
"""Beginnings of the names of what graph and subspace depend on."""


@dataclass
class LabeledTrial:
    """A pool that is refined with many settings; what they do not change is worked out once."""

    name: str
    part: str
    pool: BenchPool = field(repr=False)
    labels: Labels = field(repr=False)
    """(N,) -1 where nobody labeled."""
    images: PoolImages | None = field(default=None, repr=False)

    def first_gain(self) -> tuple[float, set[str]]:
        """The default's gain, and the names of the numbers that it read and of the steps that it took."""
        self.images = PoolImages.of(self.pool.images, Watched(numerics=WatchedDetails()))
        READ.clear()
        with noted(READ):
            return self._gain(self.images), set(READ)

    def gain(self, settings: Refinement) -> float:
        """Points over zero-shot on the unlabeled images that are of a class."""
        assert self.images is not None
        known, default = self.images, DEFAULT.values().items()
        images = PoolImages(known.embeds, settings)
        once = images if known.copies is None else PoolImages(known.once.embeds, settings)
        vars(images).update({"copies": known.copies, "once": once})
        changed = [
            name for name, value in settings.values().items() if (name, value) not in default
        ]
        if not any(name.startswith(SPACE) for name in changed):
            same = ("graph", "subspace", "projected")
            vars(once).update({n: v for n, v in vars(known.once).items() if n in same})
        return self._gain(images)

    def _gain(self, images: PoolImages) -> float:
        pool, labels = self.pool, self.labels
        known = pool.scale, labels, None
        given = replace(
            input_of(images.embeds, pool.classes, *known, images.settings), images=images
        )
        copies = images.copies
        probs = auto(given if copies is None else given.once(copies)).probs
        if copies is not None:
            probs = copies.on_all(probs, given.probs, given.labeled)
        zero_shot = predict_proba(pool.images, pool.classes, pool.scale)
        return self._accuracy(probs) - self._accuracy(zero_shot)

    def _accuracy(self, probs: Probs) -> float:
        asked = (self.pool.truth >= 0) & (self.labels < 0)
        right = probs[asked].argmax(1) == self.pool.truth[asked]
        return 100 * float(right.double().mean())


READ: set[str] = set()
"""Names of the settings that were read and of the steps that were taken since it was cleared."""


class Watched(Refinement):
    """The default, which notes what is read of it."""

    def __getattribute__(self, name: str) -> Any:
        READ.add(name)
        return super().__getattribute__(name)


class WatchedDetails(Numerics):
    """Its details, in the same way."""

    def __getattribute__(self, name: str) -> Any:
        READ.add(name)
        return super().__getattribute__(name)


def trials() -> Iterator[Callable[[], LabeledTrial]]:
    """Every pool, and those as they are once more with labels; made when they are called for."""
    for pool in all_pools():
        name, half = f"{pool.of}, {pool.condition}", "held" if pool.held else "choose"
        nobody = torch.full((len(pool.truth),), -1)
        yield partial(LabeledTrial, name, half, pool, nobody)
        if pool.condition in ("as is", "200 images", "one class 60 %"):
            yield partial(_labeled, name, pool)


def _labeled(name: str, pool: BenchPool) -> LabeledTrial:
    labels, draw = torch.full((len(pool.truth),), -1), generator(0, "labels", name)
    for c in range(len(pool.classes)):
        rows = (pool.truth == c).nonzero().squeeze(1)
        rows = rows[torch.randperm(len(rows), generator=draw)][: min(LABELS, len(rows) // 2)]
        labels[rows] = c
    return LabeledTrial(f"{name}, labels", "2 labels", pool, labels)
