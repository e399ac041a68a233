"""What an audit promised of a model's answers: within it the model decides, outside of it a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ROUNDED = 6
"""Digits of a confidence that is compared with a threshold, as the audit wrote them."""


@dataclass(frozen=True)
class Scope:
    """Answers of some classes at or over a confidence, of which at most a share ``rate`` is wrong."""

    name: str
    classes: frozenset[int]
    threshold: float
    """On the confidence as the model says it, before calibration."""
    rate: float

    def holds(self, label: int, confidence: float) -> bool:
        """Whether an answer lies within it."""
        return label in self.classes and round(confidence, ROUNDED) >= self.threshold


@dataclass(frozen=True)
class Promise:
    """The scopes that stood when the bundle was made; without any, people decide every image."""

    rate: float
    """The share of wrong answers that is promised at most, the largest of the scopes."""
    confidence: float
    """How sure the promise is, such as .95."""
    scopes: tuple[Scope, ...]
    said_by: str = ""
    said_at: str = ""

    @property
    def threshold(self) -> float | None:
        """The least confidence, before calibration, that any scope asks for; None where no scope stands."""
        return min((one.threshold for one in self.scopes), default=None)

    def holds(self, label: int, confidence: float) -> bool:
        """Whether some scope holds an answer; the confidence is the model's own."""
        return any(one.holds(label, confidence) for one in self.scopes)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        scopes = [
            {
                "name": one.name,
                "classes": sorted(one.classes),
                "threshold": one.threshold,
                "rate": one.rate,
            }
            for one in self.scopes
        ]
        about = {"rate": self.rate, "confidence": self.confidence, "scopes": scopes}
        return {**about, "said_by": self.said_by, "said_at": self.said_at}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Promise:
        """What `to_dict` gave."""
        scopes = (
            Scope(
                str(one["name"]),
                frozenset(map(int, one["classes"])),
                float(one["threshold"]),
                float(one["rate"]),
            )
            for one in stored["scopes"]
        )
        rate, confidence = float(stored["rate"]), float(stored["confidence"])
        return cls(rate, confidence, tuple(scopes), str(stored["said_by"]), str(stored["said_at"]))


def to_people(
    promise: Promise | None, labels: Sequence[int], confidence: Sequence[float]
) -> list[bool]:
    """Which answers a person decides: those that no scope holds; none where nothing was ever promised."""
    if promise is None:
        return [False] * len(labels)
    return [not promise.holds(*pair) for pair in zip(labels, confidence, strict=True)]
