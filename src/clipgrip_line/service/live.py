"""An image that was asked for, and its answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from clipgrip_line.monitoring import seeing
from clipgrip_line.monitoring.seeing import Answering as Answering


@dataclass(frozen=True)
class Asked:
    """One image as it was asked for, and what came with it; ``pixels`` are those of the version that answers."""

    pixels: Any = field(repr=False)
    data: bytes = field(repr=False)
    name: str = ""
    lot: str = ""
    serial: str = ""
    station: str = ""
    request: str = ""
    position: int = 0


@dataclass(frozen=True, kw_only=True)
class LiveImage(seeing.Seen):
    """What was asked beside what was seen."""

    asked: Asked
    codes: bytes | None = field(default=None, repr=False)
    """Its scores for the watch; None where it is not bet on."""


def see(model: Answering, images: Sequence[Asked]) -> list[LiveImage]:
    """One batch."""
    seen = seeing.see(model, [one.pixels for one in images])
    return [LiveImage(asked=asked, **vars(one)) for asked, one in zip(images, seen, strict=True)]
