"""A linear classifier of image embeddings from labels: several in closed form, weighed by their held-out answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from clipgrip.fewshot.members import Member, discriminants, ridges
from clipgrip.fewshot.moments import TINY, Moments, centred, middle_of_classes
from clipgrip.types import ImageEmbeds, Labels, Logits

TEMPERATURES = tuple(2.0 ** (step / 2) for step in range(-14, 13))
"""Factors on a member's logits that are tried; the densities of hundreds of dimensions are far too sure."""


@dataclass(frozen=True)
class HeadSettings:
    """Every number that moves what labels teach; chosen on the sets of benchmarks/few_labels, by its own rows."""

    shrinkages: tuple[float, ...] = (0.1, 0.4, 0.8, 0.95)
    """Of the covariance towards a multiple of the identity: from almost full to nearly nearest class mean."""
    penalties: tuple[float, ...] = (0.1, 1.0)
    """Of ridge regression, in units of the images' mean squared length."""
    first_factor: float = 4.0
    """On the logits of ridge regression where each class has one label, so that none can be held out."""
    evidence: float = 0.25
    """Power of the held-out likelihood in a member's weight: few labels say little of who is best."""
    sample: int = 2000
    """Labels that are held out at most to weigh members; more change no weight."""
    text_weights: tuple[float, ...] = (0.0, 0.06, 0.12, 0.25, 0.5, 0.75, 1.0, 1.4)
    """Factors on the text's logits that the labels choose from; 0: the text says nothing about these images."""
    text_prior: tuple[float, ...] = (0.2, 0.08, 0.08, 0.1, 0.12, 0.14, 0.16, 0.12)
    """How likely each is before a label is seen: one text in five says nothing, the rest are near CLIP's own scale."""
    misnamed: tuple[float, float] = (0.5, 9.5)
    """Beta prior of the share of names that do not fit, as if of ten half a one had been seen not to: with a whole one,
    one of 120 right names of the digits is doubted, and nothing more is found (decision 0081)."""
    foretold: float = 1.4
    """Factor on the text that images of a doubted class foretell: its other images are less like them than they are
    themselves. 1 gains up to 4 points less and 2 up to 3 (ImageNet, half of the names wrong); 0: none is doubted."""
    head_weights: tuple[float, ...] = (0.0, 0.125, 0.25, 0.5, 0.75, 1.0, 1.4)
    head_prior: tuple[float, ...] = (0.05, 0.05, 0.1, 0.2, 0.25, 0.25, 0.1)
    untuned: float = 0.5
    """Share of the untuned text beside the tuned prompt: two images a class of 100 tuned it 5 points worse, and where
    images abound half of it costs nothing."""
    unlabeled: float = 2 / 3
    """Share of a head that learned pseudolabels as well, beside text and labels alone."""
    alone: float = 1.0
    """Weight of a head that learned pseudolabels beside the prompt, where no label teaches: with it new images gain
    half a point to 2 over the prompt alone (digits and surfaces, benchmarks.presets; decision 0033)."""
    half_worth: float = 8.0
    """Pseudolabels a class at which such a head, and among labels the prompt that learned from them, count half; by the
    square, since 3 a class of 100 cost new images 2 points and 15 gain."""
    doubt: float = 2.0
    """Power of a pseudolabel's confidence in the weight with which it teaches such a head; 0: all teach alike."""
    folds: int = 5
    """Of the cross-validation that asks whether unlabeled images help."""
    errors: float = 1.0
    """Standard errors by which unlabeled images must make held-out labels likelier before further rounds are run, or
    less likely, and fewer of them right, before they are left out. Without the first trash drifted by 0.7 to 1.3 points
    (1 to 10 labels), without the second a class at 60 % of the surfaces cost 3 (5 labels; decision 0049)."""

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> HeadSettings:
        """The settings that ``dataclasses.asdict`` or JSON made ``facts`` of.

        Numbers that are missing are today's, but for those that stand for what was not done then.
        """
        facts = {"alone": 0.0, "half_worth": 0.0, "doubt": 0.0, "foretold": 0.0, **facts}
        known = {one.name for one in fields(cls)} & {*facts}
        plain: dict[str, Any] = {name: facts[name] for name in known}
        for name, value in plain.items():
            plain[name] = tuple(value) if isinstance(value, list) else value
        return cls(**plain)


@dataclass(frozen=True)
class Head:
    """Logits over ``classes`` from image embeddings: centred at ``mean`` (D,), unit length, times weights (D, K)."""

    mean: Float[Tensor, " D"] = field(repr=False)
    weights: Float[Tensor, "D K"] = field(repr=False)
    offsets: Float[Tensor, " K"] = field(repr=False)
    classes: Int[Tensor, " K"] = field(repr=False)
    """Positions of the classes that had a label; the head knows no other."""

    def logits(self, image_embeds: ImageEmbeds) -> Logits:
        """(N, K) over the known classes, in float32."""
        parts = [
            centred(part, self.mean) @ self.weights + self.offsets
            for part in image_embeds.split(8192)
        ]
        return torch.cat(parts).float() if parts else torch.zeros(0, len(self.classes))


