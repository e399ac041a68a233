"""What a refinement takes and gives: images, answers, labels, candidates, and whether the classes are prototypes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from clipgrip.errors import DataError
from clipgrip.mapped import PROBS, gathered, is_mapped, like, picked
from clipgrip.pseudolabel.refine.chunks import chunk_slices, computed, even_sample, put
from clipgrip.pseudolabel.refine.copies import Copies
from clipgrip.pseudolabel.refine.evidence import Evidence
from clipgrip.pseudolabel.refine.reasons import Reason
from clipgrip.pseudolabel.refine.settings import Refinement
from clipgrip.pseudolabel.refine.space import PoolImages
from clipgrip.types import ClassEmbeds, ImageEmbeds, Labels, Mask, Probs, RowMask, SomeProbs


@dataclass(frozen=True)
class Refined:
    """Probabilities (N, C), the method that made them, and why in plain words."""

    probs: Probs = field(repr=False)
    method: str
    reasons: tuple[Reason, ...] = ()
    evidence: Evidence | None = None
    """What the decision was made from; None where a method was asked for by name."""
    bank_weights: tuple[float, ...] = ()
    """How much each bank of embeddings counted, 1 for the first; empty where there is one."""


@dataclass(frozen=True)
class RefineInput:
    """What a method takes. ``probs`` (N, C) are the answers to refine; labeled rows one-hot."""

    images: PoolImages = field(repr=False)
    probs: Probs = field(repr=False)
    labeled: RowMask = field(repr=False)
    """(N,) True where a person labeled."""
    candidates: Mask
    prototype_embeds: ClassEmbeds | None = field(default=None, repr=False)
    """The class embeddings (C, D) where they are means of images."""
    probs_at_given_scale: Probs | None = field(default=None, repr=False)
    """The answers at the scale that was asked for, where ``probs`` are at a lower one."""
    present: Mask | None = field(default=None, repr=False)
    """The candidates that the pool is taken to hold; all where None."""
    zero_shot: Probs | None = field(default=None, repr=False)
    """Zero-shot's answers (N, C), where ``probs`` are a tuned prompt's."""
    undivided: bool = False
    """Whether clusters of zero-shot's answers would split up a class, so that none are sought."""
    text_images: PoolImages | None = field(default=None, repr=False)
    """The first bank alone, where ``images`` are several banks and prototypes are of the first."""

    @property
    def settings(self) -> Refinement:
        """The numbers of the refinement; one value for the images and what is done with them."""
        return self.images.settings

    @property
    def prototypes(self) -> bool:
        """Whether the classes are given by images, not by texts."""
        return self.prototype_embeds is not None

    @cached_property
    def is_unrestricted(self) -> bool:
        """Whether no row is labeled and every class is a candidate, so that nothing need be picked or put back."""
        return bool(self.candidates.all()) and not bool(self.labeled.any())

    @property
    def unlabeled_probs(self) -> SomeProbs:
        """Unlabeled rows, candidate classes."""
        return self.probs if self.is_unrestricted else self.restricted(self.probs, self.candidates)

    def restricted(self, values: Tensor, classes: Mask) -> Tensor:
        """The unlabeled rows and some classes of (N, C); a copy only where some are left out."""
        rows = (~self.labeled).nonzero().squeeze(1)
        return picked(values, rows, classes.nonzero().squeeze(1))

    def once(self, copies: Copies) -> RefineInput:
        """Each image once, by a row that a person labeled where there is one."""
        rows = copies.representatives(self.labeled)
        at_given, first = self.probs_at_given_scale, self.zero_shot
        return replace(
            self,
            images=self.images.once,
            probs=gathered(self.probs, rows),
            labeled=self.labeled[rows],
            probs_at_given_scale=None if at_given is None else gathered(at_given, rows),
            zero_shot=None if first is None else gathered(first, rows),
            text_images=self._text_images_once(copies),
        )

    def _text_images_once(self, copies: Copies) -> PoolImages | None:
        alone = self.text_images
        return (
            None
            if alone is None
            else PoolImages(gathered(alone.embeds, copies.first), alone.settings)
        )

    def with_unlabeled(self, answers: SomeProbs, classes: Mask | None = None) -> Probs:
        """All rows and classes, with these answers for the unlabeled rows and the candidates, or other ``classes``."""
        if self.is_unrestricted and answers.shape == self.probs.shape:
            return answers
        columns = (self.candidates if classes is None else classes).nonzero().squeeze(1)
        rows, whole = (~self.labeled).nonzero().squeeze(1), like(self.probs, stored=answers.dtype)

        def copy(part: slice) -> None:
            whole[part] = self.probs[part]

        def spread(part: slice) -> None:
            unlabeled = torch.zeros(part.stop - part.start, len(self.candidates))
            made = unlabeled.index_copy_(1, columns, answers[part].float())
            whole[rows[part]] = made.to(whole.dtype)

        put(copy, chunk_slices(len(whole)), over=(whole, self.probs))
        put(spread, chunk_slices(len(rows)), over=(answers,))
        return whole


