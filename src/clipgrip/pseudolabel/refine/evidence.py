"""What a pool and its answers show, in a few numbers: all that the decision is made from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Evidence:
    """What is known before a refinement, and what it did."""

    n_unlabeled: int
    n_classes: int
    """Candidates: the classes that unlabeled images may be of."""
    images_per_class: float
    """With the labeled images of the candidates; copies of an image count once."""
    confidence: float
    """Mean highest probability of the unlabeled images at the scale that was given."""
    standard_confidence: float
    """The same at CLIP's spread: near 0.9 where texts fit, 0.6 where they do not."""
    resistance: float | None
    """Deviation of the log factors that bring the classes half the way to equal shares; None for too few images."""
    prototypes: bool = False
    """Whether the classes are given by images and not by texts."""
    untaught_eyes: bool = False
    """Whether eyes see the images too, and nobody labeled any."""
    undivided: bool = False
    """Whether clusters of zero-shot's answers would split a class up, so that none are sought in a tuned prompt's."""
    n_present: int | None = None
    """Candidates that the pool is taken to hold; None where nothing speaks for absence."""
    lost_before: float | None = None
    """Share of the images that one class has lost to a tuned prompt already; None for zero-shot's own answers."""
    lost_share: float | None = None
    """The largest share of the unlabeled images that one class loses by clusters; None where none were sought."""

    @property
    def some_absent(self) -> bool:
        return self.n_present is not None and self.n_present < self.n_classes

    @property
    def images_per_cluster(self) -> float:
        """Per class that is there, as far as that is known; 0 where a single class is there.

        Which classes are absent is only estimated: the middle (geometric) between all and those present counts.
        """
        if not self.some_absent:
            return self.images_per_class
        present = self.n_present or 0
        return self.images_per_class * (self.n_classes / present) ** 0.5 if present > 1 else 0.0
