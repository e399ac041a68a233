"""How much each bank of embeddings counts beside the first, from the images alone, or from labels where there are some.

Neighbours in a bank that sees the classes have the same class. The text's sure answers stand for classes nobody
labeled: the share of neighbours that agree in them, with what chance makes taken off (Scott's pi, Public Opinion
Quarterly 1955), is the bank's agreement. A bank in which nothing agrees beyond chance gets no weight, so that noise
costs nothing.

Labels that can be held out say it once more, by the weights under which the labels near them make them likeliest; few
say little, so these are blended with what was likely before. Of the two weights the larger one counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from clipgrip.pseudolabel.refine.chunks import chunk_slices
from clipgrip.pseudolabel.refine.copies import Copies, copies_among
from clipgrip.seeds import generator
from clipgrip.types import Labels, Probs


@dataclass(frozen=True)
class BankSettings:
    """Every number that moves the weight of a bank; chosen on the sets of benchmarks/banks."""

    max_directions: int = 256
    """Principal directions of a bank at most."""
    sample: int = 4000
    """Images at most of which neighbours are compared, and labels."""
    neighbours: int = 3
    """Nearest images, of those with a sure answer, whose answers are compared."""
    label_neighbours: int = 4
    """Nearest labels that are compared at most; one less than an ordinary class has, where that is fewer."""
    shared_neighbours: int = 20
    """The same, where the neighbours of two banks are compared."""
    power: float = 2.0
    """Of the agreement over the first bank's in the weight, where the text's answers tell it."""
    label_power: float = 3.0
    """The same where labels tell it: they do not come from the first bank, so they favour none."""
    most: float = 10.0
    """Weight at most; of the first bank it is 1."""
    least: float = 0.02
    """A smaller weight is none."""
    significance: float = 5.0
    """Standard deviations beyond chance from which a bank counts at all."""
    floor: float = 0.05
    """Added to each agreement, so that a ratio of two small ones says little."""
    few: int = 20
    """Of fewer images noise cannot be told from a bank that sees; then each counts that is not constant."""
    prior_labels: float = 5.0
    """So many labels count as much as what is known without them."""
    tried: tuple[float, ...] = tuple(2.0**step for step in range(-5, 4))
    """Weights under which held-out labels are compared."""
    unread: float = 3.0
    """Weight before labels are asked where the text does not name them: who reads badly mostly sees badly too."""
    spread: float = 1.0
    """Standard deviation of a weight's logarithm before labels are held out."""
    held_out: int = 1000
    """Labels at most that are held out; of their pairs each weight asks every one."""
    sharpness: tuple[float, ...] = tuple(2.0**step for step in range(-2, 8))
    """Factors on the similarity of labels; the one under which they are likeliest is taken."""


DEFAULT = BankSettings()


@dataclass(frozen=True)
class Agreement:
    """How far neighbours agree beyond chance: 1 wholly, 0 as chance has it."""

    beyond_chance: float
    deviations: float
    """Standard deviations from chance."""
    n: int
    """Images whose neighbours were asked."""


NONE = Agreement(0.0, 0.0, 0)
LEAST = 1e-3
"""Of a label's probability, so that one label does not outweigh all others."""


def bank_weights(
    banks: Sequence[Tensor],
    probs: Probs | None,
    labels: Labels | None,
    settings: BankSettings = DEFAULT,
) -> tuple[float, ...]:
    """The weight of each bank (N, ...) of unit vectors, 1 for the first; ``probs`` (N, C) are the text's answers.

    ``labels`` (N,) are people's, -1 elsewhere.
    """
    copies = copies_among(banks[0])
    rows = _different(len(banks[0]), copies, settings)
    some = [bank[rows].float() for bank in banks]
    middle = some[0].mean(0)
    by_text = _by_text(some, None if probs is None else probs[rows], settings)
    given, own = _labeled(banks, labels, copies)
    by_label = _by_labels(given, own, settings)
    seen_first = F.normalize(given[0] - middle, dim=1)
    shared = [_shared(some[0], bank, settings) for bank in some]
    enough = len(rows) >= settings.few
    knows = _knows(probs, labels)
    trusted = enough and by_text[0].n > 0 and knows
    unread = 0.0 if knows or not enough else math.log(settings.unread)
    weights = [1.0]
    for bank in range(1, len(banks)):
        seen = by_text[bank], by_label[bank], shared[bank]
        clear = max(one.deviations for one in seen) >= settings.significance
        if not some[bank].shape[1] or (enough and not clear):
            weights.append(0.0)
            continue
        before = settings.power * _ratio(by_text[bank], by_text[0], settings) if trusted else unread
        of_labels = settings.label_power * _ratio(by_label[bank], by_label[0], settings)
        n, prior = by_label[0].n, settings.prior_labels
        agreed = (n * of_labels + prior * before) / (n + prior)
        weight = math.exp(max(agreed, _likeliest(seen_first, given[bank], own, before, settings)))
        weights.append(0.0 if weight < settings.least else min(weight, settings.most))
    return tuple(weights)


def _different(images: int, copies: Copies | None, settings: BankSettings) -> Tensor:
    """Rows of the images that are compared, each image once.

    In an order of chance: among equal similarities the first counts, and rows may stand class by class.
    """
    rows = torch.arange(images) if copies is None else copies.first
    order = torch.randperm(len(rows), generator=generator(0, "banks"))
    return rows[order[: settings.sample]]


