"""A line at work, as values: what is watched, where it stands, the images that came, and what rang."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from clipgrip_line.trust.drift import Monitors
from clipgrip_line.trust.ranks import Codes
from clipgrip_line.trust.scores import Anchors


@dataclass(frozen=True)
class WatchedLine:
    """What is watched: the run, the lifetime budget of false alarms, and the reference."""

    run: str
    alpha: float
    begun_at: str
    facts: dict[str, Any]
    anchors: Anchors = field(repr=False)
    """What new images are compared with."""


@dataclass(frozen=True)
class State:
    """The monitors of this period (1, 2, ...: a new one after each answered alarm), and images before it."""

    period: int
    before: int
    monitors: Monitors = field(repr=False)

    @property
    def images(self) -> int:
        """New images since the line began."""
        return self.before + self.monitors.images


@dataclass(frozen=True)
class SeenImage:
    """One new image: its number counts from 1."""

    number: int
    sha256: str
    path: str
    label: int
    confidence: float
    codes: Codes = field(repr=False)
    seen_at: str


@dataclass(frozen=True)
class Alarm:
    """What rang after image ``at``; ``response`` is what a person said to it."""

    number: int
    period: int
    at: int
    rang_at: str
    facts: dict[str, Any]
    response: dict[str, str] | None
