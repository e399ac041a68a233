"""The classifier that new images meet: the only place where the estimator's final answers are decided."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import torch
from sklearn.linear_model import LogisticRegression

from clipgrip.prompts.classifier import predict_proba
from clipgrip.types import ClassEmbeds, ImageEmbeds, Labels, Probs

LABELS_C = 100.0
"""Inverse strength of the L2 penalty. Unit vectors of one model lie close together, so their weights must be large."""


class Head(Protocol):
    """Answers for image embeddings."""

    def predict_proba(self, image_embeds: ImageEmbeds) -> Probs:
        """(N, C) from unit vectors (N, D), columns in display order."""


@dataclass(frozen=True)
class CosineHead:
    """CLIP's own: the softmax of scaled cosines with one vector (C, D) for each class."""

    class_embeds: ClassEmbeds = field(repr=False)
    logit_scale: float

    def predict_proba(self, image_embeds: ImageEmbeds) -> Probs:
        """(N, C)."""
        return predict_proba(
            image_embeds.to(self.class_embeds.dtype), self.class_embeds, self.logit_scale
        )


@dataclass(frozen=True)
class LabelHead:
    """Logistic regression on labeled images; a class without a label has probability 0."""

    model: LogisticRegression = field(repr=False)
    n_classes: int

    def predict_proba(self, image_embeds: ImageEmbeds) -> Probs:
        """(N, C)."""
        known = torch.from_numpy(self.model.predict_proba(image_embeds.numpy()))
        probs = known.new_zeros(len(known), self.n_classes)
        return probs.index_copy(1, torch.from_numpy(self.model.classes_), known)


def final_head(
    image_embeds: ImageEmbeds,
    labels: Labels,
    class_embeds: ClassEmbeds | None,
    logit_scale: float,
    n_classes: int,
) -> Head:
    """The head for new images, from the pool (N, D), its labels (N,), -1 for unlabeled, and what the rounds learned.

    With ``class_embeds`` (C, D), tuned or not, they decide; without, the labels alone.
    """
    if class_embeds is not None:
        return CosineHead(class_embeds, logit_scale)
    known = labels >= 0
    model = LogisticRegression(C=LABELS_C, max_iter=1000)
    return LabelHead(model.fit(image_embeds[known].numpy(), labels[known].numpy()), n_classes)
