"""The one error about bytes that are no usable image."""

from __future__ import annotations

from clipgrip_line.errors import DataError


class UndecodableImage(DataError):
    """These bytes are not an image that can be used. ``reason`` is a slug of `issues.REASONS`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.args = (reason, detail)  # what it is made of, also where it is pickled
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return self.detail
