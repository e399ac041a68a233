"""A linear classifier of image embeddings, fitted to labels: closed-form members, weighted by held-out likelihood."""

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
"""Factors on a member's logits that are tried: densities in hundreds of dimensions are far too confident."""


@dataclass(frozen=True)
class HeadSettings:
    """Every number that moves what labels teach, chosen on the sets of benchmarks/few_labels."""

    shrinkages: tuple[float, ...] = (0.1, 0.4, 0.8, 0.95)
    """Shrinkages of the discriminants' covariance: from almost full to almost the nearest class mean."""
    penalties: tuple[float, ...] = (0.1, 1.0)
    """Penalties of ridge regression, in units of the images' mean squared length."""
    first_factor: float = 4.0
    """Factor on the logits of ridge regression where each class has one label, so that none can be held out."""
    evidence: float = 0.25
    """A member's weight is its held-out likelihood to this power: with few labels the best one is uncertain."""
    sample: int = 2000
    """Most labels that are held out to weight the members; more change no weight."""
    text_weights: tuple[float, ...] = (0.0, 0.06, 0.12, 0.25, 0.5, 0.75, 1.0, 1.4)
    """Factors on the text's logits that the labels choose from; 0 leaves the text out."""
    text_prior: tuple[float, ...] = (0.2, 0.08, 0.08, 0.1, 0.12, 0.14, 0.16, 0.12)
    """Prior probability of each: one text in five says nothing, the others are near CLIP's own scale."""
    misnamed: tuple[float, float] = (0.5, 9.5)
    """Beta prior of the share of names that do not fit, as if half a one of ten had been seen not to. With a whole one
    in ten, one of 120 right names of the digits is doubted, and nothing more is found (decision 0081)."""
    foretold: float = 1.4
    """Factor on the text logits that labeled images predict for a misnamed class: its other images are less like these
    than they are like themselves. 1 gains up to 4 points less and 2 up to 3 less (ImageNet, half of the names wrong);
    0 doubts no name."""
    head_weights: tuple[float, ...] = (0.0, 0.125, 0.25, 0.5, 0.75, 1.0, 1.4)
    """Factors on the head's log-probabilities that the labels choose from."""
    head_prior: tuple[float, ...] = (0.05, 0.05, 0.1, 0.2, 0.25, 0.25, 0.1)
    """Prior probability of each."""
    untuned: float = 0.5
    """Share of the untuned class embeddings in the mean with the tuned ones. With two images per class of 100 tuning
    made them 5 points worse; with many images half of the untuned costs nothing."""
    unlabeled: float = 2 / 3
    """Share of a head that also learned pseudolabels, in the mean with text and labels."""
    alone: float = 1.0
    """Weight of a head of pseudolabels beside the prompt, where there are no labels: with it new images gain half a
    point to 2 over the prompt alone (digits and surfaces, benchmarks.presets; decision 0033)."""
    half_worth: float = 8.0
    """Pseudolabels per class, n, at which such a head counts half, and so does a prompt tuned on them where there are
    labels too: n² / (n² + half_worth²). With 100 classes 3 per class cost new images 2 points, and 15 gain."""
    doubt: float = 2.0
    """A pseudolabel's weight in such a head is its confidence to this power; with 0 all weigh the same."""
    folds: int = 5
    """Folds of the cross-validation that asks whether unlabeled images help."""
    errors: float = 1.0
    """Standard errors by which unlabeled images must make held-out labels likelier before further rounds are run; or
    less likely, with fewer of them right, before they are left out. Without the first, trash drifted by 0.7 to 1.3
    points (1 to 10 labels); without the second, a class at 60 % of the surfaces cost 3 (5 labels; decision 0049)."""

    lost: float = 0.05
    """Most of the pool's images that classes may take which cannot occur in it, as somebody said (decision 0090)."""

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> HeadSettings:
        """The settings that ``dataclasses.asdict`` or JSON made ``facts`` of, perhaps in another version.

        Missing numbers get today's default, or 0 where an older version did not have the step that they belong to.
        """
        facts = {"alone": 0.0, "half_worth": 0.0, "doubt": 0.0, "foretold": 0.0, **facts}
        known = {one.name for one in fields(cls)} & {*facts}
        plain: dict[str, Any] = {name: facts[name] for name in known}
        for name, value in plain.items():
            plain[name] = tuple(value) if isinstance(value, list) else value
        return cls(**plain)


@dataclass(frozen=True)
class Head:
    """Logits over ``classes``: embeddings centred at ``mean`` (D,), normalised, times ``weights`` + ``offsets``."""

    mean: Float[Tensor, " D"] = field(repr=False)
    weights: Float[Tensor, "D K"] = field(repr=False)
    offsets: Float[Tensor, " K"] = field(repr=False)
    classes: Int[Tensor, " K"] = field(repr=False)
    """The K classes that had a label; the head knows no other."""

    def logits(self, image_embeds: ImageEmbeds) -> Logits:
        """(N, K) over the known classes, in float32."""
        parts = [
            centred(part, self.mean) @ self.weights + self.offsets
            for part in image_embeds.split(8192)
        ]
        return torch.cat(parts).float() if parts else torch.zeros(0, len(self.classes))


