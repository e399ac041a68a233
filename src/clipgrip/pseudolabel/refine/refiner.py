"""Refinement across the rounds of one run: what the first round found out binds the later ones."""

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
"""Refines a round's answers (N, C) for the pool."""
TINY = 1e-30
ZERO_SHOT = "zero-shot"
"""The refinement that leaves answers as they are."""


def as_they_are(probs: Probs, _: Task) -> Refined:
    """No refinement."""
    return Refined(probs, ZERO_SHOT)


@dataclass
class PoolRefiner:
    """A `Refiner` for all rounds of a run on one pool.

    Zero-shot's answers are refined once, by whoever asks first: the estimate of their accuracy or round 1. Two findings
    bind the later rounds (a resumed run refines zero-shot's answers again to get them):

    - If clusters would split up a class in zero-shot's answers, no round tries clusters. Otherwise the rounds would
      take away from that class, bit by bit, what was rejected in one step.
    - No round's mean confidence exceeds that of the first refinement. There, confidence is the measured agreement of
      two cluster models. A prompt that learned from clusters agrees with them anyway, so its agreement proves nothing.
    """

    method: str
    images: PoolImages = field(repr=False)
    zero_shot: Probs = field(repr=False)
    _first: Refined | None = field(default=None, init=False, repr=False)
    _undivided: bool | None = field(default=None, init=False)
    """Whether clusters were rejected in zero-shot's answers; None: not tried yet."""
    _max_confidence: float = field(default=1.0, init=False)

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
        """The refiner of a pool (N, D), whose last ``eye_columns`` are what eyes see."""
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
        return replace(found, probs=self._capped(found.probs, task))

    def look_ahead(self, task: Task) -> Refined:
        """Zero-shot's answers refined; round 1 then uses them without refining again."""
        if self._first is None:
            self._first = self._refine_zero_shot(task)
        return self._first

    def _take_first(self, task: Task) -> Refined:
        """The same, but released: for a million images they take as much memory as the training that follows."""
        first, self._first = self._first or self._refine_zero_shot(task), None
        return first

    def _refine_zero_shot(self, task: Task) -> Refined:
        first = refined_task(self.images, self.zero_shot, task, self.method)
        self._undivided = any(one.text == WOULD_DIVIDE for one in first.reasons)
        self._max_confidence = _mean_confidence(_unlabeled(first.probs, task))
        return first

    def _capped(self, probs: Probs, task: Task) -> Probs:
        """(N, C) tempered down to the first refinement's mean confidence, where they are above it."""
        answers = _unlabeled(probs, task)
        if _mean_confidence(answers) <= self._max_confidence:
            return probs
        logits = like(answers)

        def take(rows: slice) -> None:
            logits[rows] = answers[rows].clamp_min(TINY).log()

        put(take, chunk_slices(len(answers)), over=(answers, logits))
        softer = tempered(logits, self._max_confidence, self.images.settings)
        given = RefineInput(self.images, probs, task.labels >= 0, task.candidates)
        return given.with_unlabeled(softer)


def _unlabeled(probs: Probs, task: Task) -> SomeProbs:
    """(n, K) the answers of unlabeled rows over the candidates."""
    return picked(probs, task.unlabeled, task.candidate_classes)


def _mean_confidence(probs: SomeProbs) -> float:
    return float(probs.amax(1).mean()) if len(probs) else 1.0
