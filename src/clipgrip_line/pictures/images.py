"""From the bytes of a file to an upright RGB picture, or a plain reason why not.

Safe to call from several threads: no global setting of Pillow or of Python's warnings is touched.
"""

from __future__ import annotations

import contextlib
import io
import math
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from PIL import Image

from clipgrip_line.causes import cause
from clipgrip_line.errors import ClipgripError
from clipgrip_line.files import open_file
from clipgrip_line.pictures.containers import (
    check_exif,
    check_scans,
    jpeg2000_components,
    png_essentials,
    tiff_kind,
    with_jpeg_end,
)
from clipgrip_line.pictures.deep import deepened, depth_of
from clipgrip_line.pictures.formats import HEAD_BYTES, reader_of
from clipgrip_line.pictures.pages import has_pages, past_preview
from clipgrip_line.pictures.pixels import orientation, to_rgb, upright, used_alpha
from clipgrip_line.pictures.unusable import UndecodableImage
from clipgrip_line.sentences import Sentence

__all__ = [
    "HEAD_BYTES",
    "UndecodableImage",
    "check_signature",
    "decode",
    "may_be_image",
    "quick_check",
    "shown_of",
]

READING = 3
"""Revision of how bytes become pixels: part of the name of every cache of what was made of pictures.

1 read 12 bits in 16-bit colour as black, inverted 16-bit grey as a negative, and refused some whole pictures.
2 took an unused alpha channel of BMP and TIFF for transparency, signed numbers for unsigned ones, and a small preview
that stands first in a TIFF for the picture.
"""
MAX_PIXELS = 178_956_970
"""The most pixels an image may have by its header (Pillow's own hard limit)."""
MAX_JPEG2000_BYTES = 1_200_000_000
"""Its decoder takes four bytes for each pixel and component, and four more for each pixel of the result."""
MAX_WEBP_PIXELS = 100_000_000
"""Its decoder takes some 15 bytes for each pixel: of a blank picture of 34 bytes, too."""
MAX_RLE_PIXELS = 16_000_000
"""Pillow unpacks a packed BMP in Python, some of them pixel by pixel."""
MAX_TILE_PIXELS = 1 << 24
"""Pixels of a tile of a TIFF that is not counted as the picture's own size, which is smaller now and then."""
LARGE_PIXELS = 30_000_000
"""Larger ones are decoded one at a time, so that threads together stay within the memory."""
_READ_TIFF = Sentence("read are 1, 3 and 4 bands of 8 or 16 bits, and one band of up to 32 bits")
_LARGE = threading.Lock()


def decode(
    data: bytes, *, at_least: int | None = None, check: Callable[[int, int], None] | None = None
) -> Image.Image:
    """The picture as RGB: turned upright by EXIF, transparency on white, 16 bits scaled to 8.

    Of an animation or a document with pages, the first. The size is checked in the header first. With ``at_least`` a
    JPEG may come smaller, its longer side not under that many pixels: several times faster, for people's eyes only.
    ``check`` is asked for width and height by the header, before pixels are decoded; its own error is what is raised.
    UndecodableImage: the bytes are no image, damaged, cut off, or too large.
    """
    try:
        image = _open(data)
        if check is not None:
            check(*image.size)
        large = image.size[0] * image.size[1] > LARGE_PIXELS
        with _LARGE if large else contextlib.nullcontext():
            return to_rgb(used_alpha(upright(_loaded(image, data, at_least)), image.format))
    except (UndecodableImage, ClipgripError):
        raise
    except Exception as error:
        raise _translated(error, data) from error


def _loaded(image: Any, data: bytes, at_least: int | None) -> Image.Image:
    depth = depth_of(image)
    try:
        _load(image, at_least)
    except OSError:
        variants = with_jpeg_end(data) if image.format in ("JPEG", "MPO") else None
        if variants is None:
            raise
        first, second = (_load(_open(one), at_least) for one in variants)
        if first.tobytes() != second.tobytes():
            raise  # what follows was taken for a part of the picture: it is not whole
        return first
    return deepened(image, depth, data, partial(_open, data))


def _load(image: Any, at_least: int | None) -> Image.Image:
    if at_least:
        share = min(1.0, at_least / max(image.size))
        width, height = (math.ceil(side * share) for side in image.size)
        image.draft("RGB", (width, height))
    image.load()
    return image


def quick_check(data: bytes) -> tuple[int, int]:
    """Width and height by the header, before orientation; the pixels are not decoded.

    UndecodableImage: the bytes are no image, the header is damaged, or the image is too large.
    """
    return _checked(data).size


