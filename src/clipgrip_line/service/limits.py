"""What the service takes at most, in one place."""

from __future__ import annotations

from dataclasses import dataclass

from clipgrip_line.monitoring.gallery import MEMORY


@dataclass(frozen=True)
class Limits:
    """Everything that bounds memory and time."""

    body: int = 32 << 20
    """Bytes of one request."""
    images: int = 16
    """Images of one request."""
    pixels: int = 100_000_000
    """Pixels of one image, as its header says them, before it is decoded."""
    queue: int = 64
    """Images taken that have no answer yet; beyond that requests are refused with 429."""
    waiting: int = 256 << 20
    """Bytes of bodies that are in memory at once; beyond that too."""
    seconds: float = 10.0
    """How long an image may wait for its turn; after that it is refused with 429."""
    batch: int = 8
    """Images that the model sees at once."""
    gather: float = 0.002
    """Seconds that a batch waits for images that are being decoded."""
    pictures: int = 2 << 30
    """Bytes of pictures kept for people; the oldest leave first."""
    gallery: int = MEMORY
    """Bytes of the latest images in memory, of which an alarm shows some."""
    answers: int = 1_000_000
    """Newest answers that are kept; what people said is always kept."""
