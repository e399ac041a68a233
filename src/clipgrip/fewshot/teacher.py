"""What the labels of a task give its rounds: better answers to start from, and a head beside each tuned prompt."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from clipgrip.fewshot.head import Head, HeadSettings, fit_head
from clipgrip.fewshot.joint import Joint, JointWeights, join, scaled
from clipgrip.fewshot.validate import (
    HeldOut,
    LabelFit,
    Refine,
    cross_validated,
    fit_labels,
    fitted_head,
)
from clipgrip.mapped import like
from clipgrip.prompts.classifier import wide_logits
from clipgrip.pseudolabel.pseudolabels import PseudoLabels
from clipgrip.pseudolabel.refine import refined_answers
from clipgrip.pseudolabel.refine.chunks import chunk_slices, even_sample, put
from clipgrip.pseudolabel.refine.settings import Refinement
from clipgrip.pseudolabel.refine.space import PoolImages
from clipgrip.task import Task
from clipgrip.types import ClassEmbeds, ImageEmbeds, Labels, Logits, Probs, RowMask, WideEmbeds

TINY = 1e-30
FACTORS = tuple(2.0 ** (step / 8) for step in range(-112, 1))
"""Factors on logits from 1/16384 to 1, nine per cent apart. None above 1, because the sum of two classifiers that
learned the same is overconfident."""
TOGETHER = 8192
"""Images that are answered together."""
MOST_TAUGHT = 100_000
"""A head learns all of fewer than twice as many pseudolabels; of more, an even sample between this and twice that."""


def teaches(settings: HeadSettings | None, task: Task) -> bool:
    """Whether labels fit a `Teacher`: two classes at least have some, and unlabeled images may be of any class.

    In TRZSL unlabeled images are of other classes than the labels, which cannot tell how good the text is for those.
    """
    several = len(task.labels[task.labeled].unique()) > 1
    return settings is not None and several and task.shares_classes


def text_logits(probs: Probs) -> Logits:
    """(N, C) log-probabilities: the logits up to a constant of each row."""
    return probs.float().clamp_min(TINY).log()


@dataclass(frozen=True)
class Teacher:
    """What the labels decided before anything was tuned, so that the text has seen no held-out label."""

    task: Task = field(repr=False)
    settings: HeadSettings = field(repr=False)
    weights: JointWeights
    members: dict[str, float] = field(repr=False)
    start: Probs = field(repr=False)
    """(N, C) answers of text and labels joined, which round 1 starts from, and to which rounds gone astray return."""
    uses_unlabeled: bool = True
    """False where held-out labels are answered worse with the unlabeled images than without."""
    texts: ClassEmbeds | None = field(default=None, repr=False)
    """The untuned class embeddings (C, D), those of misnamed classes predicted from their images."""
    misnamed: tuple[int, ...] = ()
    """Classes whose name does not fit."""
    has_text: bool = True
    """False where the labels alone answer."""
    held_out: HeldOut | None = field(default=None, repr=False)
    """None where no class has two labels, and where a stored run is only reopened."""

    @classmethod
    def of(
        cls,
        image_embeds: WideEmbeds,
        zero_shot: Probs | None,
        task: Task,
        settings: HeadSettings,
        texts: ClassEmbeds | None = None,
    ) -> Teacher:
        """From a pool (N, D), the text's answers (N, C) and the task's labels; nothing is validated yet."""
        width = None if texts is None else texts.shape[1]
        own = None if zero_shot is None else text_logits(zero_shot[task.labeled])
        found = fit_labels(image_embeds, task.labels, own, task.n_classes, settings, width)
        start, misnamed = _start(found, image_embeds, zero_shot), found.misnamed
        teacher = cls(task, settings, found.weights, found.members, start, has_text=own is not None)
        if texts is None or misnamed is None:
            return replace(teacher, texts=texts)
        return replace(teacher, texts=misnamed.texts(texts), misnamed=misnamed.classes)

    def validated(self, held_out: HeldOut | None) -> Teacher:
        """With the result of its cross-validation, which decides whether unlabeled images are used."""
        harm = held_out is not None and held_out.unlabeled_harm
        return replace(self, held_out=held_out, uses_unlabeled=not harm)

    def worthwhile(self, ks: Sequence[int]) -> Sequence[int]:
        """The rounds of a schedule that are worth running: all, only the last, or one on the labels alone (k = 0).

        A round agrees with the one before, right or wrong. So unless unlabeled images made held-out labels likelier,
        a second round would only learn what nothing has confirmed.
        """
        if not self.uses_unlabeled:
            return [0]
        helps = self.held_out is not None and self.held_out.rounds_help
        return ks if helps else ks[-1:]

    def joint(self, image_embeds: ImageEmbeds, pseudolabels: PseudoLabels | None = None) -> Joint:
        """The classifier for new images: labels, and ``pseudolabels``, on the pool (N, D) as a tuned prompt sees it."""
        task = self.task
        fitted = fitted_head(image_embeds, task.labels, task.n_classes, self.settings)
        joint = join(fitted, task.labels[task.labeled], task.n_classes, self.weights)
        joint = replace(joint, texts=self.texts, untuned=self.settings.untuned)
        joint = replace(joint, misnamed=self.misnamed, absent=task.absent_classes)
        if pseudolabels is None or not len(pseudolabels.rows) or not self.uses_unlabeled:
            return joint
        head = _taught_head(image_embeds, task, pseudolabels, self.settings)
        # pseudolabels that stem from few labels make their head overconfident
        rows = even_sample(pseudolabels.rows, MOST_TAUGHT)
        sure = float(pseudolabels.confidence.double().mean())
        head = scaled(head, _as_sure_as(head.logits(image_embeds[rows]), sure))
        worth = _worth(task, pseudolabels, self.settings)
        joint = replace(joint, untuned=1 - (1 - joint.untuned) * worth)
        return joint.mixed(head, self.settings.unlabeled * worth)

    def facts(self) -> dict[str, Any]:
        """The part of metrics.json that a run stores of it."""
        found: dict[str, Any] = {
            "given": len(self.task.labeled),
            "per_class": torch.bincount(
                self.task.labels[self.task.labeled], minlength=self.task.n_classes
            ).tolist(),
            "text_weight": self.weights.text,
            "head_weight": self.weights.head,
            "members": {name: share for name, share in self.members.items() if share >= 0.01},
            "uses_unlabeled": self.uses_unlabeled,
            "held_out": None,
        }
        if (checked := self.held_out) is not None:
            commonest = int(torch.bincount(checked.truth).max())
            found["held_out"] = {
                "n": len(checked.rows),
                "text": checked.right(checked.text) if bool((checked.text >= 0).any()) else None,
                "labels_only": checked.right(checked.labels_only),
                "with_unlabeled": checked.right(checked.with_unlabeled),
                "right": checked.right(checked.answers),
                "commonest": commonest,
            }
        return found

    def contradicted(self) -> list[tuple[int, int]]:
        """Rows of the pool whose held-out label the model contradicts, each with the model's answer."""
        if self.held_out is None:
            return []
        answers = self.held_out.answers
        differ = answers != self.held_out.truth
        pairs = zip(self.held_out.rows[differ].tolist(), answers[differ].tolist(), strict=True)
        return list(pairs)