def _by_text(
    banks: Sequence[Tensor], probs: Probs | None, settings: BankSettings
) -> list[Agreement]:
    """Of the surer half of the text's answers, a bank each."""
    if probs is None or not len(probs):
        return [NONE] * len(banks)
    confidence, answers = probs.max(1)
    sure = confidence >= confidence.median()
    return [_agreement(bank[sure], answers[sure], settings.neighbours) for bank in banks]


def _labeled(
    banks: Sequence[Tensor], labels: Labels | None, copies: Copies | None
) -> tuple[list[Tensor], Tensor]:
    """The labeled rows of each bank and their labels (n,), in an order of chance; of copies one counts."""
    if labels is None:
        return [bank[:0] for bank in banks], torch.zeros(0, dtype=torch.long)
    rows = torch.arange(len(labels)) if copies is None else copies.representatives(labels >= 0)
    rows = rows[labels[rows] >= 0]
    rows = rows[torch.randperm(len(rows), generator=generator(0, "banks"))]
    return [bank[rows].float() for bank in banks], labels[rows]


def _by_labels(banks: Sequence[Tensor], labels: Labels, settings: BankSettings) -> list[Agreement]:
    """Of labels (n,) whose class has at least two, a bank each.

    As many neighbours are asked as a class has other labels: of the nearest alone chance says too much.
    """
    counts = torch.bincount(labels)
    rows = (counts[labels] > 1).nonzero().squeeze(1)[: settings.sample]
    others = int(counts[counts > 1].median()) - 1 if len(rows) else 1
    asked = min(others, settings.label_neighbours)
    return [_agreement(bank[rows], labels[rows], asked) for bank in banks]


def _likeliest(
    first: Tensor, bank: Tensor, labels: Labels, before: float, settings: BankSettings
) -> float:
    """The mean log weight of a bank (n, E) beside the first (n, D) once labels (n,) were held out; -inf where none can.

    Each is answered by all others, the more the nearer they are. The first bank is seen from its mean; ``before`` is
    the likeliest log weight without labels.
    """
    labels = labels[: settings.held_out]
    asked = torch.bincount(labels)[labels] > 1
    if not bool(asked.any()):
        return -math.inf
    others = F.one_hot(labels).float()
    logs = torch.tensor(settings.tried).log()
    one, other = (rows[: len(labels)] @ rows[: len(labels)].T for rows in (first, bank))
    found = []
    for weight in settings.tried:
        alike = ((one + weight * other) / (1 + weight)).fill_diagonal_(-torch.inf)[asked]
        named = ((factor * alike).softmax(1) @ others for factor in settings.sharpness)
        own = (each.gather(1, labels[asked, None]).clamp_min(LEAST) for each in named)
        found.append(max(float(each.log().sum()) for each in own))
    likelihoods = torch.tensor(found) - 0.5 * ((logs - before) / settings.spread).square()
    return float(likelihoods.softmax(0) @ logs)


def _shared(first: Tensor, bank: Tensor, settings: BankSettings) -> Agreement:
    """How many of an image's neighbours in the first bank are its neighbours in the other: of noise, chance's share."""
    n = len(first)
    k = min(settings.shared_neighbours, n // 4)
    if k < 1 or not bank.shape[1]:
        return NONE
    one, other = nearest(first, k), nearest(bank, k)
    same = (one[:, :, None] == other[:, None, :]).any(2).double().mean()
    return _beyond(float(same), k / (n - 1), n, k)


def _agreement(images: Tensor, labels: Labels, neighbours: int) -> Agreement:
    """Of the labels (n,) of neighbours among images (n, D)."""
    n, counts = len(labels), torch.bincount(labels).double()
    k = min(neighbours, n - 1)
    if k < 1 or not images.shape[1]:
        return NONE
    same = (labels[nearest(images, k)] == labels[:, None]).double().mean()
    chance = float((counts * (counts - 1)).sum()) / (n * (n - 1))
    return _beyond(float(same), chance, n, k)


def _beyond(same: float, chance: float, n: int, neighbours: int) -> Agreement:
    """Of the share of ``n`` images' neighbours that are the same, or share a label, where chance has ``chance``."""
    if chance >= 1:
        return NONE
    # two that are neighbours are so for each other, so half of the pairs say something new
    pairs = max(n, n * neighbours // 2)
    deviation = math.sqrt(max(chance, 1 / n) * (1 - chance) / pairs)
    return Agreement((same - chance) / (1 - chance), (same - chance) / deviation, n)


def nearest(images: Tensor, k: int) -> Tensor:
    """(n, k) rows of the nearest others by cosine, of unit vectors (n, D)."""
    found = []
    for rows in chunk_slices(len(images)):
        similar = images[rows] @ images.T
        similar.diagonal(rows.start).fill_(-torch.inf)
        found.append(similar.topk(k, dim=1).indices)
    return torch.cat(found)


def _knows(probs: Probs | None, labels: Labels | None) -> bool:
    """Whether the text names the labels better than chance; without labels it is believed."""
    if probs is None or labels is None or not bool((labels >= 0).any()):
        return True
    given = labels >= 0
    n, chance = int(given.sum()), 1 / probs.shape[1]
    right = float((probs[given].argmax(1) == labels[given]).double().sum())
    return right - n * chance > 2 * math.sqrt(n * chance * (1 - chance))


def _ratio(other: Agreement, first: Agreement, settings: BankSettings) -> float:
    """The log of one agreement over the other."""
    one, two = (settings.floor + max(0.0, each.beyond_chance) for each in (other, first))
    return math.log(one / two)
