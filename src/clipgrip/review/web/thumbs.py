"""Small pictures for the screen, made once for each content and kept in the cache folder."""

from __future__ import annotations

import contextlib
import io
import secrets
import threading
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from clipgrip.backbone.cache import default_root
from clipgrip.data.images import UndecodableImage, quick_check
from clipgrip.data.manifest import Row
from clipgrip.data.reading import open_row, read_row

FOLDER = "thumbs-v1"
SIDE = 200
LARGE = 1600
FULL = 8192
"""Where single pixels are looked at; a larger image is still made smaller."""
QUALITY = 82
FULL_QUALITY = 95
END = b"\xff\xd9"
"""The last bytes of a JPEG: a file that was cut off lacks them."""


def thumbnail(row: Row) -> bytes:
    """A JPEG of at most ``SIDE`` pixels a side.

    Raises:
        DataError: the file has gone, or is no image any more.
    """
    place = _place(row.sha256)
    with contextlib.suppress(OSError):
        kept = place.read_bytes()
        if kept.endswith(END):
            return kept
    data = picture(row, SIDE)
    with contextlib.suppress(OSError):  # a full disk makes it slow, not wrong
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_suffix(f".{secrets.token_hex(4)}")
        part.write_bytes(data)
        part.replace(place)
    return data


def full(row: Row) -> bytes:
    """A JPEG with the image's own pixels, colours of neighbours not mixed.

    Raises:
        DataError: as `thumbnail`.
    """
    return picture(row, FULL, FULL_QUALITY, subsampling=0)


def longest_side(row: Row) -> int:
    """Of the image itself, in pixels.

    Raises:
        DataError: as `thumbnail`.
    """
    return max(quick_check(read_row(row)))


def picture(row: Row, side: int = LARGE, quality: int = QUALITY, **how: int) -> bytes:
    """A JPEG of at most ``side`` pixels a side, never the bytes of the file itself.

    Raises:
        DataError: as `thumbnail`.
    """
    image = open_row(row, at_least=side)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality, **how)
    return out.getvalue()


def warm(rows: Iterable[Row], stopped: threading.Event) -> None:
    """Make the thumbnails that will be asked for first."""
    for row in rows:
        if stopped.is_set():
            return
        try:
            thumbnail(row)
        except UndecodableImage:
            continue


def _place(sha256: str) -> Path:
    return default_root() / FOLDER / sha256[:2] / f"{sha256}.jpg"
