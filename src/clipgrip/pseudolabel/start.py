"""What a refinement is given and what it gives: answers, who fixed them, and whether the classes are images."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from clipgrip.errors import DataError
from clipgrip.pseudolabel.blocks import spans
from clipgrip.pseudolabel.pool import PoolImages
from clipgrip.pseudolabel.reasons import Reason
from clipgrip.types import ClassEmbeds, ImageEmbeds, Labels, Mask, Probs

PROTOTYPE_SHARE = 0.75
"""Class embeddings whose cosine with their images is over this share of the images' own with each other are images."""
PROTOTYPE_SCALE = 40.0
"""Prototypes of a few images are far less sure than CLIP's scale of 100 makes them."""


@dataclass(frozen=True)
class Refined:
    """Probabilities (N, C), the method that made them, and why in plain words."""

    probs: Probs = field(repr=False)
    method: str
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True)
class Start:
    """What a method is given. ``probs`` (N, C) are the untouched answers; labeled rows one-hot."""

    images: PoolImages = field(repr=False)
    probs: Probs = field(repr=False)
    fixed: Tensor = field(repr=False)
    candidates: Mask
    classes: ClassEmbeds | None = field(default=None, repr=False)
    """The class embeddings (C, D) where they are means of images."""
    believed: Probs | None = field(default=None, repr=False)
    """The answers at the scale that was asked for, where ``probs`` are at a lower one."""
    present: Mask | None = field(default=None, repr=False)
    """The candidates that the pool is taken to hold; all where None."""
    first: Probs | None = field(default=None, repr=False)
    """Zero-shot's answers (N, C), where ``probs`` are a tuned prompt's."""
    firm: bool = False
    """Whether clusters of zero-shot's answers would divide up a class, so that texts are held firmly at once."""

    @property
    def prototypes(self) -> bool:
        """Whether the classes are given by images, not by texts."""
        return self.classes is not None

    @cached_property
    def everything(self) -> bool:
        """Whether no row is labeled and every class is a candidate, so that nothing need be picked or put back."""
        return bool(self.candidates.all()) and not bool(self.fixed.any())

    @property
    def open(self) -> Probs:
        """Unlabeled rows, candidate classes."""
        return self._opened(self.probs)

    @property
    def trusted(self) -> Probs:
        """The same at the scale that was asked for: what confidence is read from."""
        return self._opened(self.probs if self.believed is None else self.believed)

    def _opened(self, probs: Probs) -> Probs:
        return probs if self.everything else self.picked(probs, self.candidates)

    def picked(self, values: Tensor, classes: Mask) -> Tensor:
        """The unlabeled rows and some classes of (N, C); a copy only where some are left out."""
        if bool(self.fixed.any()):
            values = values[~self.fixed]
        return values if bool(classes.all()) else values[:, classes]

    def with_open(self, answers: Probs, classes: Mask | None = None) -> Probs:
        """All rows and classes, with these answers for the unlabeled rows and the candidates, or other ``classes``."""
        if self.everything and answers.shape == self.probs.shape:
            return answers
        chosen = (self.candidates if classes is None else classes).nonzero().squeeze(1)
        rows, whole = (~self.fixed).nonzero().squeeze(1), self.probs.clone()
        for part in spans(len(rows)):
            unlabeled = torch.zeros(part.stop - part.start, len(self.candidates))
            whole[rows[part]] = unlabeled.index_copy_(1, chosen, answers[part])
        return whole


def begin(
    image_embeds: ImageEmbeds,
    class_embeds: ClassEmbeds,
    logit_scale: float,
    labeled: Labels | None,
    candidates: Mask | None,
) -> Start:
    images, classes = torch.as_tensor(image_embeds), torch.as_tensor(class_embeds).float()
    rows, n_classes = len(images), len(classes)
    labels = torch.full((rows,), -1) if labeled is None else torch.as_tensor(labeled).long()
    mask = (
        torch.ones(n_classes, dtype=torch.bool)
        if candidates is None
        else torch.as_tensor(candidates).bool()
    )
    _check(images, classes, labels, mask)
    fixed = labels >= 0
    cosines = torch.empty(rows, n_classes)
    for part in spans(rows):
        torch.mm(images[part].float(), classes.T, out=cosines[part])
    prototypes = _are_prototypes(images, cosines, ~fixed, mask)
    scale = min(logit_scale, PROTOTYPE_SCALE) if prototypes else logit_scale

    def answers(scale: float, into: Tensor) -> Probs:
        for part in spans(rows):
            probs = (scale * cosines[part]).masked_fill_(~mask, -torch.inf).softmax(1)
            one_hot = F.one_hot(labels[part].clamp_min(0), n_classes).float()
            into[part] = torch.where(fixed[part, None], one_hot, probs)
        return into

    believed = answers(logit_scale, torch.empty_like(cosines)) if scale != logit_scale else None
    given = classes if prototypes else None
    return Start(PoolImages(images), answers(scale, cosines), fixed, mask, given, believed)


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
    images: ImageEmbeds, cosines: Tensor, unlabeled: Tensor, candidates: Mask
) -> bool:
    """Whether the class embeddings lie among the images: texts lie in a cone of their own (the modality gap)."""
    if len(images) < 2 or not bool(unlabeled.any()):
        return False
    sample = images[:: max(1, len(images) // 1000)].float()
    similar = sample @ sample.T
    similar.fill_diagonal_(-torch.inf)
    among = similar.max(1).values.mean()
    parts = [cosines[part][:, candidates].max(1).values for part in spans(len(images))]
    return bool(torch.cat(parts)[unlabeled].mean() > PROTOTYPE_SHARE * among)
