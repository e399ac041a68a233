"""Held-out labels: how much text and head count, and how good text, labels and unlabeled images are."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from clipgrip.fewshot.head import FittedHead, HeadSettings, fit_head
from clipgrip.fewshot.joint import Joint, JointWeights, join, log_shares, over_all_classes
from clipgrip.fewshot.misnamed import Misnamed
from clipgrip.types import ImageEmbeds, Labels, Logits, Probs, WideEmbeds

MOST = 4000
"""Most unlabeled images, and most labels, that take part: enough to tell whether the images help."""
LEAST = 1e-12
"""Lower bound of a held-out label's probability, so that one label does not outweigh all others."""
NOTHING = 1e-6
"""Lower bound of a standard error: log-likelihoods that are equal but for rounding differ by about so much."""

Refine = Callable[[Probs, Labels], Probs]
"""Refined answers (n, C) from answers (n, C) and the labels (n,) that may be known, -1 elsewhere."""


@dataclass(frozen=True)
class HeldOut:
    """Answers for n labels by three classifiers, each label held out by the two that learn from labels."""

    rows: Int[Tensor, " n"] = field(repr=False)
    """Positions in the pool; only of classes with at least two labels, since no other can be held out."""
    truth: Labels = field(repr=False)
    text: Labels = field(repr=False)
    """The text's answers; -1 where there is no text."""
    labels_only: Labels = field(repr=False)
    """Answers of text and other labels."""
    with_unlabeled: Labels = field(repr=False)
    """These, refined with the unlabeled images."""
    gains: Float[Tensor, " n"] = field(repr=False)
    """By how much the unlabeled images raised each label's log-likelihood."""
    errors: float
    """Standard errors from which the mean gain counts (``HeadSettings.errors``)."""

    def right(self, answers: Labels) -> int:
        """How many of the answers (n,) are right."""
        return int((answers == self.truth).sum())

    @property
    def unlabeled_harm(self) -> bool:
        """Whether with unlabeled images fewer labels are right, and all of them significantly less likely.

        Both, because refined answers are often overconfident and still right, and one label may turn by chance.
        """
        fewer = self.right(self.with_unlabeled) < self.right(self.labels_only)
        return fewer and self._gain <= -self.errors

    @property
    def rounds_help(self) -> bool:
        """Whether unlabeled images made labels significantly likelier, so that further rounds are worth running."""
        return self._gain >= self.errors

    @property
    def _gain(self) -> float:
        """The mean gain in standard errors; 0 for a single label, which has none."""
        if len(self.gains) < 2:
            return 0.0
        error = float(self.gains.std()) / math.sqrt(len(self.gains))
        return float(self.gains.mean()) / max(error, NOTHING)

    @property
    def answers(self) -> Labels:
        """(n,) those of the classifier that the run uses."""
        return self.labels_only if self.unlabeled_harm else self.with_unlabeled


@dataclass(frozen=True)
class LabelFit:
    """A classifier fitted to the labels of a pool, without its unlabeled images."""

    joint: Joint
    weights: JointWeights
    members: dict[str, float]
    misnamed: Misnamed | None
    """The names that do not fit; None where none is doubted or there is no text."""

    def probs(self, image_embeds: WideEmbeds, text: Logits | None) -> Probs:
        """(N, C) from embeddings (N, W) and the text's logits (N, C), those of misnamed classes included."""
        if text is not None and self.misnamed is not None:
            text = self.misnamed.logits(image_embeds, text)
        return self.joint.probs(image_embeds, text)


def fit_labels(
    image_embeds: WideEmbeds,
    labels: Labels,
    text: Float[Tensor, "n C"] | None,
    n_classes: int,
    settings: HeadSettings,
    text_width: int | None,
) -> LabelFit:
    """Fit to a pool (N, W) with labels (N,), -1 for none, and the text's logits (n, C) for the n labeled images.

    ``text_width`` is how many of the first columns are the text's own bank; None: misnamed classes are not looked for.
    """
    rows = (labels >= 0).nonzero().squeeze(1)
    images, own, misnamed = image_embeds[rows], labels[rows], None
    if text is not None and text_width is not None:
        misnamed = Misnamed.of(images[:, :text_width], text, own, settings)
        text = misnamed.logits(images, text)
    fitted = fitted_head(image_embeds, labels, n_classes, settings)
    doubted = None if misnamed is None else misnamed.doubted
    weights = weigh(fitted, text, own, n_classes, settings, doubted)
    return LabelFit(join(fitted, own, n_classes, weights), weights, fitted.members, misnamed)


def fitted_head(
    image_embeds: WideEmbeds, labels: Labels, n_classes: int, settings: HeadSettings
) -> FittedHead:
    """A head fitted to the rows that have a label in ``labels`` (N,)."""
    rows = (labels >= 0).nonzero().squeeze(1)
    return fit_head(image_embeds[rows], labels[rows], n_classes, settings=settings)


