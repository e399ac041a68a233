"""How rounds refine the answers that they learn from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from clipgrip.data.task import Task
from clipgrip.pseudolabel.refine import refined_task
from clipgrip.pseudolabel.refine.answers import Refined
from clipgrip.pseudolabel.refine.reasons import WOULD_DIVIDE
from clipgrip.pseudolabel.refine.settings import DEFAULT, Refinement
from clipgrip.pseudolabel.refine.space import PoolImages
from clipgrip.types import ImageEmbeds, Probs

Refiner = Callable[[Probs, Task], Refined]
"""Better probabilities (N, C) of the pool from the pool itself, and how."""
ZERO_SHOT = "zero-shot"
"""The refinement that leaves answers as they are."""


def as_they_are(probs: Probs, _: Task) -> Refined:
    """No refinement."""
    return Refined(probs, ZERO_SHOT)


@dataclass
class PoolRefiner:
    """What each round of one run does to the answers before it chooses among them.

    Zero-shot's answers are refined once, whoever asks first: the estimate of their accuracy or round 1. If
    clusters would split up a class of those, no round seeks any: else the rounds take bit by bit what the first was
    refused. A run that goes on finds that out again.
    """

    method: str
    images: PoolImages = field(repr=False)
    zero_shot: Probs = field(repr=False)
    _first: Refined | None = field(default=None, init=False, repr=False)
    _undivided: bool | None = field(default=None, init=False)

    @classmethod
    def of(
        cls,
        method: str,
        image_embeds: ImageEmbeds,
        zero_shot: Probs,
        settings: Refinement = DEFAULT,
    ) -> PoolRefiner:
        """The refiner of a pool (N, D) with zero-shot's answers (N, C)."""
        return cls(method, PoolImages(image_embeds, settings), zero_shot)

    def __call__(self, probs: Probs, task: Task) -> Refined:
        """The refined answers of a round; ``probs`` (N, C) are zero-shot's in the first."""
        if self.method == ZERO_SHOT:
            return as_they_are(probs, task)
        if torch.equal(probs, self.zero_shot):
            return self._take_first(task)
        if self._undivided is None:
            self._take_first(task)
        return refined_task(
            self.images,
            probs,
            task,
            self.method,
            zero_shot=self.zero_shot,
            undivided=bool(self._undivided),
        )

    def look_ahead(self, task: Task) -> Refined:
        """Zero-shot's answers refined, which round 1 then takes without refining them again."""
        if self._first is None:
            self._first = self._refine_zero_shot(task)
        return self._first

    def _take_first(self, task: Task) -> Refined:
        """The same, and no longer kept: of a million images they are as large as all that a training needs."""
        first, self._first = self._first or self._refine_zero_shot(task), None
        return first

    def _refine_zero_shot(self, task: Task) -> Refined:
        first = refined_task(self.images, self.zero_shot, task, self.method)
        self._undivided = any(one.text == WOULD_DIVIDE for one in first.reasons)
        return first
