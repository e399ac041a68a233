"""Names of files that every system can make and every reader takes."""

from __future__ import annotations

from posixpath import splitext

from clipgrip.data.images import HEAD_BYTES, UndecodableImage
from clipgrip.data.manifest import Row
from clipgrip.data.portable import no_split, safe
from clipgrip_line.pictures.formats import reader_of

ENDINGS = {
    "JpegImageFile": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PngImageFile": (".png", ".apng"),
    "BmpImageFile": (".bmp", ".dib"),
    "TiffImageFile": (".tif", ".tiff"),
    "WebPImageFile": (".webp",),
    "GifImageFile": (".gif",),
    "PpmImageFile": (".ppm", ".pgm", ".pbm", ".pnm"),
    "Jpeg2KImageFile": (".jp2", ".j2k", ".jpx", ".j2c", ".jpc"),
    "AvifImageFile": (".avif", ".avifs"),
    "HeifImageFile": (".heic", ".heif", ".hif"),
}
"""Endings of each format, the usual one first; by the name of its reader."""
KNOWN = frozenset(ending for endings in ENDINGS.values() for ending in endings)


def file_name(row: Row, head: bytes) -> str:
    """The image's own name behind its hash, so that no two are the same, with an ending that readers of images know.

    ``head`` is how the file begins.
    """
    stem, ending = splitext(row.path.rpartition("/")[2])
    usual = ending_of(head)
    if ending.lower() not in KNOWN and usual:
        stem, ending = f"{stem}{ending}".rstrip("."), usual
    ending = f".{safe(ending[1:])}" if len(ending) > 1 else ""
    return f"{row.sha256[:12]}-{no_split(safe(stem))}{ending}"


def ending_of(head: bytes) -> str:
    """The usual ending of an image that begins so; empty for none that is read here."""
    try:
        return ENDINGS[reader_of(head[:HEAD_BYTES]).name][0]
    except UndecodableImage:
        return ""