def _start(found: LabelFit, image_embeds: WideEmbeds, zero_shot: Probs | None) -> Probs:
    """(N, C) the joined answers for the whole pool, in parts and into a file if the pool lies in one."""
    shape = len(image_embeds), found.joint.n_classes
    made = like(image_embeds, shape, dtype=torch.float32)

    def answer(rows: slice) -> None:
        text = None if zero_shot is None else text_logits(zero_shot[rows])
        made[rows] = found.probs(image_embeds[rows], text)

    over = (image_embeds, made) if zero_shot is None else (image_embeds, made, zero_shot)
    put(answer, chunk_slices(len(made), TOGETHER), over=over)
    return made


def validate(
    teacher: Teacher,
    image_embeds: ImageEmbeds,
    zero_shot: Probs | None,
    *,
    method: str,
    refinement: Refinement,
    generator: torch.Generator,
    eye_columns: int = 0,
) -> HeldOut | None:
    """Cross-validation over the teacher's labels, with the refinement that the rounds will use.

    The last ``eye_columns`` of ``image_embeds`` are what eyes see.
    """
    task = teacher.task

    def refiner(embeds: ImageEmbeds) -> Refine:
        images = PoolImages.of(embeds, refinement, eye_columns=eye_columns)

        def refine(answers: Probs, known: Labels) -> Probs:
            one_hot = torch.nn.functional.one_hot(known.clamp_min(0), task.n_classes).float()
            start = torch.where((known >= 0)[:, None], one_hot, answers)
            found = refined_answers(
                images, start, labeled=known >= 0, candidates=task.candidates, method=method
            )
            return found.probs

        return refine

    return cross_validated(
        image_embeds,
        task.labels,
        None if zero_shot is None else text_logits(zero_shot),
        task.n_classes,
        settings=teacher.settings,
        refiner=refiner,
        generator=generator,
        text_width=None if teacher.texts is None else teacher.texts.shape[1],
    )


