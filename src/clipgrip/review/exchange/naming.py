"""Names of files that every system can make and every reader takes."""

from __future__ import annotations

import re
from posixpath import splitext

from clipgrip.data.images import HEAD_BYTES, READERS
from clipgrip.data.portable import no_split, safe
from clipgrip.data.rows import Row

ENDINGS = {
    "JpegImagePlugin": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PngImagePlugin": (".png", ".apng"),
    "BmpImagePlugin": (".bmp", ".dib"),
    "TiffImagePlugin": (".tif", ".tiff"),
    "WebPImagePlugin": (".webp",),
    "GifImagePlugin": (".gif",),
    "PpmImagePlugin": (".ppm", ".pgm", ".pbm", ".pnm"),
    "Jpeg2KImagePlugin": (".jp2", ".j2k", ".jpx", ".j2c", ".jpc"),
    "AvifImagePlugin": (".avif", ".avifs"),
}
"""Endings of each format, the usual one first; by the name of its reader."""
_KNOWN = frozenset(ending for endings in ENDINGS.values() for ending in endings)


def file_name(row: Row, head: bytes) -> str:
    """The image's own name behind its hash, so that no two are the same, with an ending that readers of images know.

    ``head`` is how the file begins.
    """
    stem, ending = splitext(row.path.rpartition("/")[2])
    usual = ending_of(head)
    if ending.lower() not in _KNOWN and usual:
        stem, ending = f"{stem}{ending}".rstrip("."), usual
    ending = f".{safe(ending[1:])}" if len(ending) > 1 else ""
    return f"{row.sha256[:12]}-{no_split(safe(stem))}{ending}"


def ending_of(head: bytes) -> str:
    """The usual ending of an image that begins so; empty for none that is known."""
    for pattern, reader, _ in READERS:
        if re.match(pattern, head[:HEAD_BYTES], re.DOTALL):
            return ENDINGS[reader][0]
    return ""
