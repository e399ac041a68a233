"""Rules of selection that are no better than those of the presets (docs/decisions/0012, 0013)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.research.losses import LOSSES as OTHER_LOSSES
from clipgrip.pseudolabel.nearest import nearest_rows
from clipgrip.pseudolabel.select import SELECTORS
from clipgrip.pseudolabel.select.chosen import Chosen, Selector, at_temperature, narrowed
from clipgrip.pseudolabel.select.top import rank_within
from clipgrip.task import Task
from clipgrip.training.loss import LOSSES
from clipgrip.types import ImageEmbeds, Probs

FIXMATCH = 0.95
"""The confidence from which `threshold` chooses an image."""
NEIGHBOURS = 8


def own_best_class(probs: Probs, k: int, _: float = 1.0) -> Chosen:
    """The ``k`` most confident images of each class, each image for its most probable class only.

    The pseudolabels are pure, but a class that is the answer for few images stays short of ``k``.
    """
    return surest(probs, k, probs.max(dim=1).values)


def margin(probs: Probs, k: int, _: float = 1.0) -> Chosen:
    """The ``k`` images of each class with the largest margin between their two most probable classes.

    Source: margin sampling (Scheffer, Decomain, Wrobel, IDA 2001), the other way round. Unlike the confidence, the
    margin stays small for an image between two classes however improbable all others are.
    """
    if probs.shape[1] < 2:
        return own_best_class(probs, k)
    first, second = probs.topk(2, dim=1).values.unbind(dim=1)
    return surest(probs, k, first - second)


def surest(probs: Probs, k: int, score: Tensor, trusted: Tensor | None = None) -> Chosen:
    """The ``k`` rows of each class with the highest ``score`` (N,), each row for its most probable class.

    Only rows that ``trusted`` (N,) marks, where it is given.
    """
    confidence, labels = probs.max(dim=1)
    order = score.argsort(descending=True, stable=True)
    if trusted is not None:
        order = order[trusted[order]]
    rank = rank_within(labels[order], probs.shape[1])
    rows = order[rank < k].sort().values
    return Chosen(rows, labels[rows], confidence[rows])


def threshold(probs: Probs, k: int, temperature: float = 1.0) -> Chosen:
    """One threshold on the calibrated confidence for all classes.

    Source: Sohn et al., FixMatch, NeurIPS 2020 (arXiv 2001.07685), and its constant. The temperature
    calibrates; without labels it is 1, and the threshold is on CLIP's own confidence.
    """
    confidence, _ = at_temperature(probs, temperature).max(dim=1)
    return surest(probs, k, confidence, confidence >= FIXMATCH)


def class_threshold(probs: Probs, k: int, temperature: float = 1.0) -> Chosen:
    """A threshold for each class, lower for classes that are answered less or with less confidence.

    τ(c) = p̃(c) / max p̃ · τ, with τ the mean confidence of all rows and p̃ their mean probabilities.
    Source: Wang et al., FreeMatch, ICLR 2023 (arXiv 2205.07246), self-adaptive thresholds; exact means over the pool
    stand in the place of its moving averages over batches. FlexMatch (arXiv 2110.08263) has the same aim by counting.
    """
    calibrated = at_temperature(probs, temperature)
    confidence, labels = calibrated.max(dim=1)
    if not len(probs):
        return surest(probs, k, confidence)
    mean = calibrated.mean(dim=0)
    thresholds = mean / mean.max() * confidence.mean()
    return surest(probs, k, confidence, confidence >= thresholds[labels])


def candidate_sets(probs: Probs, k: int, temperature: float = 1.0) -> Chosen:
    """Several candidate classes per image, for at most ``k`` images with the same best candidate.

    Within an image: its most probable classes until their probabilities sum to the median confidence of all images, so
    a confident image keeps one class and a doubtful one several. Within a class: the most probable 2/C of the images,
    twice its fair share. A class is a candidate where both say so; an image without one is left out. Targets are the
    probabilities of the candidates, normalised, for ``partial_label`` as for any other loss.
    Source: Zhang, Wei, Liu, Feng, Candidate Pseudolabel Learning, ICML 2024 (arXiv 2406.10502): intra- and
    inter-instance selection. There both quantiles are tuned for each data set; here they are fixed.
    """
    if not len(probs):
        return surest(probs, k, probs.new_zeros(0))
    calibrated = at_temperature(probs, temperature)
    median = calibrated.max(dim=1).values.median()
    sets = within_images(calibrated, median) & within_classes(calibrated)
    among = calibrated.clamp_min(1e-30).where(sets, 0.0)
    best = among.max(dim=1).values
    chosen = surest(among, k, best, sets.any(dim=1))
    targets = among[chosen.rows]
    return chosen._replace(targets=targets / targets.sum(dim=1, keepdim=True))


def within_images(probs: Probs, enough: Tensor) -> Tensor:
    """(N, C) the fewest most probable classes of each image whose probabilities sum to ``enough``."""
    surest_first, order = probs.sort(dim=1, descending=True, stable=True)
    before = surest_first.cumsum(dim=1) - surest_first
    needed = before < enough
    needed[:, 0] = True
    return torch.zeros_like(needed).scatter(1, order, needed)


def within_classes(probs: Probs) -> Tensor:
    """(N, C) the share 2/C of the images with the highest probability for each class."""
    rows, classes = probs.shape
    share = min(rows, -(-2 * rows // classes))
    order = probs.argsort(dim=0, descending=True, stable=True)[:share]
    return torch.zeros(rows, classes, dtype=torch.bool).scatter(0, order, True)


def neighbours(
    probs: Probs, k: int, image_embeds: ImageEmbeds, nearest: int = NEIGHBOURS
) -> Chosen:
    """Images of which most ``nearest`` images (cosine) have the same answer, ranked by these images' mean probability.

    Source: the k-NN vote on noisy labels (Bahri, Jiang, Gupta, ICML 2020, arXiv 2004.12289).
    """
    if len(probs) < 2:
        return own_best_class(probs, k)
    labels = probs.argmax(dim=1)
    near = nearest_rows(image_embeds, min(nearest, len(probs) - 1))
    agreeing = (labels[near] == labels[:, None]).double().mean(dim=1)
    vote = probs[near, labels[:, None]].mean(dim=1)
    return surest(probs, k, vote, agreeing > 0.5)


def models(probs: Probs, k: int, votes: Sequence[Probs]) -> Chosen:
    """Images that all models answer alike, ranked by the geometric mean of their confidence; ``votes`` (N, C) each.

    Models that learned from the same images make the same errors, so their agreement proves less than it seems. Source:
    co-training's agreement (Blum and Mitchell, COLT 1998).
    """
    labels = probs.argmax(dim=1)
    alike = torch.ones(len(probs), dtype=torch.bool)
    score = _log_confidence(probs, labels)
    for vote in votes:
        alike &= vote.argmax(dim=1) == labels
        score = score + _log_confidence(vote, labels)
    return surest(probs, k, score, alike)


def rounds() -> Selector:
    """Images whose answer is the same as in the round before, ranked by confidence; any image in the first round.

    What is returned remembers the answers of its last call, so it is for the rounds of one run.
    """
    before: list[Probs] = []

    def select(probs: Probs, k: int, _: float = 1.0) -> Chosen:
        confidence, labels = probs.max(dim=1)
        same = before.pop().argmax(dim=1) == labels if before else None
        before.append(probs)
        return surest(probs, k, confidence, same)

    return select


def _log_confidence(probs: Probs, labels: Tensor) -> Tensor:
    right = probs.gather(1, labels[:, None]).squeeze(1)
    return right.clamp_min(torch.finfo(probs.dtype).tiny).log()


@dataclass(frozen=True)
class Known:
    """What some rules know of the rows besides the answers: of the unlabeled rows and candidate classes of a task."""

    image_embeds: ImageEmbeds | None = None
    """(N, D), for "neighbours"."""
    votes: tuple[Probs, ...] = ()
    """(N, C) answers of other models, for "models"."""
    temperature: float = 1.0
    """Calibrates confidence in every round, for the thresholds."""

    @classmethod
    def of(
        cls, task: Task, image_embeds: ImageEmbeds, votes: Sequence[Probs], temperature: float
    ) -> Known:
        """From the whole pool's embeddings and votes."""
        rows, classes = task.unlabeled, task.candidate_classes
        votes = tuple(narrowed(vote, rows, classes) for vote in votes)
        return cls(image_embeds[rows], votes, temperature)


NOTHING = Known()


def rules(known: Known) -> dict[str, Selector]:
    """All rules by name for one run; those that need more than is ``known`` are left out."""
    found: dict[str, Selector] = {
        "own-best-class": own_best_class,
        "margin": margin,
        "threshold": lambda probs, k, _=1.0: threshold(probs, k, known.temperature),
        "class-threshold": lambda probs, k, _=1.0: class_threshold(probs, k, known.temperature),
    }
    if (embeds := known.image_embeds) is not None:
        found["neighbours"] = lambda probs, k, _=1.0: neighbours(probs, k, embeds)
    if known.votes:
        found["models"] = lambda probs, k, _=1.0: models(probs, k, known.votes)
    return found | {"rounds": rounds(), "candidate-sets": candidate_sets}


def register(known: Known = NOTHING) -> None:
    """Let `Method` and `Recipe` take all these rules and losses by name; the rules are for one run."""
    SELECTORS.update(rules(known))
    LOSSES.update(OTHER_LOSSES)