@dataclass(frozen=True)
class FittedHead:
    """A head and its held-out logits (n, K): what it answers for some of its labels without having seen them."""

    head: Head
    rows: Int[Tensor, " n"] = field(repr=False)
    """Positions of these labels among all; only of classes with at least two."""
    held_out: Logits = field(repr=False)
    members: dict[str, float]
    """The weight of each member."""
    alone_rows: Int[Tensor, " m"] = field(repr=False)
    """Positions of labels that are alone in their class."""
    alone: Float[Tensor, "m K"] = field(repr=False)
    """(m, K) the head's logits for these."""


def fit_head(
    image_embeds: ImageEmbeds,
    labels: Labels,
    n_classes: int,
    *,
    settings: HeadSettings,
    weights: Float[Tensor, " n"] | None = None,
    judges: Bool[Tensor, " n"] | None = None,
) -> FittedHead:
    """From labeled images (n, D) and their classes (n,), of which at least one stands in ``labels``.

    Each teaches ``weights`` times, else once. ``judges`` are those whose held-out answers weigh the members, else all:
    pseudolabels agree with whoever learned them best, right or wrong.
    """
    mean = middle_of_classes(image_embeds, labels)
    moments = Moments.of(image_embeds, labels, n_classes, mean, weights)
    classes = moments.present
    place = torch.zeros(n_classes, dtype=torch.long)
    place[classes] = torch.arange(len(classes))
    rows = _judging(labels, judges, settings.sample)
    some = centred(image_embeds[rows], mean), place[labels[rows]]
    members = [
        *ridges(moments, settings.penalties, *some),
        *discriminants(moments, settings.shrinkages, *some),
    ]
    alone = (labels.bincount()[labels] == 1).nonzero().squeeze(1)[: settings.sample]
    if len(rows) == 0 or len(classes) < 2:
        head = Head(mean, *_sum(members[: len(settings.penalties)], settings), classes)
        nothing = torch.zeros(0, len(classes))
        return FittedHead(head, rows, nothing, {}, alone, head.logits(image_embeds[alone]))
    shares, factors = _weighed(members, some[1], settings)
    weighted = [(s * f, member) for s, f, member in zip(shares, factors, members, strict=True)]
    head = Head(
        mean,
        torch.stack([w * member.weights for w, member in weighted]).sum(0),
        torch.stack([w * member.offsets for w, member in weighted]).sum(0),
        classes,
    )
    held_out = torch.stack([w * member.held_out for w, member in weighted]).sum(0).float()
    named = {m.name: round(s, 4) for m, s in zip(members, shares, strict=True)}
    return FittedHead(head, rows, held_out, named, alone, head.logits(image_embeds[alone]))


def _weighed(
    members: Sequence[Member], labels: Labels, settings: HeadSettings
) -> tuple[list[float], list[float]]:
    """Each member's share, and the factor on its logits."""
    fitted = [_tempered(member, labels) for member in members]
    evidence = torch.tensor([likelihood for _, likelihood in fitted], dtype=torch.float64)
    shares: list[float] = (settings.evidence * evidence).softmax(0).tolist()
    return shares, [factor for factor, _ in fitted]


def _judging(labels: Labels, judges: Bool[Tensor, " n"] | None, most: int) -> Int[Tensor, " m"]:
    """Positions of labels that are held out; only of classes with at least two."""
    several = labels.bincount()[labels] > 1
    rows = (several if judges is None else several & judges).nonzero().squeeze(1)
    return rows[:: max(1, math.ceil(len(rows) / most))]


def _sum(members: Sequence[Member], settings: HeadSettings) -> tuple[Tensor, Tensor]:
    """Where nothing can be held out: the plain mean of the ridges."""
    factor = settings.first_factor / len(members)
    weights = torch.stack([member.weights for member in members]).sum(0)
    offsets = torch.stack([member.offsets for member in members]).sum(0)
    return factor * weights, factor * offsets


def _tempered(member: Member, labels: Labels) -> tuple[float, float]:
    """The factor under which held-out answers are likeliest, and their log-likelihood.

    With one wrong answer more, by the rule of succession: two labels that are answered rightly do not make it sure.
    """
    found = []
    for factor in TEMPERATURES:
        log_probs = (factor * member.held_out).log_softmax(1)
        own = log_probs.gather(1, labels[:, None]).squeeze(1)
        wrong = torch.log1p(-own.exp().clamp_max(1 - TINY)).mean()
        found.append((float(own.sum() + wrong), factor, float(own.sum())))
    _, factor, likelihood = max(found)
    return factor, likelihood
