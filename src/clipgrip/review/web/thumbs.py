"""Small pictures for the screen, made once for each content and kept in the cache folder."""

from __future__ import annotations

import contextlib
import hashlib
import io
import secrets
import threading
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from clipgrip.backbone.cache import default_root, remove_older
from clipgrip.data.images import READING, UndecodableImage, quick_check
from clipgrip.data.reading import open_row, picture_hash, read_row
from clipgrip.data.rows import Row

FORMAT = 2
"""1 had no digests."""
FOLDER = f"thumbs-v{FORMAT}-{READING}"
SIDE = 200
LARGE = 1600
FULL = 8192
"""Where single pixels are looked at; a larger image is still made smaller."""
QUALITY = 82
FULL_QUALITY = 95
DIGEST_BYTES = 32
"""A kept file ends with the SHA-256 of the JPEG before it."""


def thumbnail(row: Row) -> bytes:
    """A JPEG of at most ``SIDE`` pixels a side. DataError: the file has gone, or is no image any more."""
    place = place_of(picture_hash(row.source, row.sha256))
    with contextlib.suppress(OSError):
        content = place.read_bytes()
        data, digest = content[:-DIGEST_BYTES], content[-DIGEST_BYTES:]
        if hashlib.sha256(data).digest() == digest:
            return data
    data = picture(row, SIDE)
    with contextlib.suppress(OSError):  # a full disk makes it slow, not wrong
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_suffix(f".{secrets.token_hex(4)}")
        try:
            part.write_bytes(data + hashlib.sha256(data).digest())
            part.replace(place)
        finally:
            part.unlink(missing_ok=True)
    return data


def full(row: Row) -> bytes:
    """A JPEG with the image's own pixels, colours of neighbours not mixed. DataError as `thumbnail`."""
    return picture(row, FULL, FULL_QUALITY, subsampling=0)


def longest_side(row: Row) -> int:
    """Of the image itself, in pixels. DataError as `thumbnail`."""
    return max(quick_check(read_row(row)))


def picture(row: Row, side: int = LARGE, quality: int = QUALITY, **how: int) -> bytes:
    """A JPEG of at most ``side`` pixels a side, never the bytes of the file itself. DataError as `thumbnail`."""
    image = open_row(row, at_least=side)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality, **how)
    return out.getvalue()


def warm(rows: Iterable[Row], stopped: threading.Event) -> None:
    """Make the thumbnails that will be asked for first; those of an older reader of pictures are taken away."""
    remove_older(default_root(), "thumbs", FOLDER)
    for row in rows:
        if stopped.is_set():
            return
        try:
            thumbnail(row)
        except UndecodableImage:
            continue


def place_of(sha256: str) -> Path:
    """Where the thumbnail of this content is kept."""
    return default_root() / FOLDER / sha256[:2] / f"{sha256}.jpg"
