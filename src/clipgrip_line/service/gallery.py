"""The bytes of the images that came lately, in bounded memory: all of the newest, ever fewer the older they are."""

from __future__ import annotations

import threading

NEWEST = 12
"""Images that are kept whatever their size: the page shows them."""


class Gallery:
    """An alarm looks back on it for pictures from before and after a change. Safe from every thread."""

    def __init__(self, most: int) -> None:
        """``most`` bytes."""
        self.most = most
        self._images: dict[str, bytes] = {}
        """Oldest first."""
        self._size = 0
        self._lock = threading.Lock()

    def put(self, image: str, data: bytes) -> None:
        """It came now."""
        with self._lock:
            self._size += len(data) - len(self._images.pop(image, b""))
            self._images[image] = data
            while self._size > self.most and len(self._images) > NEWEST:
                self._thin()

    def get(self, image: str) -> bytes | None:
        """Its bytes, as far as they are still here."""
        with self._lock:
            return self._images.get(image)

    def __contains__(self, image: object) -> bool:
        with self._lock:
            return image in self._images

    def _thin(self) -> None:
        """Every second of the older half goes, so that what is left reaches far back."""
        for image in list(self._images)[1 : len(self._images) // 2 : 2]:
            self._size -= len(self._images.pop(image))