def input_of(
    image_embeds: ImageEmbeds,
    class_embeds: ClassEmbeds,
    logit_scale: float,
    labeled: Labels | None,
    candidates: Mask | None,
    settings: Refinement,
) -> RefineInput:
    """The input of images and class embeddings; prototypes are noticed. DataError: the shapes do not fit together."""
    images = torch.as_tensor(image_embeds)
    classes, labels, mask = known_of(images, class_embeds, labeled, candidates)
    rows, n_classes = len(images), len(classes)
    known = labels >= 0
    prototypes = _are_prototypes(images, classes, ~known, mask, settings)
    scale = min(logit_scale, settings.prototype_logit_scale) if prototypes else logit_scale

    def answers(scale: float) -> Probs:
        shape = rows, n_classes
        made = like(images, shape, stored=PROBS) if is_mapped(images) else torch.empty(shape)

        def answer(part: slice) -> None:
            logits = scale * torch.mm(images[part].float(), classes.T)
            probs = logits.masked_fill_(~mask, -torch.inf).softmax(1)
            one_hot = F.one_hot(labels[part].clamp_min(0), n_classes).float()
            made[part] = torch.where(known[part, None], one_hot, probs)

        put(answer, chunk_slices(rows), over=(images, made))
        return made

    at_given = answers(logit_scale) if scale != logit_scale else None
    return RefineInput(
        PoolImages(images, settings),
        answers(scale),
        known,
        mask,
        prototype_embeds=classes if prototypes else None,
        probs_at_given_scale=at_given,
    )


def known_of(
    images: Tensor, class_embeds: Tensor, labeled: Tensor | None, candidates: Tensor | None
) -> tuple[ClassEmbeds, Labels, Mask]:
    """Class embeddings (C, D), labels (N,) and candidates (C,), as they are or as they stand for nothing given.

    DataError: the shapes do not fit together.
    """
    classes = torch.as_tensor(class_embeds).float()
    labels = torch.full((len(images),), -1) if labeled is None else torch.as_tensor(labeled).long()
    mask = (
        torch.ones(len(classes), dtype=torch.bool)
        if candidates is None
        else torch.as_tensor(candidates).bool()
    )
    _check(images, classes, labels, mask)
    return classes, labels, mask


def _check(images: Tensor, classes: Tensor, labels: Tensor, candidates: Tensor) -> None:
    """DataError unless the shapes belong together."""
    fits = images.ndim == classes.ndim == 2 and images.shape[1] == classes.shape[1]
    if not fits or labels.shape != (len(images),) or candidates.shape != (len(classes),):
        raise DataError(
            f"image_embeds {tuple(images.shape)}, class_embeds {tuple(classes.shape)}, labeled "
            f"{tuple(labels.shape)} and candidates {tuple(candidates.shape)} do not belong together: they must be "
            "(N, D), (C, D), (N,) and (C,)."
        )
    if len(labels) and (int(labels.max()) >= len(classes) or not bool(candidates.any())):
        raise DataError(
            f"labels go from -1 to {len(classes) - 1} and at least one class must be a candidate; given are labels up "
            f"to {int(labels.max())} and {int(candidates.sum())} candidates."
        )


def _are_prototypes(
    images: ImageEmbeds,
    classes: ClassEmbeds,
    unlabeled: RowMask,
    candidates: Mask,
    settings: Refinement,
) -> bool:
    """Whether the class embeddings lie among the images: texts lie in a cone of their own (the modality gap)."""
    if len(images) < 2 or not bool(unlabeled.any()):
        return False
    sample = even_sample(images, settings.numerics.prototype_sample).float()
    similar = sample @ sample.T
    similar.fill_diagonal_(-torch.inf)
    among = similar.max(1).values.mean()
    texts = classes[candidates].T

    def highest(part: slice) -> Tensor:
        return (images[part].float() @ texts).max(1).values

    parts = computed(highest, chunk_slices(len(images)), over=(images,))
    return bool(torch.cat(list(parts))[unlabeled].mean() > settings.prototype_similarity * among)
