"""What a refinement takes (`RefineInput`, made by `input_of`) and what it returns (`Refined`)."""

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
from clipgrip.pseudolabel.refine.decide import Evidence
from clipgrip.pseudolabel.refine.reasons import Reason
from clipgrip.pseudolabel.refine.settings import Refinement
from clipgrip.pseudolabel.refine.space import PoolImages
from clipgrip.types import ClassEmbeds, ImageEmbeds, Labels, Mask, Probs, RowMask, SomeProbs


@dataclass(frozen=True)
class Refined:
    """Refined probabilities (N, C), the method that made them, and the reasons for it."""

    probs: Probs = field(repr=False)
    method: str
    reasons: tuple[Reason, ...] = ()
    evidence: Evidence | None = None
    """What ``auto`` decided from; None where another method was asked for, or there was nothing to decide."""
    bank_weights: tuple[float, ...] = ()
    """Weight of each bank of embeddings against the first, whose weight is 1; empty where there is only one bank."""


@dataclass(frozen=True)
class RefineInput:
    """What every refinement takes: a pool's images and its answers ``probs`` (N, C), one-hot where labeled."""

    images: PoolImages = field(repr=False)
    probs: Probs = field(repr=False)
    labeled: RowMask = field(repr=False)
    """(N,) True where a person labeled."""
    candidates: Mask
    prototype_embeds: ClassEmbeds | None = field(default=None, repr=False)
    """The class embeddings (C, D) where they are prototypes, i.e. means of images; None where they are texts."""
    probs_at_given_scale: Probs | None = field(default=None, repr=False)
    """The answers at the logit scale that the caller gave, where prototypes brought ``probs`` to a lower one. They are
    what comes back if nothing is refined."""
    present: Mask | None = field(default=None, repr=False)
    """The candidates that the pool is taken to hold; None: all of them."""
    zero_shot: Probs | None = field(default=None, repr=False)
    """Zero-shot's answers (N, C), where ``probs`` are a tuned prompt's; None where ``probs`` are zero-shot's own."""
    undivided: bool = False
    """Whether clusters of zero-shot's answers would split up a class, so that none are sought."""
    text_images: PoolImages | None = field(default=None, repr=False)
    """The first bank alone, where ``images`` are several banks and prototypes are of the first."""

    @property
    def settings(self) -> Refinement:
        """The refinement's numbers. Held by the images, whose graph and subspace depend on them."""
        return self.images.settings

    @property
    def prototypes(self) -> bool:
        """Whether the classes are given by images, not by texts."""
        return self.prototype_embeds is not None

    @cached_property
    def is_unrestricted(self) -> bool:
        """Whether no row is labeled and every class is a candidate: then nothing needs to be copied out or back."""
        return bool(self.candidates.all()) and not bool(self.labeled.any())

    @property
    def unlabeled_probs(self) -> SomeProbs:
        """(n, K) the answers of the unlabeled rows over the candidates."""
        return self.probs if self.is_unrestricted else self.restricted(self.probs, self.candidates)

    def restricted(self, values: Tensor, classes: Mask) -> Tensor:
        """(n, K) the unlabeled rows and some classes of ``values`` (N, C); a copy only where something is left out."""
        rows = (~self.labeled).nonzero().squeeze(1)
        return picked(values, rows, classes.nonzero().squeeze(1))

    def once(self, copies: Copies) -> RefineInput:
        """The input with one row for each distinct image: a labeled one where there is one."""
        rows = copies.representatives(self.labeled)
        at_given, zero_shot = self.probs_at_given_scale, self.zero_shot
        return replace(
            self,
            images=self.images.once,
            probs=gathered(self.probs, rows),
            labeled=self.labeled[rows],
            probs_at_given_scale=None if at_given is None else gathered(at_given, rows),
            zero_shot=None if zero_shot is None else gathered(zero_shot, rows),
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
        """(N, C) from answers (n, K) of the unlabeled rows over the candidates, or over ``classes`` where given.

        The inverse of `restricted`: other classes get 0, labeled rows keep their one-hot ``probs``.
        """
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
    """The input of images (N, D) and class embeddings (C, D): softmax of their scaled cosines, one-hot where labeled.

    Prototypes are recognised (`_are_prototypes`) and their logit scale is capped. DataError: the shapes do not fit
    together.
    """
    images = torch.as_tensor(image_embeds)
    classes, labels, mask = checked_classes(images, class_embeds, labeled, candidates)
    rows, n_classes = len(images), len(classes)
    has_label = labels >= 0
    prototypes = _are_prototypes(images, classes, ~has_label, mask, settings)
    scale = min(logit_scale, settings.prototype_logit_scale) if prototypes else logit_scale

    def answers(scale: float) -> Probs:
        shape = rows, n_classes
        made = like(images, shape, stored=PROBS) if is_mapped(images) else torch.empty(shape)

        def answer(part: slice) -> None:
            logits = scale * torch.mm(images[part].float(), classes.T)
            probs = logits.masked_fill_(~mask, -torch.inf).softmax(1)
            one_hot = F.one_hot(labels[part].clamp_min(0), n_classes).float()
            made[part] = torch.where(has_label[part, None], one_hot, probs)

        put(answer, chunk_slices(rows), over=(images, made))
        return made

    at_given = answers(logit_scale) if scale != logit_scale else None
    return RefineInput(
        PoolImages(images, settings),
        answers(scale),
        has_label,
        mask,
        prototype_embeds=classes if prototypes else None,
        probs_at_given_scale=at_given,
    )


def checked_classes(
    images: Tensor, class_embeds: Tensor, labeled: Tensor | None, candidates: Tensor | None
) -> tuple[ClassEmbeds, Labels, Mask]:
    """Class embeddings (C, D) in float32, labels (N,) and candidates (C,), which are by default -1 and all classes.

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
    """DataError unless the shapes belong together and labels and candidates name existing classes."""
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
    """Whether the class embeddings lie among the images, so that they must be means of images.

    CLIP's texts lie in a cone of their own, far from all images: the modality gap (Liang et al., NeurIPS 2022, arXiv
    2203.02053). So the unlabeled images' highest cosine with a class is compared with that between nearest neighbours.
    """
    if len(images) < 2 or not bool(unlabeled.any()):
        return False
    sample = even_sample(images, settings.numerics.prototype_sample).float()
    similar = sample @ sample.T
    similar.fill_diagonal_(-torch.inf)
    between_neighbours = similar.max(1).values.mean()
    candidate_embeds = classes[candidates].T

    def highest(part: slice) -> Tensor:
        return (images[part].float() @ candidate_embeds).max(1).values

    parts = computed(highest, chunk_slices(len(images)), over=(images,))
    to_classes = torch.cat(list(parts))[unlabeled].mean()
    return bool(to_classes > settings.prototype_similarity * between_neighbours)
