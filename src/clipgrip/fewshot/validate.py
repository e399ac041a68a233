"""What held-out labels say: how good the text is, labels alone, and labels with the unlabeled images."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipgrip.fewshot.head import FittedHead, HeadSettings, fit_head
from clipgrip.fewshot.joint import Joint, JointWeights, join, weigh
from clipgrip.fewshot.misnamed import Misnamed
from clipgrip.types import ImageEmbeds, Labels, Logits, Probs, WideEmbeds

MOST = 4000
"""Unlabeled images that take part, and labels: whether they help is known from these."""
LEAST = 1e-12
"""Of a label's probability, so that one label does not outweigh all others."""
NOTHING = 1e-6
"""Standard error of log-likelihoods that differ by rounding alone."""

Refine = Callable[[Probs, Labels], Probs]
"""Better answers (n, C) from start answers and the labels that may be known, -1 elsewhere."""


@dataclass(frozen=True)
class HeldOut:
    """Answers for labels that were held out, in folds. Rows are positions in the pool."""

    rows: Int[Tensor, " n"] = field(repr=False)
    """Labels of classes with at least two: another cannot be held out."""
    truth: Labels = field(repr=False)
    text: Labels = field(repr=False)
    """The text's answers; -1 where there is no text."""
    labels_only: Labels = field(repr=False)
    with_unlabeled: Labels = field(repr=False)
    gains: Float[Tensor, " n"] = field(repr=False)
    """How much larger the unlabeled images made each label's log-likelihood."""
    errors: float
    """Standard errors from which the mean of these counts."""

    def right(self, answers: Labels) -> int:
        """How many of some answers are the person's."""
        return int((answers == self.truth).sum())

    @property
    def unlabeled_harm(self) -> bool:
        """Whether unlabeled images made fewer labels right and all of them less likely than labels alone did.

        Not one of the two: refined answers are often too sure and right, and one label of many may turn by chance.
        """
        fewer = self.right(self.with_unlabeled) < self.right(self.labels_only)
        return fewer and self._gain <= -self.errors

    @property
    def rounds_help(self) -> bool:
        """Whether labels became likelier, so that a round may learn from what another learned from them."""
        return self._gain >= self.errors

    @property
    def _gain(self) -> float:
        """The mean gain in standard errors; 0 where one label says nothing of them."""
        if len(self.gains) < 2:
            return 0.0
        error = float(self.gains.std()) / math.sqrt(len(self.gains))
        return float(self.gains.mean()) / max(error, NOTHING)

    @property
    def answers(self) -> Labels:
        """(n,) those that count."""
        return self.labels_only if self.unlabeled_harm else self.with_unlabeled


@dataclass(frozen=True)
class Learned:
    """What the labels of a pool teach without its other images."""

    joint: Joint
    weights: JointWeights
    members: dict[str, float]
    named: Misnamed | None
    """The names that do not fit; None where there is no text."""

    def probs(self, image_embeds: WideEmbeds, text: Logits | None) -> Probs:
        """(N, C) from embeddings (N, W) and the text's logits (N, C) as they are for all names."""
        if text is not None and self.named is not None:
            text = self.named.logits(image_embeds, text)
        return self.joint.probs(image_embeds, text)


def learned(
    image_embeds: WideEmbeds,
    labels: Labels,
    text: Float[Tensor, "n C"] | None,
    n_classes: int,
    settings: HeadSettings,
    width: int | None,
) -> Learned:
    """Of a pool (N, W) with labels (N,), -1 for unlabeled, and the text's logits (n, C) for the labeled.

    The text reads the first ``width`` columns; None where no name is doubted.
    """
    rows = (labels >= 0).nonzero().squeeze(1)
    images, own, named = image_embeds[rows], labels[rows], None
    if text is not None and width is not None:
        named = Misnamed.of(images[:, :width], text, own, settings)
        text = named.logits(images, text)
    fitted = fitted_head(image_embeds, labels, n_classes, settings)
    doubted = None if named is None else named.doubted
    weights = weigh(fitted, text, own, n_classes, settings, doubted)
    return Learned(join(fitted, own, n_classes, weights), weights, fitted.members, named)


def fitted_head(
    image_embeds: WideEmbeds, labels: Labels, n_classes: int, settings: HeadSettings
) -> FittedHead:
    """A head of the rows that have a label in ``labels`` (N,)."""
    rows = (labels >= 0).nonzero().squeeze(1)
    return fit_head(image_embeds[rows], labels[rows], n_classes, settings=settings)


def held_out(
    image_embeds: ImageEmbeds,
    labels: Labels,
    text: Logits | None,
    n_classes: int,
    *,
    settings: HeadSettings,
    refiner: Callable[[ImageEmbeds], Refine],
    generator: torch.Generator,
    width: int | None = None,
) -> HeldOut | None:
    """Cross-validation over the labels (N,) of a pool; None where no class has two.

    The text reads the first ``width`` columns, as in `learned`.

    ``refiner`` makes the refinement of some embeddings (n, D). At most `MOST` labels and as many unlabeled images take
    part.
    """
    counts = torch.bincount(labels[labels >= 0], minlength=n_classes)
    several = (labels >= 0) & (counts[labels.clamp_min(0)] > 1)
    if not bool(several.any()):
        return None
    parts = [_sample(mask, generator) for mask in (labels < 0, several, (labels >= 0) & ~several)]
    some = torch.cat(parts).sort().values
    embeds, own = image_embeds[some], labels[some]
    text_logits = None if text is None else text[some]
    fold = _folds(own, several[some], settings.folds, generator)
    refine = refiner(embeds)
    alone, both = torch.zeros(len(own), n_classes), torch.zeros(len(own), n_classes)
    for number in range(settings.folds):
        hidden = fold == number
        if not bool(hidden.any()):
            continue
        known = torch.where(hidden, -1, own)
        given = None if text_logits is None else text_logits[known >= 0]
        found = learned(embeds, known, given, n_classes, settings, width)
        first = found.probs(embeds, text_logits)
        alone[hidden], both[hidden] = first[hidden], refine(first, known)[hidden]
    at = (fold >= 0).nonzero().squeeze(1)
    truth, alone, both = own[at], alone[at], both[at]
    texts = torch.full_like(at, -1) if text_logits is None else text_logits[at].argmax(1)
    gains = _log_likelihoods(both, truth) - _log_likelihoods(alone, truth)
    answers = alone.argmax(1), both.argmax(1)
    return HeldOut(some[at], truth, texts, *answers, gains, settings.errors)


def _log_likelihoods(probs: Probs, labels: Labels) -> Float[Tensor, " n"]:
    return probs.gather(1, labels[:, None]).squeeze(1).clamp_min(LEAST).log()


def _sample(mask: Tensor, generator: torch.Generator) -> Tensor:
    rows = mask.nonzero().squeeze(1)
    if len(rows) <= MOST:
        return rows
    return rows[torch.randperm(len(rows), generator=generator)[:MOST]]


def _folds(labels: Labels, several: Tensor, folds: int, generator: torch.Generator) -> Labels:
    """(N,) the fold in which a label is hidden, -1 for never; each class is spread over the folds."""
    fold, begin = torch.full_like(labels, -1), 0
    for c in labels[several].unique().tolist():
        rows = (several & (labels == c)).nonzero().squeeze(1)
        rows = rows[torch.randperm(len(rows), generator=generator)]
        fold[rows] = (begin + torch.arange(len(rows))) % folds
        begin += len(rows)
    return fold
