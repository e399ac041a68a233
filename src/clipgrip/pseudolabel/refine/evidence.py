"""What a pool and its answers show, in a few numbers: all that the decision is made from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Trial:
    """What an attempt did to the answers."""

    method: str
    text_factor: float
    lost_share: float
    """The largest share of the unlabeled images that one class lost since zero-shot."""
    cut_links: float | None = None
    """The largest share of the graph's links between what a class lost and what it kept; None where not asked for."""


@dataclass(frozen=True)
class Evidence:
    """What is known before an attempt, and what the attempts did."""

    n_unlabeled: int
    n_classes: int
    """Candidates: the classes that unlabeled images may be of."""
    images_per_class: float
    """With the labeled images of the candidates."""
    confidence: float
    """Mean highest probability of the unlabeled images at the scale that was given."""
    standard_confidence: float
    """The same at CLIP's spread: near 0.9 where texts fit, 0.6 where they do not."""
    resistance: float | None
    """Deviation of the log factors that bring the classes half the way to equal shares; None for too few images."""
    max_log_factor: float | None
    """The largest of these logs, without its sign."""
    prototypes: bool = False
    """Whether the classes are given by images and not by texts."""
    strong_text: bool = False
    """Whether zero-shot's answers were refined with a strong text, or not at all, lest a class be split up."""
    n_present: int | None = None
    """Candidates that the pool is taken to hold; None where nothing speaks for absence."""
    lost_before: float | None = None
    """Share of the images that one class has lost to a tuned prompt already; None for zero-shot's own answers."""
    trials: tuple[Trial, ...] = ()

    @property
    def some_absent(self) -> bool:
        return self.n_present is not None and self.n_present < self.n_classes
