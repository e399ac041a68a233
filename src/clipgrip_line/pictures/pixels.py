"""A decoded picture of any colour mode becomes upright RGB."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipgrip_line.pictures.unusable import UndecodableImage
from clipgrip_line.sentences import Sentence

_WIDE_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
TWELVE = 4095
_ALPHA_MODES = ("LA", "PA", "La", "RGBA", "RGBa")

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def to_rgb(image: Image.Image) -> Image.Image:
    """RGB from any mode: transparency lies on white, more than 8 bits are scaled, never clipped.

    ValueError: a colour mode that has no way to RGB.
    """
    if image.mode in _WIDE_MODES:
        return _wide(image)
    if image.mode == "L" and _is_signed(image, 8):
        image = image.point([value ^ 0x80 for value in range(256)])
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        return _on_white(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def used_alpha(image: Image.Image, kind: str | None) -> Image.Image:
    """The picture without an alpha that is nowhere used, as cameras and Windows write it into BMP and TIFF.

    There it is zero everywhere, which would be a picture of nothing.
    """
    if kind not in ("BMP", "TIFF") or image.mode not in ("RGBA", "LA"):
        return image
    *colours, alpha = image.split()
    return image if alpha.getextrema() != (0, 0) else Image.merge(image.mode[:-1], colours)


def _is_signed(image: Image.Image, bits: int) -> bool:
    """Whether a TIFF's numbers reach below zero, which Pillow does not look at."""
    tags = getattr(image, "tag_v2", None) if image.format == "TIFF" else None
    return tags is not None and set(tags.get(339, ())) == {2} and set(tags.get(258, ())) == {bits}


def _wide(image: Image.Image) -> Image.Image:
    """Grey of more than 8 bits: unsigned and inverted ones as the file says, a transparent value on white."""
    tags = getattr(image, "tag_v2", {}) if image.format == "TIFF" else {}
    values = np.asarray(image)
    if values.dtype == np.int32 and tags.get(258) == (32,) and tags.get(339, (1,)) == (1,):
        values = values.view(np.uint32)
    if _is_signed(image, 16) and values.min() >= 0 and values.max() > TWELVE:
        values = values * 2  # the half that is used reaches to 32,767
    grey = _eight_bits(values)
    if tags.get(262) == 0:  # white is zero
        grey = 255 - grey
    key = image.info.get("transparency")
    if isinstance(key, int):
        grey = np.where(values == key, np.uint8(255), grey)
    return Image.fromarray(grey).convert("RGB")


def upright(image: Image.Image) -> Image.Image:
    """The picture turned as its EXIF orientation says. (Pillow turns TIFF while loading.)"""
    exif = image.info.get("exif")
    if image.format == "TIFF" or not isinstance(exif, bytes):
        return image
    turn = _TURNS.get(orientation(exif))
    return image if turn is None else image.transpose(turn)


def orientation(exif: bytes) -> int:
    """EXIF orientation 1 to 8; 1 when there is none or the block is damaged.

    Read here, since Pillow's parser warns on damaged blocks and warnings are global to a process.
    """
    tiff = exif.removeprefix(b"Exif\x00\x00")
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(tiff[:4])
    try:
        return 1 if order is None else _orientation_tag(tiff, order)
    except struct.error:
        return 1


def _orientation_tag(tiff: bytes, order: str) -> int:
    (start,) = struct.unpack_from(order + "I", tiff, 4)
    (count,) = struct.unpack_from(order + "H", tiff, start)
    for entry in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind, _, value = struct.unpack_from(order + "HHIH", tiff, entry)
        if tag == 0x0112 and kind == 3:
            return int(value)
    return 1


def _on_white(image: Image.Image) -> Image.Image:
    straight = image.convert("LA") if image.mode == "La" else image
    rgba = straight if straight.mode == "RGBA" else straight.convert("RGBA")
    white = Image.new("RGB", image.size, (255, 255, 255))
    white.paste(rgba, mask=rgba.getchannel("A"))
    return white


def _eight_bits(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Grey values of any range as 0..255.

    Integers are taken as 12 bits when all values fit (industrial cameras put 12 bits into 16-bit
    files) and else as 16 bits, so that the brightness of two images stays comparable. Floats
    within 0..1 or 0..255 keep that range. Anything else is stretched from lowest to highest.
    """
    if values.dtype.kind == "f":
        return _floats(_finite(values.astype(np.float32)))
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        return _stretched(values.astype(np.float64), low, high)
    top = 4095 if high <= 4095 else 65535
    table = (np.arange(65536, dtype=np.uint32).clip(max=top) * 255 + top // 2) // top
    scaled: NDArray[np.uint8] = table.astype(np.uint8)[values]
    return scaled


def _finite(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """What is no number becomes the darkest value, and what is beyond all numbers the brightest."""
    known = values[np.isfinite(values)]
    if not known.size:
        raise UndecodableImage("corrupt", Sentence("none of its values is a number"))
    low, high = float(known.min()), float(known.max())
    return np.nan_to_num(values, nan=low, posinf=high, neginf=low)


def _floats(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= 255:
        return (values * (255 if high <= 1 else 1)).round().astype(np.uint8)
    return _stretched(values.astype(np.float64), low, high)


def _stretched(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.uint8]:
    return ((values - low) * (255 / max(high - low, 1e-30))).round().astype(np.uint8)
