"""What the labels of a task teach its rounds: better answers to begin with, and a head beside each tuned prompt."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from clipgrip.fewshot.head import Head, HeadSettings, fit_head
from clipgrip.fewshot.joint import Joint, JointWeights, join, scaled
from clipgrip.fewshot.validate import HeldOut, Learned, Refine, fitted_head, held_out, learned
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
"""Of logits, from 1/16384 to 1: nine per cent apart, and a sum of two that agree is never too doubtful."""
TOGETHER = 8192
"""Images that are answered together, as a head reads them."""
MOST_TAUGHT = 100_000
"""Pseudolabels that teach a head: all of less than twice as many, of more between this and twice as many."""


def teaches(settings: HeadSettings | None, task: Task) -> bool:
    """Whether labels are asked: some are given, and unlabeled images may be of any class.

    Where they are of other classes than the labels (TRZSL) the labels cannot say how good the text is for them.
    """
    several = len(task.labels[task.labeled].unique()) > 1
    return settings is not None and several and bool(task.candidates.all())


def text_logits(probs: Probs) -> Logits:
    """(N, C) logits, apart from what all classes share."""
    return probs.float().clamp_min(TINY).log()


@dataclass(frozen=True)
class Teacher:
    """Fitted before anything is tuned, so that no held-out label has been seen by the text."""

    task: Task = field(repr=False)
    settings: HeadSettings = field(repr=False)
    weights: JointWeights
    members: dict[str, float] = field(repr=False)
    start: Probs = field(repr=False)
    """(N, C) text and labels joined, without the unlabeled images: rounds that go astray go back to these."""
    uses_unlabeled: bool = True
    """False where held-out labels are answered worse with the unlabeled images than without."""
    texts: ClassEmbeds | None = field(default=None, repr=False)
    """The untuned class embeddings (C, D), where a name does not fit as its images foretell them."""
    foretold: tuple[int, ...] = ()
    """These classes."""
    has_text: bool = True
    """Whether any text answers beside the labels."""
    held_out: HeldOut | None = field(default=None, repr=False)
    """None where no class has two labels, and where a stored run is only opened again."""

    @classmethod
    def of(
        cls,
        image_embeds: WideEmbeds,
        zero_shot: Probs | None,
        task: Task,
        settings: HeadSettings,
        texts: ClassEmbeds | None = None,
    ) -> Teacher:
        """Of a pool (N, D), the text's answers (N, C) and the labels; nothing is validated yet."""
        width = None if texts is None else texts.shape[1]
        own = None if zero_shot is None else text_logits(zero_shot[task.labeled])
        found = learned(image_embeds, task.labels, own, task.n_classes, settings, width)
        start, named = _start(found, image_embeds, zero_shot), found.named
        teacher = cls(task, settings, found.weights, found.members, start, has_text=own is not None)
        if texts is None or named is None:
            return replace(teacher, texts=texts)
        return replace(teacher, texts=named.texts(texts), foretold=named.classes)

    def validated(self, held_out: HeldOut | None) -> Teacher:
        """The same, knowing what its labels said when they were held out."""
        harm = held_out is not None and held_out.unlabeled_harm
        return replace(self, held_out=held_out, uses_unlabeled=not harm)

    def worthwhile(self, ks: Sequence[int]) -> Sequence[int]:
        """Of a schedule's rounds those that held-out labels bear out: all, the last alone, or the labels alone.

        Each round agrees with the one before, right or wrong. So where held-out labels do not become likelier by the
        unlabeled images, or none can be held out, a second round learns nothing that anybody has confirmed.
        """
        if not self.uses_unlabeled:
            return [0]
        helps = self.held_out is not None and self.held_out.rounds_help
        return ks if helps else ks[-1:]

    def joint(self, image_embeds: ImageEmbeds, pseudolabels: PseudoLabels | None = None) -> Joint:
        """The classifier of new images, from the pool (N, D) as a prompt sees it and from ``pseudolabels`` as well."""
        task = self.task
        fitted = fitted_head(image_embeds, task.labels, task.n_classes, self.settings)
        joint = join(fitted, task.labels[task.labeled], task.n_classes, self.weights)
        texts, untuned = self.texts, self.settings.untuned
        joint = replace(joint, texts=texts, untuned=untuned, foretold=self.foretold)
        if pseudolabels is None or not len(pseudolabels.rows) or not self.uses_unlabeled:
            return joint
        head = _taught_head(image_embeds, task, pseudolabels, self.settings)
        # few labels, from which its pseudolabels stem, make it too sure
        rows = even_sample(pseudolabels.rows, MOST_TAUGHT)
        sure = float(pseudolabels.confidence.double().mean())
        head = scaled(head, _as_sure_as(head.logits(image_embeds[rows]), sure))
        worth = _worth(task, pseudolabels, self.settings)
        joint = replace(joint, untuned=1 - (1 - joint.untuned) * worth)
        return joint.mixed(head, self.settings.unlabeled * worth)

    def facts(self) -> dict[str, Any]:
        """What a run stores of it."""
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
        """Rows of the pool whose label is not what the model says without it, and what it says."""
        if self.held_out is None:
            return []
        answers = self.held_out.answers
        differ = answers != self.held_out.truth
        pairs = zip(self.held_out.rows[differ].tolist(), answers[differ].tolist(), strict=True)
        return list(pairs)


