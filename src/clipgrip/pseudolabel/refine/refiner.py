"""How rounds refine the answers that they learn from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch

from clipgrip.mapped import like, picked
from clipgrip.pseudolabel.refine import refined_task
from clipgrip.pseudolabel.refine.answers import Refined, RefineInput
from clipgrip.pseudolabel.refine.chunks import chunk_slices, put
from clipgrip.pseudolabel.refine.discriminant import tempered
from clipgrip.pseudolabel.refine.reasons import WOULD_DIVIDE
from clipgrip.pseudolabel.refine.settings import DEFAULT, Refinement
from clipgrip.pseudolabel.refine.space import PoolImages
from clipgrip.task import Task
from clipgrip.types import ImageEmbeds, Probs, SomeProbs

Refiner = Callable[[Probs, Task], Refined]
"""Better probabilities (N, C) of the pool from the pool itself, and how."""
TINY = 1e-30
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

    No round is surer on the mean than the first refinement was. Its confidence is how far two ways to see the clusters
    agree; answers that learned from them agree with them, which is no evidence.
    """

    method: str
    images: PoolImages = field(repr=False)
    zero_shot: Probs = field(repr=False)
    _first: Refined | None = field(default=None, init=False, repr=False)
    _undivided: bool | None = field(default=None, init=False)
    _sure: float = field(default=1.0, init=False)

    @classmethod
    def of(
        cls,
        method: str,
        image_embeds: ImageEmbeds,
        zero_shot: Probs,
        settings: Refinement = DEFAULT,
        *,
        eye_columns: int = 0,
    ) -> PoolRefiner:
        """The refiner of a pool (N, D) with zero-shot's answers; its last ``eye_columns`` are what eyes see."""
        return cls(
            method, PoolImages.of(image_embeds, settings, eye_columns=eye_columns), zero_shot
        )

    def __call__(self, probs: Probs, task: Task) -> Refined:
        """The refined answers of a round; ``probs`` (N, C) are zero-shot's in the first."""
        if self.method == ZERO_SHOT:
            return as_they_are(probs, task)
        if torch.equal(probs, self.zero_shot):
            return self._take_first(task)
        if self._undivided is None:
            self._take_first(task)
        found = refined_task(
            self.images,
            probs,
            task,
            self.method,
            zero_shot=self.zero_shot,
            undivided=bool(self._undivided),
        )
        return replace(found, probs=self._no_surer(found.probs, task))

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
        self._sure = _mean_confidence(_unlabeled(first.probs, task))
        return first

    def _no_surer(self, probs: Probs, task: Task) -> Probs:
        answers = _unlabeled(probs, task)
        if _mean_confidence(answers) <= self._sure:
            return probs
        logits = like(answers)

        def take(rows: slice) -> None:
            logits[rows] = answers[rows].clamp_min(TINY).log()

        put(take, chunk_slices(len(answers)), over=(answers, logits))
        softer = tempered(logits, self._sure, self.images.settings)
        given = RefineInput(self.images, probs, task.labels >= 0, task.candidates)
        return given.with_unlabeled(softer)


def _unlabeled(probs: Probs, task: Task) -> SomeProbs:
    """(n, K) of the unlabeled rows over the classes that they may have."""
    return picked(probs, task.unlabeled, task.candidate_classes)


def _mean_confidence(probs: SomeProbs) -> float:
    return float(probs.amax(1).mean()) if len(probs) else 1.0