def weigh(
    fitted: FittedHead,
    text: Logits | None,
    labels: Labels,
    n_classes: int,
    settings: HeadSettings,
    doubted: Bool[Tensor, " C"] | None = None,
) -> JointWeights:
    """The weights under which the held-out labels (n,) are likeliest, times a prior; a grid search.

    ``text`` (n, C) are the text's logits for the same images. Labels of ``doubted`` classes do not count, because the
    text of such a class was predicted from these very images.
    """
    rows = torch.cat([fitted.rows, fitted.single_rows])
    judges = slice(None) if doubted is None else ~doubted[labels[rows]]
    truth = labels[rows, None][judges]
    text_logits = torch.zeros(len(rows), n_classes) if text is None else text[rows].float()
    text_logits = text_logits[judges]
    has_absent = len(fitted.head.classes) < n_classes

    def likelihood(a: float, b: float, c: float) -> float:
        of_head = _held_out_head_logits(fitted, labels, n_classes, b, c)[judges]
        return float((a * text_logits + of_head).log_softmax(1).gather(1, truth).sum())

    texts = dict(zip(settings.text_weights, settings.text_prior, strict=True))
    heads = dict(zip(settings.head_weights, settings.head_prior, strict=True))
    if text is None:
        texts = {0.0: 1.0}
    elif has_absent:
        # for images of a class without a label only the text speaks, so its weight must suit the text by itself
        texts = {_best_text_weight(texts, text_logits, truth): 1.0}
    if not len(fitted.rows) and (text is None or not has_absent):
        heads = {1.0: 1.0}
    tried = [
        (likelihood(a, b, c) + math.log(texts[a]) + math.log(heads[b]), a, b, c)
        for a, b, c in itertools.product(texts, heads, (0.0, 1.0))
    ]
    return JointWeights(*max(tried)[1:])


def _held_out_head_logits(
    fitted: FittedHead, labels: Labels, n_classes: int, b: float, c: float
) -> Logits:
    """(n + m, C) the head's and the shares' part of the logits for each label as if it had not been given.

    First the n labels that the members held out, then the m that are the only one of their class. Without it, such a
    class would be one of those that the head does not know, and the head's K - 1 other classes share (K - 1) / C. If
    every class has a label there are none of these; the head's answer is then left out for such a label (zeros).
    """
    classes = fitted.head.classes
    shares = c * log_shares(torch.bincount(labels, minlength=n_classes), fitted.head).float()
    held_out = over_all_classes(b * fitted.held_out + shares, classes, n_classes)
    single = labels[fitted.single_rows, None]
    if len(classes) == n_classes or len(classes) < 2:
        return torch.cat([held_out, torch.zeros(len(single), n_classes)])
    own = classes == single
    known = (b * fitted.single_logits + shares).masked_fill(own, -torch.inf).log_softmax(1)
    known = (known + math.log((len(classes) - 1) / n_classes)).masked_fill(
        own, -math.log(n_classes)
    )
    whole = torch.full((len(single), n_classes), -math.log(n_classes))
    return torch.cat([held_out, whole.index_copy(1, classes, known)])


def _best_text_weight(texts: dict[float, float], text: Logits, truth: Tensor) -> float:
    """The weight under which the labels are likeliest by the text alone; ``texts`` are weights and their priors."""
    return max(
        (float((a * text).log_softmax(1).gather(1, truth).sum()) + math.log(prior), a)
        for a, prior in texts.items()
    )[1]


def cross_validated(
    image_embeds: ImageEmbeds,
    labels: Labels,
    text: Logits | None,
    n_classes: int,
    *,
    settings: HeadSettings,
    refiner: Callable[[ImageEmbeds], Refine],
    generator: torch.Generator,
    text_width: int | None = None,
) -> HeldOut | None:
    """Cross-validation over the labels (N,) of a pool; None where no class has two.

    At most `MOST` labels of classes with several, `MOST` others and `MOST` unlabeled images take part. ``refiner``
    makes the refinement of their embeddings (n, D); ``text`` (N, C) and ``text_width`` are as in `fit_labels`.
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
    labels_only, with_unlabeled = torch.zeros(2, len(own), n_classes)
    for number in range(settings.folds):
        hidden = fold == number
        if not bool(hidden.any()):
            continue
        known = torch.where(hidden, -1, own)
        of_known = None if text_logits is None else text_logits[known >= 0]
        found = fit_labels(embeds, known, of_known, n_classes, settings, text_width)
        answers = found.probs(embeds, text_logits)
        labels_only[hidden] = answers[hidden]
        with_unlabeled[hidden] = refine(answers, known)[hidden]
    at = (fold >= 0).nonzero().squeeze(1)
    truth, before, after = own[at], labels_only[at], with_unlabeled[at]
    return HeldOut(
        rows=some[at],
        truth=truth,
        text=torch.full_like(at, -1) if text_logits is None else text_logits[at].argmax(1),
        labels_only=before.argmax(1),
        with_unlabeled=after.argmax(1),
        gains=_log_likelihoods(after, truth) - _log_likelihoods(before, truth),
        errors=settings.errors,
    )


def _log_likelihoods(probs: Probs, labels: Labels) -> Float[Tensor, " n"]:
    return probs.gather(1, labels[:, None]).squeeze(1).clamp_min(LEAST).log()


def _sample(mask: Tensor, generator: torch.Generator) -> Tensor:
    """Rows of the mask, at most `MOST` at random."""
    rows = mask.nonzero().squeeze(1)
    if len(rows) <= MOST:
        return rows
    return rows[torch.randperm(len(rows), generator=generator)[:MOST]]


def _folds(labels: Labels, several: Tensor, folds: int, generator: torch.Generator) -> Labels:
    """(N,) the fold in which each label is held out, -1 for never; every class is spread over the folds."""
    fold, begin = torch.full_like(labels, -1), 0
    for c in labels[several].unique().tolist():
        rows = (several & (labels == c)).nonzero().squeeze(1)
        rows = rows[torch.randperm(len(rows), generator=generator)]
        fold[rows] = (begin + torch.arange(len(rows))) % folds
        begin += len(rows)
    return fold