def joint_without_labels(
    image_embeds: WideEmbeds,
    text: tuple[ClassEmbeds, float],
    task: Task,
    pseudolabels: PseudoLabels,
    settings: HeadSettings | None,
) -> Joint | None:
    """A tuned prompt joined with a head of its pseudolabels, which can express more of them than the prompt can.

    For tasks without a `Teacher`: without labels, or with labels of other classes than the unlabeled images'; such
    labels teach this head too. ``image_embeds`` (N, D) are the pool as the prompt sees it, ``text`` its class
    embeddings (C, D), untuned where classes are absent, and logit scale. None where there is nothing to join.

    Prompt and head learned the same and agree, so their sum is far too confident. One factor on it brings its mean
    confidence on the pseudolabeled images to that of the pseudolabels.
    """
    if settings is None or not settings.alone or len(pseudolabels.labels.unique()) < 2:
        return None
    head = _taught_head(image_embeds, task, pseudolabels, settings)
    weight = settings.alone * _worth(task, pseudolabels, settings)
    sharp = Joint(1.0, (scaled(head, weight),), task.n_classes)
    images = image_embeds[even_sample(pseudolabels.rows, MOST_TAUGHT)]
    logits = sharp.logits(images, wide_logits(images, *text).log_softmax(1))
    factor = _as_sure_as(task.among(logits), float(pseudolabels.confidence.double().mean()))
    joint = Joint(factor, (scaled(sharp.heads[0], factor),), task.n_classes)
    return joint.apart_from(task.absent_classes, text[0]).reluctant(images, text, settings.lost)


def _as_sure_as(logits: Logits, confidence: float) -> float:
    """The one of `FACTORS` with which the mean confidence of these logits (n, C) is nearest to ``confidence``."""

    def mean_confidence(factor: float) -> float:
        return float((factor * logits).softmax(1).amax(1).mean())

    at = bisect_left(FACTORS, confidence, key=mean_confidence)  # it rises with the factor
    return min(FACTORS[max(at - 1, 0) : at + 1], key=lambda f: abs(mean_confidence(f) - confidence))


def _taught_head(
    image_embeds: ImageEmbeds, task: Task, pseudolabels: PseudoLabels, settings: HeadSettings
) -> Head:
    """A head of labels and pseudolabels, of many of these an even sample.

    Where labels can be held out, they weight the head's members, and pseudolabels weigh by their confidence. Elsewhere
    pseudolabels are held out too, and all weigh 1, because leave-one-out answers assume that each image counts once.
    """
    taught, weights = task.labels.clone(), torch.ones(len(task.labels))
    rows, labels, sure = (
        even_sample(values, MOST_TAUGHT)
        for values in (pseudolabels.rows, pseudolabels.labels, pseudolabels.confidence)
    )
    taught[rows] = labels
    judges = _judges(task)
    if judges is not None:
        weights[rows] = sure.float() ** settings.doubt
    known = (taught >= 0).nonzero().squeeze(1)
    return fit_head(
        image_embeds[known],
        taught[known],
        task.n_classes,
        settings=settings,
        weights=weights[known],
        judges=None if judges is None else judges[known],
    ).head


def _judges(task: Task) -> RowMask | None:
    """(N,) the labels that can be held out: those of classes with several, or all pseudolabels would stem from the one.

    None where there is no such label, or where labels are of other classes than the pseudolabels.
    """
    several = task.labels >= 0
    counts = torch.bincount(task.labels[several], minlength=task.n_classes)
    several &= counts[task.labels.clamp_min(0)] > 1
    return several if bool(several.any()) and task.shares_classes else None


def _worth(task: Task, pseudolabels: PseudoLabels, settings: HeadSettings) -> float:
    """n² / (n² + half_worth²) for n pseudolabels per class: how much a classifier that learned them counts."""
    each = len(pseudolabels.rows) / int(task.candidates.sum())
    return each**2 / (each**2 + settings.half_worth**2)
