"""Of which answers something is promised at work, and when one of them counts as wrong."""

from __future__ import annotations

from dataclasses import dataclass

ALL = "all"
"""The group of every answer: wrong where it is not the truth. Of others, wrong where the truth is not of the group."""


@dataclass(frozen=True)
class WatchedScope:
    """Answers of some classes at or over a confidence, of which at most a share ``max_error`` is wrong."""

    audit: str
    name: str
    classes: frozenset[int]
    threshold: float
    max_error: float
    by: str
    at: str
    share: float
    """Share of the budget of this promise: its groups divide it evenly."""

    def holds(self, label: int, confidence: float) -> bool:
        """Whether an answer lies within it."""
        return label in self.classes and confidence >= self.threshold

    def is_wrong(self, label: int, truth: int) -> bool:
        """Whether an answer within it counts as wrong."""
        return truth != label if self.name == ALL else truth not in self.classes
