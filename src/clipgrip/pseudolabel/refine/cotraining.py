"""Co-training (Blum, Mitchell, COLT 1998): a classifier in each bank of embeddings learns from the other's answers.

The text errs where its own model's embeddings mislead it, so a student that learns from its answers in these embeddings
repeats its errors. In an eye's embeddings the errors are noise, and a student learns what the images of a class have in
common. Students are linear discriminants that answer only images they did not learn from (cross-fitting), at the
temperature at which they predict their teacher best, so that an eye that sees nothing answers nothing. What the eyes
learned from the text then teaches a student in the text's own bank.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from clipgrip.pseudolabel.refine.answers import Refined, RefineInput
from clipgrip.pseudolabel.refine.balance import Prior, sinkhorn, uniform
from clipgrip.pseudolabel.refine.chunks import chunk_slices, even_sample
from clipgrip.pseudolabel.refine.clusters import mean_answer
from clipgrip.pseudolabel.refine.discriminant import Moments, discriminants
from clipgrip.pseudolabel.refine.settings import Refinement
from clipgrip.pseudolabel.refine.space import Columns, PoolImages
from clipgrip.seeds import generator
from clipgrip.types import Logits, SomeProbs

TINY = 1e-12
TEMPERATURES = torch.logspace(-1, 3, 41)
"""Tried for a student's logits; at the highest its answers are equal for all classes."""


class Student(NamedTuple):
    """What a classifier in the eyes' columns learned from a teacher's answers."""

    logits: Logits
    """(n, K) log-likelihoods of the classes, of images that it did not learn from."""
    information: float
    """Nats per image of the teacher's answers that it predicts (`mutual_information`)."""
    explained: float
    """The same as a share of all the information in the teacher's answers."""


def cotrained(given: RefineInput) -> Refined:
    """The product of three views: the text at `fitting_shares`, the eyes' student of it, and the text bank's of both.

    For a pool that eyes see and in which no image is labeled.
    """
    images, settings, unbalanced = given.images, given.settings, given.unlabeled_probs
    sample = settings.numerics.decision_sample
    some = PoolImages(even_sample(images.embeds, sample), settings, images.eye_columns)
    shares = fitting_shares(some, even_sample(unbalanced, sample))
    text = sinkhorn(unbalanced, shares, settings)
    answers = _three_views(images, text, _eyes_taught_by(text, images))
    return Refined(given.with_unlabeled(answers), "co-training")


def fitting_shares(images: PoolImages, unbalanced: SomeProbs) -> Prior:
    """(K,) the class shares to which the text's answers ``unbalanced`` (n, K) should be brought.

    Equal shares, unless the eyes predict the answers better as they are than balanced: by more information, and by a
    larger share of the teacher's information. Then co-training, from equal shares on, finds the shares itself, round by
    round as long as the eyes predict more. Its first round must gain half the difference: else only the text sees the
    classes as unequal, and the shares stay equal.
    """
    settings, shares = images.settings, uniform(unbalanced.shape[1])
    text = sinkhorn(unbalanced, shares, settings)
    eyes, of_unbalanced = _eyes_taught_by(text, images), _eyes_taught_by(unbalanced, images)
    if of_unbalanced.information <= eyes.information or of_unbalanced.explained <= eyes.explained:
        return shares
    least = (eyes.information + of_unbalanced.information) / 2
    for _ in range(settings.numerics.cotraining_rounds):
        found = mean_answer(_three_views(images, text, eyes))
        text = sinkhorn(unbalanced, found, settings)
        eyes = _eyes_taught_by(text, images)
        if eyes.information <= least:
            break
        shares, least = found, eyes.information
    return shares


def _eyes_taught_by(teacher: SomeProbs, images: PoolImages) -> Student:
    settings = images.settings
    logits = cross_fitted(images, images.seen_by_eyes, teacher)
    information = mutual_information(logits, teacher, settings)
    some = even_sample(teacher, settings.numerics.decision_sample).float()
    teacher_itself = (some.clamp_min(TINY) / some.mean(0).clamp_min(TINY)).log()
    whole = mutual_information(teacher_itself, some, settings)
    return Student(logits, information, information / max(TINY, whole))


