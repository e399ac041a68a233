"""What a bundle says of an image: the class, OK or NG, or that a person decides."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Decided = Literal["model", "person"]
Verdict = Literal["ok", "ng", "person", "class"]


@dataclass(frozen=True)
class Answer:
    """One image's answer."""

    image_id: str
    """SHA-256 of the file's bytes, hexadecimal."""
    class_name: str
    """What the model says, always."""
    confidence: float
    """Calibrated where an audit calibrated it."""
    top: tuple[tuple[str, float], ...] = field(repr=False)
    """The three best classes, best first."""
    decided: Decided
    """``person`` where no standing promise covers the answer."""
    verdict: Verdict
    """OK or NG by the bundle's OK classes, ``class`` where it names none; ``person`` wherever a person decides."""
    version: str
    """The bundle's."""

    def as_json(self) -> dict[str, object]:
        """Plain values, the same keys in every place where answers are written."""
        return {
            "image_id": self.image_id,
            "class": self.class_name,
            "confidence": round(self.confidence, 6),
            "top": [{"class": name, "confidence": round(value, 6)} for name, value in self.top],
            "decided_by": self.decided,
            "verdict": self.verdict,
            "version": self.version,
        }
