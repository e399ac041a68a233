"""Tries other prompt texts or templates: how zero-shot's answers would change. The run itself is not changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from clipgrip.advice.wordings import templates_beside, wordings
from clipgrip.backbone.base import Model
from clipgrip.backbone.precomputed import PrecomputedModel
from clipgrip.data.classes import ClassNames
from clipgrip.errors import RunError
from clipgrip.prompts.classifier import zero_shot
from clipgrip.prompts.templates import Template
from clipgrip.pseudolabel.refine.chunks import even_sample
from clipgrip.runs.identity import settings_of
from clipgrip.runs.outcome import Outcome
from clipgrip.sentences import mark
from clipgrip.task import Task
from clipgrip.trust.naming import Naming, naming
from clipgrip.types import ClassEmbeds, ImageEmbeds, Labels

NO_WORDS = mark(
    "the run in {folder} learned from embeddings and labels, and no class has an embedding: there are no words that "
    "could fit or not. Write class_embeds into the file, or give --class-embeds FILE, and run again."
)
SAMPLE = 20_000
"""The size of the sample of a larger pool; labeled images are added to it."""


@dataclass(frozen=True)
class AnswerChanges:
    """How other texts change the answers for ``of`` images, of which ``moved`` get another class."""

    moved: int
    of: int
    pairs: tuple[tuple[int, int, int], ...]
    """(class before, class after, images), most images first."""
    fits: Naming = field(repr=False)
    """How well each name fits with the new texts."""
    right: tuple[int, int] | None
    """Labeled images answered right before and after; None where none is labeled."""
    labeled: int
    largest: tuple[float, float]
    """Share of the most frequent class among the answers, before and after."""


@dataclass(frozen=True)
class TextTrial:
    """The model, classes and sampled images of a run, for trials with other texts."""

    backbone: Model = field(repr=False)
    classes: ClassNames
    template: Template
    images: ImageEmbeds = field(repr=False)
    labels: Labels = field(repr=False)
    texts: ClassEmbeds = field(repr=False)
    task: Task = field(repr=False)
    """Of the whole pool."""

    @classmethod
    def of(cls, outcome: Outcome) -> TextTrial:
        """A trial for a run. RunError: the run has no texts."""
        if not outcome.start.has_texts:
            raise RunError(NO_WORDS, folder=outcome.folder)
        labels = outcome.task.labels
        rows = even_sample(torch.arange(len(labels)), SAMPLE)
        if bool((labels >= 0).any()):
            rows = torch.cat([rows, (labels >= 0).nonzero().squeeze(1)]).unique()
        return cls(
            outcome.model,
            outcome.manifest.classes,
            settings_of(outcome.run).template,
            outcome.embeds.pool[rows],
            labels[rows],
            outcome.start.zero_shot,
            outcome.task,
        )

    def names(self) -> Naming:
        """How well the current texts fit."""
        return self._naming(self.texts)

    def with_words(self, words: Mapping[int, str]) -> AnswerChanges:
        """The changes by other texts for some classes, given by position.

        Raises:
            DataError: two classes would have the same text.
            PromptError: a text is too long for the model, or the model cannot tell it from another one.
        """
        classes = self.worded(words)
        changed = zero_shot(self.backbone, classes.prompts, self.template)
        return self._changes(changed)

    def with_template(self, template: Template) -> AnswerChanges:
        """The changes by another template."""
        return self._changes(zero_shot(self.backbone, self.classes.prompts, template))

    def worded(self, words: Mapping[int, str]) -> ClassNames:
        """The classes with other prompt texts for some, by position."""
        prompts = [words.get(c, text) for c, text in enumerate(self.classes.prompts)]
        return ClassNames(self.classes.display, tuple(prompts))

    def proposals(self, c: int) -> tuple[str, ...]:
        """Texts that are worth a trial for class ``c``."""
        if isinstance(self.backbone, PrecomputedModel):
            return ()  # no model reads other words
        taken = {text.casefold() for text in self.classes.prompts}
        others = (text for k, text in enumerate(self.classes.prompts) if k != c)
        found = wordings(self.classes.display[c], self.classes.prompts[c], others)
        return tuple(text for text in found if text.casefold() not in taken)

    def templates(self) -> tuple[str, ...]:
        """Templates that are worth a trial."""
        given = isinstance(self.backbone, PrecomputedModel)
        return () if given else templates_beside(self.template)

    def _changes(self, texts: ClassEmbeds) -> AnswerChanges:
        before, after = (self._answers(one) for one in (self.texts, texts))
        steps = Counter(zip(before.tolist(), after.tolist(), strict=True))
        pairs = sorted((-n, a, b) for (a, b), n in steps.items() if a != b)
        known = self.labels >= 0
        scores = [int((one == self.labels)[known].sum()) for one in (before, after)]
        return AnswerChanges(
            moved=int((before != after).sum()),
            of=len(before),
            pairs=tuple((a, b, -n) for n, a, b in pairs),
            fits=self._naming(texts),
            right=(scores[0], scores[1]) if bool(known.any()) else None,
            labeled=int(known.sum()),
            largest=(_largest(before), _largest(after)),
        )

    def _answers(self, texts: ClassEmbeds) -> Labels:
        logits, absent = self.images @ texts.T, self.task.absent
        return (logits if absent is None else logits.masked_fill(absent, -torch.inf)).argmax(1)

    def _naming(self, texts: ClassEmbeds) -> Naming:
        scale, may_occur = self.backbone.logit_scale, self.task.occurring
        return naming(self.images, texts, scale, self.labels, may_occur)


def _largest(answers: Labels) -> float:
    return int(answers.bincount().max()) / max(1, len(answers))
