"""What is proven for a group, and its next step: the scope that holds, and what would prove a wider one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scope:
    """What is promised for a group: the model decides at and above ``threshold``; None where it decides nothing."""

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
    """Right answers in a row within it that would; None where no number does."""
    draws: int | None
    """Images of the draw that hold about so many; of a group drawn apart, images of the group."""
    images: int
    """Images that it holds more than the scope proven now; of a group drawn apart, those of them without an answer."""
    pays: bool
    """Whether it adds more images than people would have to answer."""
    gain: int = 0
    """Images of the pool that the model would then decide more than now, 0 where it would fewer; people answered the
    others."""

    @property
    def worth(self) -> float:
        """Images per answer."""
        return self.images / self.draws if self.draws else 0.0
