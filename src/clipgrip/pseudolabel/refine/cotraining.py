"""Each bank of embeddings learns from what the other says of the same images: co-training.

A text errs where its own model's vectors mislead it, so whatever learns from its answers in those vectors repeats its
errors. In an eye's vectors these errors are noise, and a classifier learns what is common to the images of a class
(Blum, Mitchell, COLT 1998). It answers images that it did not learn from, at the temperature at which it foretells its
teacher best: an eye that sees nothing says nothing. What the eye says then teaches the text's own bank in the same way.
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
from clipgrip.pseudolabel.refine.space import PoolImages, Side
from clipgrip.seeds import generator
from clipgrip.types import Logits, SomeProbs

TINY = 1e-12
TEMPERATURES = torch.logspace(-1, 3, 41)
"""Of a teacher's pupil: at the highest it says nothing."""


class Eyes(NamedTuple):
    """What eyes learned from a teacher, of images that they did not learn from."""

    logits: Logits
    nats: float
    """Nats an image that they foretell of the teacher's answers."""
    part: float
    """The same, of all that the teacher tells."""


def cotrained(given: RefineInput) -> Refined:
    """The text at fitting shares, what eyes learned from it, and what the text's bank learned from them.

    Of a pool with columns of eyes in which nobody labeled an image.
    """
    images, settings, own = given.images, given.settings, given.unlabeled_probs
    sample = settings.numerics.decision_sample
    some = PoolImages(even_sample(images.embeds, sample), settings, images.eye_columns)
    text = sinkhorn(own, fitting_shares(some, even_sample(own, sample)), settings)
    answers = _three_views(images, text, _taught(images, text))
    return Refined(given.with_unlabeled(answers), "co-training")


def fitting_shares(images: PoolImages, own: SomeProbs) -> Prior:
    """(K,) equal shares, unless eyes foretell the text as it is, ``own`` (n, K), better; then those that it finds.

    Better is more in nats and more of what it says. Co-training at equal shares must come half the way there by the
    shares of its answers, else only the text sees classes as unequal. Then it goes on while eyes foretell still more.
    """
    settings, shares = images.settings, uniform(own.shape[1])
    text = sinkhorn(own, shares, settings)
    eyes, unbalanced = _taught(images, text), _taught(images, own)
    if unbalanced.nats <= eyes.nats or unbalanced.part <= eyes.part:
        return shares
    least = (eyes.nats + unbalanced.nats) / 2
    for _ in range(settings.numerics.cotraining_rounds):
        found = mean_answer(_three_views(images, text, eyes))
        text = sinkhorn(own, found, settings)
        eyes = _taught(images, text)
        if eyes.nats <= least:
            break
        shares, least = found, eyes.nats
    return shares


def _taught(images: PoolImages, teacher: SomeProbs) -> Eyes:
    logits, settings = learned(images, images.seen_by_eyes, teacher), images.settings
    nats = foretold(logits, teacher, settings)
    some = even_sample(teacher, settings.numerics.decision_sample).float()
    itself = (some.clamp_min(TINY) / some.mean(0).clamp_min(TINY)).log()
    return Eyes(logits, nats, nats / max(TINY, foretold(itself, some, settings)))


def _three_views(images: PoolImages, text: SomeProbs, eyes: Eyes) -> SomeProbs:
    """The text, the eyes, and what the text's bank learns from both; in the place of ``text``."""
    taught = (eyes.logits + mean_answer(text).clamp_min(TINY).log()).softmax(1)
    by_text = learned(images, images.seen_by_text, taught)
    for rows in chunk_slices(len(text)):
        views = text[rows].float().clamp_min(TINY).log() + eyes.logits[rows] + by_text[rows]
        text[rows] = views.softmax(1)
    return text


def learned(images: PoolImages, side: Side, teacher: SomeProbs) -> Logits:
    """(n, K) log-likelihoods of discriminants in one bank, each of an image that they did not learn from."""
    folds = images.settings.numerics.cotraining_folds
    fold = torch.randperm(len(teacher), generator=generator(0, "co-training")) % folds
    fitted = _fitted(images, side, teacher, fold)
    logits = torch.empty(teacher.shape)
    for rows in chunk_slices(len(teacher)):
        seen = images.read(side, rows)
        for number, (directions, offsets) in enumerate(fitted):
            own = fold[rows] == number
            logits[rows][own] = torch.addmm(offsets, seen[own], directions)
    return logits.div_(_fitting_temperature(logits, teacher, images.settings))


def _fitted(
    images: PoolImages, side: Side, teacher: SomeProbs, fold: Int[Tensor, " n"]
) -> list[tuple[Tensor, Tensor]]:
    """Discriminants for each fold, learned from the others; images are read once."""
    settings, width = images.settings, side.stop - side.start
    folds = settings.numerics.cotraining_folds
    moments = [_no_moments(teacher.shape[1], width) for _ in range(folds)]
    scatters = torch.zeros(folds, width, width, dtype=torch.float64)
    for rows in chunk_slices(len(teacher)):
        seen, answers = images.read(side, rows), teacher[rows].float()
        for number in range(folds):
            own = fold[rows] == number
            _count(moments[number], answers[own], seen[own])
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


def _count(moments: Moments, mass: Tensor, images: Tensor) -> None:
    """Add a block's images, each with as much ``mass`` (n, C) to a class as it may be of it."""
    moments[0].add_(mass.T @ images)
    moments[1].add_(mass.sum(0))


def _fitting_temperature(logits: Logits, teacher: SomeProbs, settings: Refinement) -> float:
    """The temperature of ``TEMPERATURES`` at which these foretell the teacher best.

    What they foretell is concave in its inverse, so that each step halves where the best lies.
    """
    sample = settings.numerics.decision_sample
    some, wanted = even_sample(logits, sample), even_sample(teacher, sample)
    low, high = 0, len(TEMPERATURES) - 1
    while low < high:
        middle = (low + high) // 2
        here, next_ = (
            foretold(some / TEMPERATURES[step], wanted, settings) for step in (middle, middle + 1)
        )
        low, high = (middle + 1, high) if here < next_ else (low, middle)
    return float(TEMPERATURES[low])


def foretold(pupil: Logits, teacher: SomeProbs, settings: Refinement) -> float:
    """Nats an image that log-likelihoods (n, K) tell of a teacher's answers beyond the classes' shares.

    A bound of the mutual information of the two (Barber, Agakov, NeurIPS 2003), if the pupil has not seen the images.
    """
    sample = settings.numerics.decision_sample
    some, wanted = even_sample(pupil, sample), even_sample(teacher, sample).float()
    shares = wanted.mean(0).clamp_min(TINY).log()
    return float((wanted * ((some + shares).log_softmax(1) - shares)).sum(1).mean())
