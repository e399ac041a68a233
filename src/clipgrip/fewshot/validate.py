"""What held-out labels say: how good the text is, labels alone, and labels with the unlabeled images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Int
from scipy.stats import binom
from torch import Tensor

from clipgrip.fewshot.head import HeadSettings, fit_head
from clipgrip.fewshot.joint import Joint, fit_joint
from clipgrip.types import ImageEmbeds, Labels, Logits, Probs

Refine = Callable[[Tensor, Probs, Labels], Probs]
"""Better answers (n, C) for some rows of the pool, given start answers and the labels that may be known."""


@dataclass(frozen=True)
class HeldOut:
    """Answers for labels that were held out, in folds. Rows are positions in the pool."""

    rows: Int[Tensor, n] = field(repr=False)
    """Labels of classes with at least two: another cannot be held out."""
    truth: Labels = field(repr=False)
    text: Labels = field(repr=False)
    """The text's answers; -1 where there is no text."""
    labels_only: Labels = field(repr=False)
    with_unlabeled: Labels = field(repr=False)

    def right(self, answers: Labels) -> int:
        """How many of some answers are the person's."""
        return int((answers == self.truth).sum())

    def unlabeled_harm(self, doubt: float) -> bool:
        """Whether unlabeled images made answers worse than labels alone did: a sign test at the level ``doubt``."""
        alone, both = self.labels_only == self.truth, self.with_unlabeled == self.truth
        lost, won = int((alone & ~both).sum()), int((both & ~alone).sum())
        return lost > won and float(binom.sf(lost - 1, lost + won, 0.5)) <= doubt


def joint_of(
    image_embeds: ImageEmbeds,
    labels: Labels,
    text: Logits | None,
    n_classes: int,
    settings: HeadSettings,
) -> Joint:
    """The joined classifier of a pool (N, D) with labels (N,), -1 for unlabeled; ``text`` (N, C) are its logits."""
    rows = (labels >= 0).nonzero().squeeze(1)
    mean = image_embeds.double().mean(0) if len(image_embeds) < 100_000 else _mean(image_embeds)
    fitted = fit_head(image_embeds[rows], labels[rows], n_classes, mean=mean, settings=settings)
    own = None if text is None else text[rows]
    return fit_joint(fitted, own, labels[rows], n_classes, settings)


def held_out(
    image_embeds: ImageEmbeds,
    labels: Labels,
    text: Logits | None,
    n_classes: int,
    settings: HeadSettings,
    refine: Refine,
    *,
    generator: torch.Generator,
    folds: int = 5,
    most: int = 4000,
) -> HeldOut | None:
    """Cross-validation over the labels (N,) of a pool; None where no class has two.

    Of large pools ``most`` unlabeled images and as many labels take part: the question is whether they help, and these
    answer it.
    """
    counts = torch.bincount(labels[labels >= 0], minlength=n_classes)
    several = (labels >= 0) & (counts[labels.clamp_min(0)] > 1)
    if not bool(several.any()):
        return None
    some = torch.cat([_sample(labels < 0, most, generator), _sample(labels >= 0, most, generator)]).sort().values
    embeds, own = image_embeds[some], labels[some]
    said = None if text is None else text[some]
    fold = _folds(own, several[some], folds, generator)
    rows, alone, both = [], [], []
    for number in range(folds):
        hidden = fold == number
        if not bool(hidden.any()):
            continue
        known = torch.where(hidden, -1, own)
        joint = joint_of(embeds, known, said, n_classes, settings)
        answers = joint.probs(embeds, said)
        refined = refine(some, answers, known)
        rows.append(hidden.nonzero().squeeze(1))
        alone.append(answers[hidden].argmax(1))
        both.append(refined[hidden].argmax(1))
    at = torch.cat(rows)
    order = at.argsort()
    at = at[order]
    texts = torch.full_like(at, -1) if said is None else said[at].argmax(1)
    return HeldOut(some[at], own[at], texts, torch.cat(alone)[order], torch.cat(both)[order])


def _mean(image_embeds: ImageEmbeds) -> Tensor:
    total = torch.zeros(image_embeds.shape[1], dtype=torch.float64)
    for part in image_embeds.split(8192):
        total += part.double().sum(0)
    return total / len(image_embeds)


def _sample(mask: Tensor, most: int, generator: torch.Generator) -> Tensor:
    rows = mask.nonzero().squeeze(1)
    if len(rows) <= most:
        return rows
    return rows[torch.randperm(len(rows), generator=generator)[:most]]


def _folds(labels: Labels, several: Tensor, folds: int, generator: torch.Generator) -> Tensor:
    """(N,) the fold in which a label is hidden, -1 for never; each class is spread over the folds."""
    fold = torch.full_like(labels, -1)
    start = 0
    for c in labels[several].unique().tolist():
        rows = (several & (labels == c)).nonzero().squeeze(1)
        rows = rows[torch.randperm(len(rows), generator=generator)]
        fold[rows] = (start + torch.arange(len(rows))) % folds
        start += len(rows)
    return fold
