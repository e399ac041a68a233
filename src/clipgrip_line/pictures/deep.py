"""Colour of 16 bits: Pillow keeps the high byte, of which 12-bit cameras use a sixteenth; here is the other one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from clipgrip_line.pictures.containers import jpeg2000_components
from clipgrip_line.pictures.unusable import UndecodableImage
from clipgrip_line.sentences import Sentence

TWELVE = 4095
"""The largest value of 12 bits."""
_DARK = TWELVE >> 8
_NATIVE = "L" if sys.byteorder == "little" else "B"
_OTHER = {"B": "L", "L": "B", "N": "B" if _NATIVE == "L" else "L"}
_PLANAR = 2

MAX_PIXELS = 80_000_000
"""The most pixels of which all 16 bits of colour are read: it takes some 20 bytes for each."""
AT_ONCE = 4_000_000
"""Samples that are made at once."""

Rows = Callable[[slice], NDArray[np.uint16]]
"""All bits of the samples in some rows."""
Again = Callable[[], Any]
"""Opens the same bytes once more."""


class Depth(NamedTuple):
    """What is known before the pixels are read: Pillow forgets it then."""

    tile: ImageFile._Tile | None
    rawmode: str
    format: str
    """Pillow's name of the file format."""


def depth_of(image: ImageFile.ImageFile) -> Depth:
    """How the samples lie in the file; planes of 16 bits, which Pillow takes for 8, are mended in ``image``."""
    if _has_deep_planes(image):
        order = "B" if image.tag_v2.prefix == b"MM" else "L"  # type: ignore[attr-defined]
        image.tile = [_with_rawmode(tile, f"{_rawmode(tile)};16{order}") for tile in image.tile]
    tile = image.tile[0] if image.tile else None
    return Depth(tile, "" if tile is None else _rawmode(tile), image.format or "")


def deepened(image: Image.Image, depth: Depth, data: bytes, again: Again) -> Image.Image:
    """``image`` as it is, or made anew from all bits where its colour lies in 12 of 16, or one colour is transparent.

    UndecodableImage: such a picture of a kind whose other bits cannot be had.
    """
    if image.mode not in ("RGB", "RGBA", "CMYK") or not _is_deep(depth, data):
        return image
    high = np.asarray(image)
    key = image.info.get("transparency")
    dark = _DARK + (depth.format == "PPM")  # which is rounded
    if high[..., :3].max(initial=0) > dark and not isinstance(key, tuple):
        return image
    _check_size(image)
    rows = _rows(high, depth, data, again)
    if rows is None:
        if high[..., :3].max(initial=0) == 0 or isinstance(key, tuple):
            return image
        raise UndecodableImage(
            "unsupported",
            Sentence(
                "12 bits in 16-bit colour of this kind of {format}; convert it to PNG",
                format=depth.format,
            ),
        )
    return _made(rows, high.shape, image.mode, key)


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise UndecodableImage(
            "too-large",
            Sentence(
                "{width} x {height} pixels, 12 bits in 16-bit colour; at most {max_pixels} million are "
                "read",
                width=width,
                height=height,
                max_pixels=MAX_PIXELS // 1000000,
            ),
        )


def _is_deep(depth: Depth, data: bytes) -> bool:
    if depth.format == "JPEG2000":
        return jpeg2000_components(data)[1] > 8
    return ";16" in depth.rawmode or (depth.format == "PPM" and _ppm_top(depth) == 65535)


def _rows(high: NDArray[np.uint8], depth: Depth, data: bytes, again: Again) -> Rows | None:
    """What gives all 16 bits of some rows, or None where nothing gives the low ones."""
    tile = depth.tile
    if depth.format == "PPM" and tile is not None and tile.codec_name == "ppm":
        shape, start = high.shape, tile.offset
        whole = np.frombuffer(data, ">u2", int(np.prod(shape)), start).reshape(shape)
        return lambda some: whole[some].astype("u2")
    kind, _, order = depth.rawmode.partition(";16")
    if order not in _OTHER or kind in ("RGBa", "I"):
        return None
    second = again()
    depth_of(second)
    if second.tile[0].codec_name == "libtiff" and second.tag_v2.get(284) == _PLANAR:
        return None
    if kind == "LA":  # one pixel is four bytes: high and low of grey, high and low of alpha
        second.tile = [_with_rawmode(one, "RGBA") for one in second.tile]
        parts = np.asarray(second)
        return lambda some: _grey_alpha(parts[some].astype(np.uint16))
    second.tile = [
        _with_rawmode(one, f"{_rawmode(one)[:-1]}{_OTHER[order]}") for one in second.tile
    ]
    low = np.asarray(second)
    return lambda some: high[some].astype(np.uint16) << 8 | low[some]


def _grey_alpha(parts: NDArray[np.uint16]) -> NDArray[np.uint16]:
    grey, alpha = parts[..., 0] << 8 | parts[..., 1], parts[..., 2] << 8 | parts[..., 3]
    return np.stack([grey, grey, grey, alpha], -1)


def _made(rows: Rows, shape: tuple[int, ...], mode: str, key: Any) -> Image.Image:
    """Colour and alpha scaled, each as 12 bits where it lies within them; the high byte otherwise.

    Some rows at a time: numbers of 32 bits for a whole picture take gigabytes.
    """
    step = max(1, AT_ONCE // (shape[1] * shape[2]))
    bands = [slice(start, start + step) for start in range(0, shape[0], step)]
    split = 4 if mode == "CMYK" else 3
    kinds = [part for part in (slice(0, split), slice(split, shape[2])) if part.start < part.stop]
    most = [max(int(rows(band)[..., part].max(initial=0)) for band in bands) for part in kinds]
    made = np.empty(shape, np.uint8)
    clear = np.zeros(shape[:2], np.bool_) if isinstance(key, tuple) else None
    for band in bands:
        values = rows(band)
        for part, top in zip(kinds, most, strict=True):
            made[band, :, part] = _eight_bits(values[..., part], top <= TWELVE)
        if clear is not None:
            clear[band] = (values == np.array(key, np.uint16)).all(-1)
    image = Image.fromarray(made, mode)
    if clear is not None:
        image.putalpha(Image.fromarray(np.where(clear, np.uint8(0), np.uint8(255))))
    return image


def _eight_bits(values: NDArray[np.uint16], twelve: bool) -> NDArray[np.uint8]:
    if twelve:
        return ((values.astype(np.uint32) * 255 + TWELVE // 2) // TWELVE).astype(np.uint8)
    return (values >> 8).astype(np.uint8)


def _has_deep_planes(image: ImageFile.ImageFile) -> bool:
    tags = getattr(image, "tag_v2", None)
    if tags is None or tags.get(284) != _PLANAR or 16 not in tuple(tags.get(258, ())):
        return False
    return all(tile.codec_name == "raw" and len(_rawmode(tile)) == 1 for tile in image.tile)


def _ppm_top(depth: Depth) -> int:
    args = depth.tile.args if depth.tile is not None else ()
    return int(args[1]) if isinstance(args, tuple) and len(args) == 2 else 0


def _rawmode(tile: ImageFile._Tile) -> str:
    args = tile.args
    first = args[0] if isinstance(args, tuple) and args else args
    return first if isinstance(first, str) else ""


def _with_rawmode(tile: ImageFile._Tile, rawmode: str) -> ImageFile._Tile:
    args = tile.args
    return tile._replace(args=(rawmode, *args[1:]) if isinstance(args, tuple) else rawmode)