def _three_views(images: PoolImages, text: SomeProbs, eyes: Student) -> SomeProbs:
    """The text, the eyes, and the text bank's student of both, multiplied; written over ``text``."""
    teacher = (eyes.logits + mean_answer(text).clamp_min(TINY).log()).softmax(1)
    in_text_bank = cross_fitted(images, images.seen_by_text, teacher)
    for rows in chunk_slices(len(text)):
        views = text[rows].float().clamp_min(TINY).log() + eyes.logits[rows] + in_text_bank[rows]
        text[rows] = views.softmax(1)
    return text


def cross_fitted(images: PoolImages, columns: Columns, teacher: SomeProbs) -> Logits:
    """(n, K) log-likelihoods of discriminants in one bank, each of an image that they did not learn from."""
    folds = images.settings.numerics.cotraining_folds
    fold = torch.randperm(len(teacher), generator=generator(0, "co-training")) % folds
    fitted = _fitted(images, columns, teacher, fold)
    logits = torch.empty(teacher.shape)
    for rows in chunk_slices(len(teacher)):
        seen = images.read(columns, rows)
        for number, (directions, offsets) in enumerate(fitted):
            own = fold[rows] == number
            logits[rows][own] = torch.addmm(offsets, seen[own], directions)
    return logits.div_(_fitting_temperature(logits, teacher, images.settings))


def _fitted(
    images: PoolImages, columns: Columns, teacher: SomeProbs, fold: Int[Tensor, " n"]
) -> list[tuple[Tensor, Tensor]]:
    """Discriminants for each fold, learned from the others; images are read once."""
    settings, width = images.settings, columns.stop - columns.start
    folds = settings.numerics.cotraining_folds
    moments = [_no_moments(teacher.shape[1], width) for _ in range(folds)]
    scatters = torch.zeros(folds, width, width, dtype=torch.float64)
    for rows in chunk_slices(len(teacher)):
        seen, answers = images.read(columns, rows), teacher[rows].float()
        for number in range(folds):
            own = fold[rows] == number
            _add(moments[number], answers[own], seen[own])
            scatters[number] += seen[own].T @ seen[own]
    sums, totals = (torch.stack(parts) for parts in zip(*moments, strict=True))
    return [
        discriminants(
            (sums.sum(0) - sums[number], totals.sum(0) - totals[number]),
            scatters.sum(0) - scatters[number],
            settings,
        )
        for number in range(folds)
    ]


def _no_moments(classes: int, width: int) -> Moments:
    return torch.zeros(classes, width).double(), torch.zeros(classes).double()


def _add(moments: Moments, probs: Tensor, images: Tensor) -> None:
    """Add a block's images, each to every class with its probability ``probs`` (n, K) as weight."""
    moments[0].add_(probs.T @ images)
    moments[1].add_(probs.sum(0))


def _fitting_temperature(logits: Logits, teacher: SomeProbs, settings: Refinement) -> float:
    """The one of ``TEMPERATURES`` at which these logits predict the teacher best.

    The information is concave in the inverse temperature, so bisection finds it.
    """
    sample = settings.numerics.decision_sample
    some, targets = even_sample(logits, sample), even_sample(teacher, sample)
    low, high = 0, len(TEMPERATURES) - 1
    while low < high:
        middle = (low + high) // 2
        here, next_ = (
            mutual_information(some / TEMPERATURES[step], targets, settings)
            for step in (middle, middle + 1)
        )
        low, high = (middle + 1, high) if here < next_ else (low, middle)
    return float(TEMPERATURES[low])


def mutual_information(student: Logits, teacher: SomeProbs, settings: Refinement) -> float:
    """Nats per image of a teacher's answers (n, K) that a student's log-likelihoods (n, K) predict.

    E[Σ_c t_c (log q_c - log π_c)] with q = softmax(student + log π) and π the teacher's class shares: the variational
    lower bound of the mutual information (Barber, Agakov, NeurIPS 2003), if the student has not seen these images.
    """
    sample = settings.numerics.decision_sample
    some, targets = even_sample(student, sample), even_sample(teacher, sample).float()
    log_shares = targets.mean(0).clamp_min(TINY).log()
    return float((targets * ((some + log_shares).log_softmax(1) - log_shares)).sum(1).mean())