def _start(found: Learned, image_embeds: WideEmbeds, zero_shot: Probs | None) -> Probs:
    """(N, C) text and labels joined."""
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
    """What the teacher's labels say when they are held out, with the refinement that the rounds will use.

    The last ``eye_columns`` of ``image_embeds`` are what eyes see.
    """
    task = teacher.task
    every = task.candidates

    def refiner(embeds: ImageEmbeds) -> Refine:
        images = PoolImages.of(embeds, refinement, eye_columns=eye_columns)

        def refine(answers: Probs, known: Labels) -> Probs:
            one_hot = torch.nn.functional.one_hot(known.clamp_min(0), task.n_classes).float()
            start = torch.where((known >= 0)[:, None], one_hot, answers)
            found = refined_answers(
                images, start, labeled=known >= 0, candidates=every, method=method
            )
            return found.probs

        return refine

    return held_out(
        image_embeds,
        task.labels,
        None if zero_shot is None else text_logits(zero_shot),
        task.n_classes,
        settings=teacher.settings,
        refiner=refiner,
        generator=generator,
        width=None if teacher.texts is None else teacher.texts.shape[1],
    )


def joint_without_labels(
    image_embeds: WideEmbeds,
    text: tuple[ClassEmbeds, float],
    task: Task,
    pseudolabels: PseudoLabels,
    settings: HeadSettings | None,
) -> Joint | None:
    """The prompt's answers joined with a head of its pseudolabels: a prompt cannot say all that they teach it.

    For tasks whose labels teach no head themselves (none at all, or of other classes than the images without one);
    labels that there are teach this one. ``image_embeds`` (N, D) are as the prompt sees the pool, ``text`` its class
    embeddings (C, D) and their scale. None where there is nothing to join.

    Both learned the same and agree, so their sum is far too sure. A temperature makes it as sure on the pool as the
    pseudolabels were.
    """
    if settings is None or not settings.alone or len(pseudolabels.labels.unique()) < 2:
        return None
    head = _taught_head(image_embeds, task, pseudolabels, settings)
    weight = settings.alone * _worth(task, pseudolabels, settings)
    sharp = Joint(1.0, (), task.n_classes).with_head(head, weight)
    rows = even_sample(pseudolabels.rows, MOST_TAUGHT)
    text_log_probs = wide_logits(image_embeds[rows], *text).log_softmax(1)
    logits = sharp.logits(image_embeds[rows], text_log_probs)
    factor = _as_sure_as(logits, float(pseudolabels.confidence.double().mean()))
    return Joint(factor, (scaled(sharp.heads[0], factor),), task.n_classes)


def _as_sure_as(logits: Logits, confidence: float) -> float:
    """The factor in `FACTORS` under which the mean confidence of these logits (n, C) is nearest to the given."""

    def reached(factor: float) -> float:
        return float((factor * logits).softmax(1).amax(1).mean())

    at = bisect_left(FACTORS, confidence, key=reached)  # a larger factor is always surer
    return min(FACTORS[max(at - 1, 0) : at + 1], key=lambda f: abs(reached(f) - confidence))


def _taught_head(
    image_embeds: ImageEmbeds, task: Task, pseudolabels: PseudoLabels, settings: HeadSettings
) -> Head:
    """A head of labels and pseudolabels; of many of these an even sample.

    Labels judge its members where a class has two, and pseudolabels teach as far as they are sure. Where all have to
    judge they teach alike, since held-out answers are of images that count once.
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
    """(N,) labels that can be held out from pseudolabels: where a class has one, all its pseudolabels stem from it.

    None where there is none, or where labels are of other classes than the pseudolabels.
    """
    several = task.labels >= 0
    counts = torch.bincount(task.labels[several], minlength=task.n_classes)
    several &= counts[task.labels.clamp_min(0)] > 1
    return several if bool(several.any()) and bool(task.candidates.all()) else None


def _worth(task: Task, pseudolabels: PseudoLabels, settings: HeadSettings) -> float:
    """How far so many pseudolabels a class may speak."""
    each = len(pseudolabels.rows) / int(task.candidates.sum())
    return each**2 / (each**2 + settings.half_worth**2)