def shown_of(data: bytes) -> str | None:
    """What is said of a file with pages or frames, of which the first is shown; None of a single picture.

    UndecodableImage as `quick_check`.
    """
    image = _checked(data)
    with contextlib.suppress(Exception):  # whatever is wrong with a second page, the first counts
        if image.format == "TIFF":
            return "a document with pages; the first is used" if has_pages(image) else None
        if image.format == "HEIF":
            several = "a file of several pictures; its main one is used"
            return several if image.is_animated else None
        moving = b"acTL" in data[:1000] if image.format == "PNG" else image.is_animated
        return "an animation; its first picture is used" if moving else None
    return None


def upright_size(data: bytes) -> tuple[int, int]:
    """Width and height by the header, turned as EXIF says; the pixels are not decoded, and may be cut off.

    UndecodableImage as `quick_check`.
    """
    try:
        image = _open(data)
    except UndecodableImage:
        raise
    except Exception as error:
        raise _translated(error, data) from error
    width, height = image.size  # Pillow has turned a TIFF's already
    exif = image.info.get("exif")
    turned = isinstance(exif, bytes) and image.format != "TIFF" and orientation(exif) >= 5
    return (height, width) if turned else (width, height)


def check_signature(head: bytes) -> None:
    """Whether a file that begins with ``head`` can be an image at all.

    UndecodableImage: empty, or no image format that is read here.
    """
    reader_of(head)


def may_be_image(path: str) -> bool:
    """Whether a file is one and begins as an image that is read here."""
    try:
        with open_file(path) as file:
            check_signature(file.read(HEAD_BYTES))
    except (OSError, UndecodableImage):
        return False
    return True


def _checked(data: bytes) -> Any:
    try:
        return _open(data)
    except UndecodableImage:
        raise
    except Exception as error:
        raise _translated(error, data) from error


def _open(data: bytes) -> Any:
    reader = reader_of(data[:HEAD_BYTES])
    if reader.name == "PngImageFile":
        data = png_essentials(data)
    elif reader.name == "JpegImageFile":
        check_exif(data)
    image = reader.load()(io.BytesIO(data))
    if image.format == "TIFF":
        image = past_preview(image)
    width, height = image.size
    if width < 1 or height < 1:
        raise UndecodableImage(
            "corrupt",
            Sentence("the header says {width} x {height} pixels", width=width, height=height),
        )
    if image.format == "TIFF":
        width, height = _with_tile(image)
    most = _most_pixels(image, data)
    if width * height > most:
        raise UndecodableImage(
            "too-large",
            Sentence(
                "{width} x {height} pixels; at most {most} million are read",
                width=width,
                height=height,
                most=most // 1000000,
            ),
        )
    if reader.name == "JpegImageFile":
        check_scans(data, width * height)
    return image


def _with_tile(image: Any) -> tuple[int, int]:
    """Width and height of a TIFF, or of its tiles where these are far larger: a decoder makes one whole."""
    width, height = image.size
    tile = int(image.tag_v2.get(322, 0)), int(image.tag_v2.get(323, 0))
    is_larger = tile[0] * tile[1] > max(MAX_TILE_PIXELS, 4 * width * height)
    return tile if is_larger else (width, height)


def _most_pixels(image: Any, data: bytes) -> int:
    """The most that may be of this kind of file."""
    kind = image.format
    if kind == "JPEG2000":
        return min(MAX_PIXELS, MAX_JPEG2000_BYTES // (4 * jpeg2000_components(data)[0] + 4))
    if kind == "BMP" and image.tile and image.tile[0].codec_name == "bmp_rle":
        return MAX_RLE_PIXELS
    return MAX_WEBP_PIXELS if kind == "WEBP" else MAX_PIXELS


def _translated(error: Exception, data: bytes) -> UndecodableImage:
    """Pillow reports damage by a dozen exception types; all mean that the image is unusable."""
    if isinstance(error, MemoryError | Image.DecompressionBombError):
        return UndecodableImage("too-large", Sentence("decoding it would take too much memory"))
    detail = str(error) or type(error).__name__
    name = reader_of(data[:HEAD_BYTES]).name
    if name == "PpmImageFile" and isinstance(error, ValueError):
        return UndecodableImage(
            "not-an-image", Sentence("begins like a PPM, but goes on like a text")
        )
    if name == "TiffImageFile" and ("unknown" in detail or isinstance(error, KeyError)):
        return UndecodableImage(
            "unsupported",
            Sentence(
                "a TIFF with {tiff_kind}; {read_tiff}",
                tiff_kind=tiff_kind(data),
                read_tiff=_READ_TIFF,
            ),
        )
    if name == "JpegImageFile" and "layers" in detail:
        return UndecodableImage(
            "unsupported", Sentence("a JPEG of more than 8 bits; convert it to PNG")
        )
    return UndecodableImage(
        "corrupt", Sentence("damaged or cut off ({detail})", detail=cause(detail))
    )
