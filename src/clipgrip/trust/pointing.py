"""Whether class names point at groups of images at all: read from the answers, without a label."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clipgrip.pseudolabel.refine.chunks import even_sample
from clipgrip.types import ClassEmbeds, ImageEmbeds, Probs

SAMPLE = 50_000
"""Of larger pools an even sample of at least so many images is read."""


@dataclass(frozen=True)
class Pointing:
    """The distribution of zero-shot's logits over ``images`` images."""

    images: int
    classes: int
    spread: float
    """Standard deviation of the double-centred logits."""
    skew: float
    """Mean skewness of a class's logits over the images: a name that means some of them is high on these alone."""
    top: float
    """Share of the images with the most frequent answer."""
    top_class: int


def pointing(probs: Probs) -> Pointing:
    """The distribution for answers (N, C), on an even sample of many."""
    logits = even_sample(probs, SAMPLE).double().clamp_min(torch.finfo(torch.float32).tiny).log()
    found = logits - logits.mean(1, keepdim=True)
    found = found - found.mean(0)
    answers = torch.bincount(probs.argmax(1), minlength=probs.shape[1])
    top = int(answers.argmax()) if len(probs) else 0
    return Pointing(
        images=len(probs),
        classes=probs.shape[1],
        spread=float(found.square().mean().sqrt()) if len(probs) else 0.0,
        skew=_skewness(found),
        top=float(answers[top]) / max(1, len(probs)),
        top_class=top,
    )


def likeness(class_embeds: ClassEmbeds, logit_scale: float) -> float:
    """Mean distance of the texts (C, D) from their mean, times the logit scale: small if all are nearly one text."""
    middle = class_embeds.double().mean(0)
    return float((class_embeds.double() - middle).norm(dim=1).mean()) * logit_scale


def best_cosine(image_embeds: ImageEmbeds, class_embeds: ClassEmbeds) -> float:
    """Mean cosine of an image (N, D) with the text (C, D) nearest to it."""
    images = even_sample(image_embeds, SAMPLE).float()
    return float((images @ class_embeds.float().T).max(1).values.mean()) if len(images) else 0.0


def _skewness(values: Tensor) -> float:
    """Mean skewness of the columns that vary; 0 if none does."""
    if not len(values):
        return 0.0
    spread = values.square().mean(0).sqrt()
    third = values.pow(3).mean(0)
    varies = spread > 1e-6
    return float((third[varies] / spread[varies].pow(3)).mean()) if bool(varies.any()) else 0.0
