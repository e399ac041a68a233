"""The proven scope of a group, and its next step: what would prove a wider one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scope:
    """What is promised for a group: answers with a confidence of ``threshold`` or more; None: nothing."""

    group: str
    threshold: float | None
    size: int
    """Images of the pool within the scope, audited ones among them."""
    audited: int
    wrong: int
    whole: bool
    """Whether it holds every answer of the group."""

    @classmethod
    def nothing(cls, group: str) -> Scope:
        """Nothing is promised for a group."""
        return cls(group, None, 0, 0, 0, False)


@dataclass(frozen=True)
class Wider:
    """The next wider scope of a group: what would prove it, and what it would add."""

    group: str
    right: int | None
    """Right answers in a row within it that would prove it; None if no number does."""
    draws: int | None
    """Images that must be drawn to have about so many within it; of a group drawn apart, from this group."""
    images: int
    """Images that it adds to the scope proven now; of a group drawn apart, only those without an answer."""
    pays: bool
    """Whether it adds more images than people would have to answer."""
    gain: int = 0
    """By how many images, without those that people answer, the model would decide more than now; at least 0."""

    @property
    def worth(self) -> float:
        """Images added per answer; 0 if it cannot be proven."""
        return self.images / self.draws if self.draws else 0.0
