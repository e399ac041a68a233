"""The one error about bytes that are no usable image."""

from __future__ import annotations

from clipgrip.errors import DataError


class UndecodableImage(DataError):
    """These bytes are not an image that can be used. ``reason`` is a slug of `issues.REASONS`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return self.detail
