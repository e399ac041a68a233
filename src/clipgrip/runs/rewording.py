"""What other words would change: the untuned model's answers before and after, nothing of the run is touched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from clipgrip.advice.wordings import templates_beside, wordings
from clipgrip.backbone.base import Model
from clipgrip.backbone.given import GivenModel
from clipgrip.data.classes import ClassNames
from clipgrip.errors import RunError
from clipgrip.prompts.classifier import zero_shot
from clipgrip.prompts.templates import Template
from clipgrip.pseudolabel.refine.chunks import even_sample
from clipgrip.runs.identity import settings_of
from clipgrip.runs.outcome import Outcome
from clipgrip.sentences import mark
from clipgrip.trust.naming import Naming, naming
from clipgrip.types import ClassEmbeds, ImageEmbeds, Labels

NO_WORDS = mark(
    "the run in {folder} learned from embeddings and labels, and no class has an embedding: there are no words that "
    "could fit or not. Write class_embeds into the file, or give --class-embeds FILE, and run again."
)
SAMPLE = 20_000
"""Images that are answered at least, of very many; labeled ones always."""


@dataclass(frozen=True)
class Moved:
    """What other texts do to the answers for ``of`` images."""

    moved: int
    of: int
    pairs: tuple[tuple[int, int, int], ...]
    """(class before, class after, images), the most first."""
    fits: Naming = field(repr=False)
    """How well every name fits afterwards."""
    right: tuple[int, int] | None
    """Labeled images answered right before and after; None where none is labeled."""
    labeled: int
    largest: tuple[float, float]
    """Share of the answers that the most frequent class has, before and after."""


@dataclass(frozen=True)
class TextTrial:
    """The texts of a run at hand, to be exchanged."""

    backbone: Model = field(repr=False)
    classes: ClassNames
    template: Template
    images: ImageEmbeds = field(repr=False)
    labels: Labels = field(repr=False)
    texts: ClassEmbeds = field(repr=False)

    @classmethod
    def of(cls, outcome: Outcome) -> TextTrial:
        """Of a run and its model. RunError: labels alone say what the classes of its embeddings are."""
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
        )

    def names(self) -> Naming:
        """How well the texts fit as they are."""
        return self._naming(self.texts)

    def with_words(self, words: Mapping[int, str]) -> Moved:
        """The answers with other texts for some classes, by position.

        Raises:
            DataError: two classes would have the same text.
            PromptError: a text is too long for the model, or one that it cannot tell from another's.
        """
        classes = self.worded(words)
        changed = zero_shot(self.backbone, classes.prompts, self.template)
        return self._moved(changed)

    def with_template(self, template: Template) -> Moved:
        """The answers with another text around every name."""
        return self._moved(zero_shot(self.backbone, self.classes.prompts, template))

    def worded(self, words: Mapping[int, str]) -> ClassNames:
        """The classes with other texts for some."""
        prompts = [words.get(c, text) for c, text in enumerate(self.classes.prompts)]
        return ClassNames(self.classes.display, tuple(prompts))

    def proposals(self, c: int) -> tuple[str, ...]:
        """Texts worth a try for a class."""
        if isinstance(self.backbone, GivenModel):
            return ()  # no model reads other words
        taken = {text.casefold() for text in self.classes.prompts}
        others = (text for k, text in enumerate(self.classes.prompts) if k != c)
        found = wordings(self.classes.display[c], self.classes.prompts[c], others)
        return tuple(text for text in found if text.casefold() not in taken)

    def templates(self) -> tuple[str, ...]:
        """Templates worth a try for all classes."""
        given = isinstance(self.backbone, GivenModel)
        return () if given else templates_beside(self.template)

    def _moved(self, texts: ClassEmbeds) -> Moved:
        before, after = ((self.images @ one.T).argmax(1) for one in (self.texts, texts))
        steps = Counter(zip(before.tolist(), after.tolist(), strict=True))
        pairs = sorted((-n, a, b) for (a, b), n in steps.items() if a != b)
        known = self.labels >= 0
        scores = [int((one == self.labels)[known].sum()) for one in (before, after)]
        return Moved(
            moved=int((before != after).sum()),
            of=len(before),
            pairs=tuple((a, b, -n) for n, a, b in pairs),
            fits=self._naming(texts),
            right=(scores[0], scores[1]) if bool(known.any()) else None,
            labeled=int(known.sum()),
            largest=(_largest(before), _largest(after)),
        )

    def _naming(self, texts: ClassEmbeds) -> Naming:
        return naming(self.images, texts, self.backbone.logit_scale, self.labels)


def _largest(answers: Labels) -> float:
    return int(answers.bincount().max()) / max(1, len(answers))