@dataclass(frozen=True)
class FittedHead:
    """A head, with its held-out logits (n, K): its answers for some of its labels as if these had not been given."""

    head: Head
    rows: Int[Tensor, " n"] = field(repr=False)
    """Positions of these labels among all; only of classes with at least two."""
    held_out: Logits = field(repr=False)
    members: dict[str, float]
    """The weight of each member, by its name."""
    single_rows: Int[Tensor, " m"] = field(repr=False)
    """Positions of labels that are the only one of their class: these cannot be held out."""
    single_logits: Float[Tensor, "m K"] = field(repr=False)
    """The head's logits for these."""


def fit_head(
    image_embeds: ImageEmbeds,
    labels: Labels,
    n_classes: int,
    *,
    settings: HeadSettings,
    weights: Float[Tensor, " n"] | None = None,
    judges: Bool[Tensor, " n"] | None = None,
) -> FittedHead:
    """Fit a head to labeled images (n, D) and their classes (n,), at least one.

    Args:
        image_embeds: rows of labeled images.
        labels: their classes, none -1.
        n_classes: C, of all classes, with labels or without.
        settings: every number of it.
        weights: of each image; 1 by default.
        judges: images whose held-out answers weight the members; all by default. Pseudolabels must not: they agree with
            whichever member learned them best, right or wrong.
    """
    mean = middle_of_classes(image_embeds, labels)
    moments = Moments.of(image_embeds, labels, n_classes, mean, weights)
    classes = moments.present
    column = torch.zeros(n_classes, dtype=torch.long)
    column[classes] = torch.arange(len(classes))
    rows = _held_out_rows(labels, judges, settings.sample)
    images, truth = centred(image_embeds[rows], mean), column[labels[rows]]
    members = [
        *ridges(moments, settings.penalties, images, truth),
        *discriminants(moments, settings.shrinkages, images, truth),
    ]
    single = (labels.bincount()[labels] == 1).nonzero().squeeze(1)[: settings.sample]
    if len(rows) == 0 or len(classes) < 2:
        head = Head(mean, *_mean_of_ridges(members[: len(settings.penalties)], settings), classes)
        nothing = torch.zeros(0, len(classes))
        return FittedHead(head, rows, nothing, {}, single, head.logits(image_embeds[single]))
    shares, factors = _shares_and_factors(members, truth, settings)
    weighted = [(s * f, member) for s, f, member in zip(shares, factors, members, strict=True)]
    head = Head(
        mean,
        torch.stack([w * member.weights for w, member in weighted]).sum(0),
        torch.stack([w * member.offsets for w, member in weighted]).sum(0),
        classes,
    )
    held_out = torch.stack([w * member.held_out for w, member in weighted]).sum(0).float()
    named = {m.name: round(s, 4) for m, s in zip(members, shares, strict=True)}
    return FittedHead(head, rows, held_out, named, single, head.logits(image_embeds[single]))


def _shares_and_factors(
    members: Sequence[Member], labels: Labels, settings: HeadSettings
) -> tuple[list[float], list[float]]:
    """Each member's share, and the factor on its logits."""
    fitted = [_likeliest_factor(member, labels) for member in members]
    evidence = torch.tensor([likelihood for _, likelihood in fitted], dtype=torch.float64)
    shares: list[float] = (settings.evidence * evidence).softmax(0).tolist()
    return shares, [factor for factor, _ in fitted]


def _held_out_rows(
    labels: Labels, judges: Bool[Tensor, " n"] | None, most: int
) -> Int[Tensor, " m"]:
    """Positions of the labels that are held out, evenly sampled; only of classes with at least two."""
    several = labels.bincount()[labels] > 1
    rows = (several if judges is None else several & judges).nonzero().squeeze(1)
    return rows[:: max(1, math.ceil(len(rows) / most))]


def _mean_of_ridges(members: Sequence[Member], settings: HeadSettings) -> tuple[Tensor, Tensor]:
    """Weights and offsets where nothing can be held out: the plain mean, times a fixed factor."""
    factor = settings.first_factor / len(members)
    weights = torch.stack([member.weights for member in members]).sum(0)
    offsets = torch.stack([member.offsets for member in members]).sum(0)
    return factor * weights, factor * offsets


def _likeliest_factor(member: Member, labels: Labels) -> tuple[float, float]:
    """The factor on a member's logits under which the held-out labels are likeliest, and their log-likelihood then.

    As if one more answer had been wrong, like Laplace's rule of succession: two right answers do not prove certainty.
    """
    found = []
    for factor in TEMPERATURES:
        log_probs = (factor * member.held_out).log_softmax(1)
        own = log_probs.gather(1, labels[:, None]).squeeze(1)
        one_wrong = torch.log1p(-own.exp().clamp_max(1 - TINY)).mean()
        found.append((float(own.sum() + one_wrong), factor, float(own.sum())))
    _, factor, likelihood = max(found)
    return factor, likelihood
