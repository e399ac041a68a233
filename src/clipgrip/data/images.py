"""From the bytes of a file to an upright RGB picture, or a plain reason why not.

Safe to call from several threads: no global setting of Pillow or of Python's warnings is touched.
"""

from __future__ import annotations

import importlib
import io
import math
import re

from PIL import Image, ImageFile

from clipgrip.data.pixels import orientation, to_rgb, upright
from clipgrip.errors import DataError

MAX_PIXELS = 178_956_970
"""The most pixels an image may have by its header (Pillow's own hard limit)."""

HEAD_BYTES = 32
"""How much of a file is enough to tell its format."""

READERS: tuple[tuple[bytes, str, str], ...] = (
    (rb"\xff\xd8\xff", "JpegImagePlugin", "JpegImageFile"),
    (rb"\x89PNG\r\n\x1a\n", "PngImagePlugin", "PngImageFile"),
    (rb"BM", "BmpImagePlugin", "BmpImageFile"),
    (rb"II[*+]\x00|MM\x00[*+]", "TiffImagePlugin", "TiffImageFile"),
    (rb"RIFF....WEBP", "WebPImagePlugin", "WebPImageFile"),
    (rb"GIF8[79]a", "GifImagePlugin", "GifImageFile"),
    (rb"P[1-6]\s", "PpmImagePlugin", "PpmImageFile"),
    (rb"\xff\x4f\xff\x51|\x00\x00\x00\x0cjP  \r\n\x87\n", "Jpeg2KImagePlugin", "Jpeg2KImageFile"),
    (rb"....ftypavi[fs]", "AvifImagePlugin", "AvifImageFile"),
)
"""How a format begins, and who reads it. Formats that run programs (EPS, PDF) are not here."""

_PATTERNS = tuple((re.compile(head, re.DOTALL), module, name) for head, module, name in READERS)
_HEIC = re.compile(rb"....ftyp(hei[cxs]|hev[cx]|mif1|msf1)", re.DOTALL)
_ALLOWED = "JPEG, PNG, BMP, TIFF, WebP, GIF, PPM, JPEG 2000 and AVIF"


class UndecodableImage(DataError):
    """These bytes are not an image that can be used. ``reason`` is a slug of `REASONS`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return self.detail


def decode(data: bytes, *, at_least: int | None = None) -> Image.Image:
    """The picture as RGB: turned upright by EXIF, transparency on white, 16 bits scaled to 8.

    Of an animation or a document with pages, the first. The size is checked in the header first. With ``at_least`` a
    JPEG may come smaller, its longer side not under that many pixels: several times faster, for people's eyes only.

    Raises:
        UndecodableImage: the bytes are no image, damaged, cut off, or too large.
    """
    try:
        image = _open(data)
        if at_least:
            share = min(1.0, at_least / max(image.size))
            width, height = (math.ceil(side * share) for side in image.size)
            image.draft("RGB", (width, height))
        image.load()
        return to_rgb(upright(image))
    except UndecodableImage:
        raise
    except Exception as error:
        raise _translated(error) from error


def quick_check(data: bytes) -> tuple[int, int]:
    """Width and height by the header, before orientation; the pixels are not decoded.

    Raises:
        UndecodableImage: the bytes are no image, the header is damaged, or the image is too large.
    """
    try:
        return _open(data).size
    except UndecodableImage:
        raise
    except Exception as error:
        raise _translated(error) from error


def upright_size(data: bytes) -> tuple[int, int]:
    """Width and height by the header, turned as EXIF says; the pixels are not decoded, and may be cut off.

    Raises:
        UndecodableImage: as `quick_check`.
    """
    try:
        image = _open(data)
    except UndecodableImage:
        raise
    except Exception as error:
        raise _translated(error) from error
    width, height = image.size  # Pillow has turned a TIFF's already
    exif = image.info.get("exif")
    turned = isinstance(exif, bytes) and image.format != "TIFF" and orientation(exif) >= 5
    return (height, width) if turned else (width, height)


def check_signature(head: bytes) -> None:
    """Whether a file that begins with ``head`` can be an image at all.

    Raises:
        UndecodableImage: empty, or no image format that is read here.
    """
    _reader(head)


def _open(data: bytes) -> ImageFile.ImageFile:
    module, name = _reader(data[:HEAD_BYTES])
    reader: type[ImageFile.ImageFile] = getattr(importlib.import_module(f"PIL.{module}"), name)
    image = reader(io.BytesIO(data))
    width, height = image.size
    if width < 1 or height < 1:
        raise UndecodableImage("corrupt", f"the header says {width} x {height} pixels")
    if width * height > MAX_PIXELS:
        raise UndecodableImage(
            "too-large",
            f"{width} x {height} pixels; at most {MAX_PIXELS // 1_000_000} million are read",
        )
    return image


def _reader(head: bytes) -> tuple[str, str]:
    if not head:
        raise UndecodableImage("empty-file", "the file has no content")
    for pattern, module, name in _PATTERNS:
        if pattern.match(head):
            return module, name
    if _HEIC.match(head):
        raise UndecodableImage("not-an-image", "HEIC is not read; convert it to JPEG")
    raise UndecodableImage("not-an-image", f"not one of the formats {_ALLOWED}")


def _translated(error: Exception) -> UndecodableImage:
    """Pillow reports damage by a dozen exception types; all mean that the image is unusable."""
    if isinstance(error, MemoryError | Image.DecompressionBombError):
        return UndecodableImage("too-large", "decoding it would take too much memory")
    detail = str(error) or type(error).__name__
    return UndecodableImage("corrupt", f"damaged or cut off ({detail})")
