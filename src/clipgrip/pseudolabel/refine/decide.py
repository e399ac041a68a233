"""Which refinement a pool bears: `Evidence`, a few numbers, goes in and a `Choice` comes out. No tensor.

In this order: clusters, if there are enough images per class for them (co-training instead, if eyes see the images and
the classes seem equally frequent); equal class shares, if the answers hardly resist them; half the way to equal shares;
zero-shot's answers as they are. Clusters that split up a class are rejected afterwards (`accept`).
"""

from __future__ import annotations

from dataclasses import dataclass

from clipgrip.pseudolabel.refine import reasons
from clipgrip.pseudolabel.refine.settings import Refinement


@dataclass(frozen=True)
class Evidence:
    """What is measured on a pool before a refinement (`measure`), and what the refinement then did to it."""

    n_unlabeled: int
    n_classes: int
    """Candidates: the classes that unlabeled images may be of."""
    images_per_class: float
    """Unlabeled images and labeled ones of candidates, per candidate; copies of an image count once."""
    confidence: float
    """Mean highest probability of the answers that are refined, rescaled where their scale does not fit."""
    standard_confidence: float
    """The same with logits at CLIP's usual spread: near 0.9 where texts fit, 0.6 where they do not."""
    resistance: float | None
    """Standard deviation of the log factors that bring the classes half the way to equal shares (see `measure`); None
    for too few images."""
    prototypes: bool = False
    """Whether the class embeddings are means of images and not texts."""
    untaught_eyes: bool = False
    """Whether eyes see the images too, and no image is labeled."""
    undivided: bool = False
    """Whether clusters of zero-shot's answers would split a class up, so that none are sought in a tuned prompt's."""
    n_present: int | None = None
    """Candidates that the pool is taken to hold; None where nothing suggests that classes are absent."""
    lost_before: float | None = None
    """Share of the unlabeled images that one class has already lost to a tuned prompt; None for zero-shot's answers."""
    lost_share: float | None = None
    """The largest share of the unlabeled images that one class loses by clusters; None where none were tried."""

    @property
    def some_absent(self) -> bool:
        return self.n_present is not None and self.n_present < self.n_classes

    @property
    def images_per_cluster(self) -> float:
        """Images per class that is present, as far as that is known; 0 if only one class is.

        Which classes are absent is only estimated, so the geometric mean of "all present" and the estimate counts.
        """
        if not self.some_absent:
            return self.images_per_class
        present = self.n_present or 0
        return self.images_per_class * (self.n_classes / present) ** 0.5 if present > 1 else 0.0


@dataclass(frozen=True)
class Choice:
    """A refinement and why it is the one."""

    method: str
    reason: str | None


KEEP_WHOLE = Choice("zero-shot", reasons.WOULD_DIVIDE)
"""What is left where clusters would split up a class."""


def decide(evidence: Evidence, settings: Refinement) -> Choice:
    """What to try; clusters are accepted or not afterwards."""
    equal = seem_equal(evidence, settings.equal_max_resistance)
    # with equally frequent classes a balanced assignment is already good, so clusters need twice the images to beat it
    least = settings.cluster_min_images * (2 if equal else 1)
    if evidence.images_per_cluster >= least:
        # labels, where there are any, have already taught the eyes
        clusters = "co-training" if equal and evidence.untaught_eyes else "joined"
        return KEEP_WHOLE if evidence.undivided else Choice(clusters, reasons.NONE_LOSES)
    if evidence.some_absent:
        return Choice("zero-shot", None)
    if equal and evidence.images_per_class >= settings.cluster_min_images:
        return Choice("balance", reasons.LITTLE_RESISTANCE)
    if seem_equal(evidence, settings.nearly_equal_max_resistance):
        return Choice("half-balance", reasons.NEARLY_EQUAL)
    return Choice("zero-shot", reasons.UNEQUAL)


def accept(lost_share: float, settings: Refinement) -> bool:
    """Whether no class lost so many images that it was probably split up: the one guard."""
    return lost_share <= settings.max_lost_share


def has_gone_astray(lost_before: float | None, settings: Refinement) -> bool:
    """Whether a tuned prompt has taken so much from a class that zero-shot's answers are refined instead."""
    return lost_before is not None and not accept(lost_before, settings)


def seem_equal(evidence: Evidence, max_resistance: float) -> bool:
    """Whether the classes seem about equally frequent; False for too few images."""
    resistance = evidence.resistance
    return resistance is not None and resistance <= max_resistance


def absence_is_clear(evidence: Evidence, settings: Refinement) -> bool:
    """Whether the answers resist equal shares so much that classes must be absent."""
    resistance = evidence.resistance
    return resistance is not None and resistance > settings.absent_resistance
