"""The classifier for new images: the only place where the estimator's final answers are computed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from clipgrip.fewshot.head import HeadSettings
from clipgrip.fewshot.joint import Joint, joined_probs
from clipgrip.fewshot.teacher import Teacher, validate
from clipgrip.method import Method, refiner_of
from clipgrip.prompts.classifier import wide_logits
from clipgrip.pseudolabel.refine.refiner import ZERO_SHOT
from clipgrip.pseudolabel.select import selector
from clipgrip.seeds import generator
from clipgrip.strategy import choose
from clipgrip.task import ssl
from clipgrip.types import ClassEmbeds, ImageEmbeds, Labels, Probs


class AnswerHead(Protocol):
    """Answers for image embeddings."""

    def predict_proba(self, image_embeds: ImageEmbeds) -> Probs:
        """(N, C) from unit vectors (N, D), columns in display order."""


@dataclass(frozen=True)
class CosineHead:
    """CLIP's own classifier: softmax of scaled cosines with the class embeddings (C, D)."""

    class_embeds: ClassEmbeds = field(repr=False)
    logit_scale: float

    def predict_proba(self, image_embeds: ImageEmbeds) -> Probs:
        """(N, C)."""
        embeds = image_embeds.to(self.class_embeds.dtype)
        return wide_logits(embeds, self.class_embeds, self.logit_scale).softmax(dim=1)


@dataclass(frozen=True)
class JointHead:
    """Text, if any, joined with heads of labels and pseudolabels (`clipgrip.fewshot`)."""

    joint: Joint = field(repr=False)
    class_embeds: ClassEmbeds | None = field(default=None, repr=False)
    logit_scale: float = 1.0

    def predict_proba(self, image_embeds: ImageEmbeds) -> Probs:
        """(N, C)."""
        if self.class_embeds is None:
            return self.joint.probs(image_embeds, None)
        embeds = image_embeds.to(self.class_embeds.dtype)
        return joined_probs(embeds, self.class_embeds, self.logit_scale, self.joint)


def final_head(class_embeds: ClassEmbeds, logit_scale: float, joint: Joint | None) -> AnswerHead:
    """The head for new images: class embeddings (C, D), tuned or not, joined with ``joint`` if there is one."""
    if joint is None:
        return CosineHead(class_embeds, logit_scale)
    return JointHead(joint, class_embeds, logit_scale)


def head_of_labels(
    image_embeds: ImageEmbeds,
    labels: Labels,
    n_classes: int,
    method: Method,
    seed: int,
    *,
    eye_columns: int = 0,
) -> AnswerHead:
    """A head of labels (N,), -1 for none, without any text; unlabeled images count unless held-out labels refute it.

    The last ``eye_columns`` of ``image_embeds`` are what eyes see.
    """
    settings = method.head or HeadSettings()
    task = ssl(labels, n_classes)
    teacher = Teacher.of(image_embeds, None, task, settings)
    pseudolabels = None
    if method.refine != ZERO_SHOT and len(task.unlabeled):
        checked = validate(
            teacher,
            image_embeds,
            None,
            method=method.refine,
            refinement=method.refinement,
            generator=generator(seed, "held out"),
            eye_columns=eye_columns,
        )
        teacher = teacher.validated(checked)
        refiner = refiner_of(method, image_embeds, teacher.start, teacher, eye_columns=eye_columns)
        found = refiner(teacher.start, task)
        pseudolabels = choose(found.probs, task, 1, selector("everything"))
    return JointHead(teacher.joint(image_embeds, pseudolabels))
