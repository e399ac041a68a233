"""The weight of each bank of embeddings against the first bank, estimated from the images, and from labels if any.

If a bank tells the classes apart, neighbours in it have the same class. How often they do beyond chance (Scott's pi,
Public Opinion Quarterly 1955) is the bank's agreement. It is measured three ways: on the text's more confident answers
in the place of labels, on labels, and on whether neighbours in the first bank are neighbours in this one. A bank that
agrees by none of them significantly gets weight 0, so that a bank of noise costs nothing.

The others get the larger of two weights: one from the ratio of their agreement to the first bank's (text and labels
averaged), one from the likelihood of held-out labels under a soft nearest-neighbour classifier (`_held_out_weight`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from clipgrip.pseudolabel.nearest import nearest_rows
from clipgrip.pseudolabel.refine.copies import Copies, copies_among
from clipgrip.seeds import generator
from clipgrip.types import Labels, Probs


@dataclass(frozen=True)
class BankSettings:
    """Every number that moves the weight of a bank; chosen on the sets of benchmarks/banks."""

    max_directions: int = 256
    """Most principal directions of a bank that are kept."""
    sample: int = 4000
    """Most images, and most labels, whose neighbours are looked up."""
    neighbours: int = 3
    """Nearest images whose answers are compared, among those with a confident answer."""
    label_neighbours: int = 4
    """Most nearest labeled images whose labels are compared; fewer where the median class has fewer other labels."""
    shared_neighbours: int = 20
    """Nearest images of two banks that are compared with each other."""
    power: float = 2.0
    """The weight is (agreement / the first bank's agreement) to this power, by the text's answers."""
    label_power: float = 3.0
    """The same power by labels, which do not come from the first bank and so do not favour it."""
    most: float = 10.0
    """Largest weight; the first bank's is 1."""
    least: float = 0.02
    """A smaller weight is set to 0."""
    significance: float = 5.0
    """Standard deviations of agreement beyond chance that a bank needs to count at all."""
    floor: float = 0.05
    """Added to each agreement, so that the ratio of two small ones stays near 1."""
    few: int = 20
    """With fewer images noise cannot be told from a useful bank; then every bank counts that is not constant."""
    prior_labels: float = 5.0
    """The text's answers count as much as so many labels."""
    tried: tuple[float, ...] = tuple(2.0**step for step in range(-5, 4))
    """Weights that held-out labels are scored under."""
    unread: float = 3.0
    """Prior weight where the text names the labels no better than chance: the first bank is of the same model, which
    then mostly tells the images apart badly, too."""
    spread: float = 1.0
    """Standard deviation of the normal prior of a weight's logarithm, before labels are held out."""
    held_out: int = 1000
    """Most labels that are held out; every pair of them is compared for each weight."""
    sharpness: tuple[float, ...] = tuple(2.0**step for step in range(-2, 8))
    """Factors on the similarity that are tried; the one under which the held-out labels are likeliest is taken."""


DEFAULT = BankSettings()


@dataclass(frozen=True)
class Agreement:
    """How far neighbours agree beyond chance: 1 always, 0 as often as by chance."""

    beyond_chance: float
    deviations: float
    """The same in standard deviations."""
    n: int
    """Images whose neighbours were compared."""


NONE = Agreement(0.0, 0.0, 0)
MIN_PROB = 1e-3
"""Lower bound of a held-out label's probability, so that one wrong label does not outweigh all others."""


def bank_weights(
    banks: Sequence[Tensor],
    probs: Probs | None,
    labels: Labels | None,
    settings: BankSettings = DEFAULT,
) -> tuple[float, ...]:
    """The weight of each bank of unit vectors (N, ...), 1 for the first, from which the text answers ``probs`` (N, C).

    ``labels`` (N,) are people's, -1 elsewhere.
    """
    copies = copies_among(banks[0])
    rows = _sampled(len(banks[0]), copies, settings)
    sample = [bank[rows].float() for bank in banks]
    by_text = _by_text(sample, None if probs is None else probs[rows], settings)
    shared = [_shared(sample[0], bank, settings) for bank in sample]
    labeled, own_labels = _labeled(banks, labels, copies)
    by_label = _by_labels(labeled, own_labels, settings)
    centred_first = F.normalize(labeled[0] - sample[0].mean(0), dim=1)
    enough = len(rows) >= settings.few
    text_fits = _text_beats_chance(probs, labels)
    has_text = enough and by_text[0].n > 0 and text_fits
    without_text = 0.0 if text_fits or not enough else math.log(settings.unread)
    weights = [1.0]
    for bank in range(1, len(banks)):
        agreements = by_text[bank], by_label[bank], shared[bank]
        clear = max(one.deviations for one in agreements) >= settings.significance
        if not sample[bank].shape[1] or (enough and not clear):
            weights.append(0.0)
            continue
        of_text = settings.power * _log_ratio(by_text[bank], by_text[0], settings)
        prior = of_text if has_text else without_text
        of_labels = settings.label_power * _log_ratio(by_label[bank], by_label[0], settings)
        n, prior_n = by_label[0].n, settings.prior_labels
        averaged = (n * of_labels + prior_n * prior) / (n + prior_n)
        held_out = _held_out_weight(centred_first, labeled[bank], own_labels, prior, settings)
        weight = math.exp(max(averaged, held_out))
        weights.append(0.0 if weight < settings.least else min(weight, settings.most))
    return tuple(weights)


def _sampled(images: int, copies: Copies | None, settings: BankSettings) -> Tensor:
    """Rows of the images that are compared, each distinct image once.

    In random order: of equal similarities the first row wins, and files often stand class by class.
    """
    rows = torch.arange(images) if copies is None else copies.first
    order = torch.randperm(len(rows), generator=generator(0, "banks"))
    return rows[order[: settings.sample]]


def _by_text(
    banks: Sequence[Tensor], probs: Probs | None, settings: BankSettings
) -> list[Agreement]:
    """Each bank's agreement with the more confident half of the text's answers (n, C)."""
    if probs is None or not len(probs):
        return [NONE] * len(banks)
    confidence, answers = probs.max(1)
    sure = confidence >= confidence.median()
    return [_agreement(bank[sure], answers[sure], settings.neighbours) for bank in banks]


def _labeled(
    banks: Sequence[Tensor], labels: Labels | None, copies: Copies | None
) -> tuple[list[Tensor], Tensor]:
    """The labeled rows of each bank and their labels (n,), in random order; of copies only one counts."""
    if labels is None:
        return [bank[:0] for bank in banks], torch.zeros(0, dtype=torch.long)
    rows = torch.arange(len(labels)) if copies is None else copies.representatives(labels >= 0)
    rows = rows[labels[rows] >= 0]
    rows = rows[torch.randperm(len(rows), generator=generator(0, "banks"))]
    return [bank[rows].float() for bank in banks], labels[rows]


def _by_labels(banks: Sequence[Tensor], labels: Labels, settings: BankSettings) -> list[Agreement]:
    """Each bank's agreement on labels (n,), over classes with at least two.

    As many neighbours are compared as the median class has other labels: the nearest one alone depends too much on
    chance, and more cannot all be of the same class.
    """
    counts = torch.bincount(labels)
    rows = (counts[labels] > 1).nonzero().squeeze(1)[: settings.sample]
    others = int(counts[counts > 1].median()) - 1 if len(rows) else 1
    neighbours = min(others, settings.label_neighbours)
    return [_agreement(bank[rows], labels[rows], neighbours) for bank in banks]


def _held_out_weight(
    first: Tensor, bank: Tensor, labels: Labels, prior: float, settings: BankSettings
) -> float:
    """The posterior mean of the log weight of a bank (n, E) beside the first (n, D); -inf if no class has two labels.

    The likelihood is that of labels (n,), each held out and answered by all others with softmax(sharpness · similarity)
    as in neighbourhood components analysis (Goldberger et al., NeurIPS 2004). The prior is normal around ``prior``.
    """
    labels = labels[: settings.held_out]
    several = torch.bincount(labels)[labels] > 1
    if not bool(several.any()):
        return -math.inf
    one_hot = F.one_hot(labels).float()
    log_weights = torch.tensor(settings.tried).log()
    in_first, in_bank = (rows[: len(labels)] @ rows[: len(labels)].T for rows in (first, bank))
    found = []
    for weight in settings.tried:
        similar = ((in_first + weight * in_bank) / (1 + weight)).fill_diagonal_(-torch.inf)[several]
        answers = ((factor * similar).softmax(1) @ one_hot for factor in settings.sharpness)
        own = (each.gather(1, labels[several, None]).clamp_min(MIN_PROB) for each in answers)
        found.append(max(float(each.log().sum()) for each in own))
    log_prior = -0.5 * ((log_weights - prior) / settings.spread).square()
    return float((torch.tensor(found) + log_prior).softmax(0) @ log_weights)


def _shared(first: Tensor, bank: Tensor, settings: BankSettings) -> Agreement:
    """The agreement of two banks (n, ...) on which images are neighbours; a bank of noise agrees as chance has it."""
    n = len(first)
    k = min(settings.shared_neighbours, n // 4)
    if k < 1 or not bank.shape[1]:
        return NONE
    in_first, in_bank = nearest_rows(first, k), nearest_rows(bank, k)
    same = (in_first[:, :, None] == in_bank[:, None, :]).any(2).double().mean()
    return _beyond_chance(float(same), k / (n - 1), n, k)


def _agreement(images: Tensor, labels: Labels, neighbours: int) -> Agreement:
    """The agreement of the nearest images' labels (n,) with the image's own, among images (n, D)."""
    n, counts = len(labels), torch.bincount(labels).double()
    k = min(neighbours, n - 1)
    if k < 1 or not images.shape[1]:
        return NONE
    same = (labels[nearest_rows(images, k)] == labels[:, None]).double().mean()
    chance = float((counts * (counts - 1)).sum()) / (n * (n - 1))
    return _beyond_chance(float(same), chance, n, k)


def _beyond_chance(same: float, chance: float, n: int, neighbours: int) -> Agreement:
    """The agreement of ``n`` images of whose neighbours a share ``same`` agrees, and ``chance`` would by chance."""
    if chance >= 1:
        return NONE
    # neighbours are mostly mutual, so only half of the pairs are independent
    pairs = max(n, n * neighbours // 2)
    deviation = math.sqrt(max(chance, 1 / n) * (1 - chance) / pairs)
    return Agreement((same - chance) / (1 - chance), (same - chance) / deviation, n)


def _text_beats_chance(probs: Probs | None, labels: Labels | None) -> bool:
    """Whether the text is right on the labels significantly more often than chance; True without labels or text."""
    if probs is None or labels is None or not bool((labels >= 0).any()):
        return True
    has_label = labels >= 0
    n, chance = int(has_label.sum()), 1 / probs.shape[1]
    right = float((probs[has_label].argmax(1) == labels[has_label]).double().sum())
    return right - n * chance > 2 * math.sqrt(n * chance * (1 - chance))


def _log_ratio(other: Agreement, first: Agreement, settings: BankSettings) -> float:
    """Log of one agreement over the other, both with ``floor`` added."""
    one, two = (settings.floor + max(0.0, each.beyond_chance) for each in (other, first))
    return math.log(one / two)
