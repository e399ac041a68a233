"""Which image format a file begins with, and what reads it."""

from __future__ import annotations

import importlib
import importlib.util
import re
from typing import Any, NamedTuple

from clipgrip_line.pictures.unusable import UndecodableImage
from clipgrip_line.sentences import Sentence

HEAD_BYTES = 64
"""How much of a file is enough to tell its format."""


class Reader(NamedTuple):
    """A class of Pillow's kind by module and name."""

    module: str
    name: str

    def load(self) -> Any:
        """The class itself."""
        return getattr(importlib.import_module(self.module), self.name)


READERS: tuple[tuple[bytes, str, str], ...] = (
    (rb"\xff\xd8\xff", "JpegImagePlugin", "JpegImageFile"),
    (rb"\x89PNG\r\n\x1a\n", "PngImagePlugin", "PngImageFile"),
    (rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0", "BmpImagePlugin", "BmpImageFile"),
    (rb"II[*+]\x00|MM\x00[*+]", "TiffImagePlugin", "TiffImageFile"),
    (rb"RIFF....WEBP", "WebPImagePlugin", "WebPImageFile"),
    (rb"GIF8[79]a", "GifImagePlugin", "GifImageFile"),
    (rb"P[1-6]\s+(?:#|\d{1,9}\s)", "PpmImagePlugin", "PpmImageFile"),
    (rb"\xff\x4f\xff\x51|\x00\x00\x00\x0cjP  \r\n\x87\n", "Jpeg2KImagePlugin", "Jpeg2KImageFile"),
    (rb"....ftypavi[fs]", "AvifImagePlugin", "AvifImageFile"),
)
"""How a format begins, and who reads it. Formats that run programs (EPS, PDF) are not here."""

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
_EVERY_ENDING = tuple(one for known in ENDINGS.values() for one in known)

AVIF = Reader("PIL.AvifImagePlugin", "AvifImageFile")
HEIC = Reader("pillow_heif.as_plugin", "HeifImageFile")

_PATTERNS = tuple(
    (re.compile(head, re.DOTALL), Reader(f"PIL.{module}", name)) for head, module, name in READERS
)
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
_ALLOWED = Sentence("JPEG, PNG, BMP, TIFF, WebP, GIF, PPM, JPEG 2000, AVIF and, as an extra, HEIC")


def reader_of(head: bytes) -> Reader:
    """What reads a file that begins with ``head``.

    UndecodableImage: empty, no image format that is read here, or one whose package is not installed.
    """
    if not head:
        raise UndecodableImage("empty-file", Sentence("the file has no content"))
    for pattern, reader in _PATTERNS:
        if pattern.match(head):
            return reader
    if head[4:8] == b"ftyp":
        return _of_brands(head)
    raise UndecodableImage(
        "not-an-image", Sentence("not one of the formats {allowed}", allowed=_ALLOWED)
    )


def ending_of(data: bytes) -> str:
    """The usual ending of a picture that begins so; empty where it is none that is known."""
    try:
        return ENDINGS[reader_of(data[:HEAD_BYTES]).name][0]
    except UndecodableImage:
        return ""


def is_called_image(name: str) -> bool:
    """Whether a name ends as a picture's does."""
    return name.casefold().endswith(_EVERY_ENDING)


def _of_brands(head: bytes) -> Reader:
    """AVIF and HEIC lie in the same box; the brands beside the first one tell them apart."""
    end = min(int.from_bytes(head[:4]), len(head))
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))}
    if brands & _AVIF_BRANDS:
        return AVIF
    if not brands & (_HEIC_BRANDS | {b"mif1", b"msf1"}):
        raise UndecodableImage(
            "not-an-image", Sentence("not one of the formats {allowed}", allowed=_ALLOWED)
        )
    if importlib.util.find_spec("pillow_heif") is None:
        raise UndecodableImage(
            "not-an-image",
            Sentence("HEIC needs a package more: pip install pillow-heif; or convert it to JPEG"),
        )
    return HEIC
