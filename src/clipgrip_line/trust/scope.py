"""Of which answers something is promised at work, and when one of them counts as wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clipgrip_line.sentences import Sentence, mark

NAMES = (mark("all"), mark("misses"), mark("overkill"))
"""Of groups that are no class."""
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


def group_name(name: str, classes: Sequence[str] = ()) -> str:
    """A group's name for people; one that is no class's can be said in another language."""
    return Sentence(name) if name in NAMES and list(classes) != [name] else name
