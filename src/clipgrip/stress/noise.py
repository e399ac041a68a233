"""Answers that are wrong in a known share of the rows, in a known way."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from clipgrip.types import Labels, Probs

Kind = Callable[[Probs, Labels, torch.Generator], Labels]
"""Answers (N, C), truth (N,) -> a class (N,) to be wrong with; the truth where a row cannot be."""


def noisy_answers(
    probs: Probs, truth: Labels, rate: float, kind: str, generator: torch.Generator
) -> Probs:
    """Answers (N, C) whose best class is the truth, but for ``rate`` of the rows.

    Real answers with two probabilities of a row exchanged, so confidence is the model's own. As models do, these err
    more often where little was given to the truth: a row is drawn with odds of 1 minus that (Efraimidis and Spirakis,
    2006). Fewer are wrong where fewer can be: a class that swallows others is never wrong about its own images.
    """
    wrong = KINDS[kind](probs, truth, generator)
    best = probs.argmax(dim=1)
    right = exchanged(probs, best, truth)
    sure = probs.gather(1, truth[:, None]).squeeze(1).double()
    odds = (1 - sure).clamp_min(0.01)
    drawn = torch.rand(len(truth), generator=generator, dtype=torch.double)
    keys = (drawn.clamp_min(1e-12).log() / odds).masked_fill(wrong == truth, -torch.inf)
    count = min(round(rate * len(truth)), int((wrong != truth).sum()))
    rows = keys.argsort(descending=True, stable=True)[:count]
    label = truth.clone()
    label[rows] = wrong[rows]
    return exchanged(right, truth, label)


def exchanged(probs: Probs, first: Labels, second: Labels) -> Probs:
    """Each row with the probabilities of two classes exchanged."""
    swapped = probs.clone()
    rows = torch.arange(len(probs))
    swapped[rows, first], swapped[rows, second] = probs[rows, second], probs[rows, first]
    return swapped


def uniform(probs: Probs, truth: Labels, generator: torch.Generator) -> Labels:
    """Any other class, each as likely."""
    classes = probs.shape[1]
    if classes < 2:
        return truth
    step = torch.randint(1, classes, truth.shape, generator=generator)
    return (truth + step) % classes


def pairs(probs: Probs, truth: Labels, generator: torch.Generator) -> Labels:
    """The class that the model takes the row's class for most: scratches for cracks, threes for eights."""
    return taken_for(probs, truth).argmax(dim=1)[truth] if probs.shape[1] > 1 else truth


def swallowed(probs: Probs, truth: Labels, generator: torch.Generator) -> Labels:
    """The one class that the model gives most of other classes' images to."""
    if probs.shape[1] < 2:
        return truth
    return taken_for(probs, truth).sum(dim=0).argmax().expand_as(truth)


def taken_for(probs: Probs, truth: Labels) -> Tensor:
    """(C, C) mean probability of each other class (column) over the rows of a class; 0 for its own."""
    belongs = F.one_hot(truth, probs.shape[1]).to(probs.dtype)
    mean = (belongs.T @ probs) / belongs.sum(dim=0).clamp_min(1)[:, None]
    return mean.fill_diagonal_(0.0)


KINDS: dict[str, Kind] = {"uniform": uniform, "pairs": pairs, "swallowed": swallowed}
